"""Merge or copy one unit from the input files into the output files."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from longloom.errors import ModelError
from longloom.merging.blocks import (
    BLOCK_ELEMENTS,
    Block,
    MergeAlgorithm,
    make_block,
    merge_blocks,
)
from longloom.merging.layout import Folders, Unit
from longloom.merging.merge_report import UnitReport
from longloom.merging.safetensors_writer import ShardFiles

CheckStop = Callable[[], None]
"""Raises if the work is to end; asked once per block."""

_CHECKED_BYTES = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedUnit:
    """A unit whose bytes are in their file."""

    checksum: int
    """CRC-32 of its bytes: tells whether they survived a crash."""
    report: UnitReport | None
    """What happened to it; None if it was copied."""


def merge_unit(
    unit: Unit,
    folders: Folders,
    files: ShardFiles,
    make_algorithm: Callable[[str], MergeAlgorithm],
    check_stop: CheckStop,
) -> FinishedUnit:
    """Merge or copy one unit.

    Raises:
        ModelError: it is not finite, differs though it cannot be merged, or the disk failed.
    """
    output = _UnitOutput(unit, files)
    if not unit.is_merged:
        _copy_equal(unit, folders, output, check_stop)
        return FinishedUnit(checksum=output.checksum, report=None)
    source = _DiskBlocks(unit, folders, check_stop)
    algorithm = make_algorithm(unit.name)
    statistics, movement = merge_blocks(algorithm, source, output.write_merged)
    num_elements = max(1, source.num_elements)
    report = UnitReport(
        tensor=unit.tensor.name,
        start_element=unit.start,
        num_elements=source.num_elements,
        coefficients=statistics.coefficients,
        kept_fraction=statistics.kept_fraction,
        sign_conflict_fraction=statistics.num_conflicts / num_elements,
        is_equalised=statistics.is_equalised,
        pivot_norm=movement.pivot_norm,
        change_norms=movement.change_norms,
        merged_change_norm=movement.merged_change_norm,
        retained_fractions=movement.retained_fractions,
    )
    return FinishedUnit(checksum=output.checksum, report=report)


def is_intact(unit: Unit, finished: FinishedUnit, files: ShardFiles) -> bool:
    """Return whether the bytes of a unit are in its file as they were written."""
    checksum = 0
    for start in range(0, unit.num_bytes, _CHECKED_BYTES):
        num_bytes = min(_CHECKED_BYTES, unit.num_bytes - start)
        content = files.read(unit.tensor.name, unit.start_byte + start, num_bytes)
        checksum = zlib.crc32(content, checksum)
    return checksum == finished.checksum


class _UnitOutput:
    """Where the bytes of one unit go, in order."""

    def __init__(self, unit: Unit, files: ShardFiles) -> None:
        self._unit = unit
        self._files = files
        self._position = unit.start_byte
        self.checksum = 0

    def write_merged(self, merged: Tensor) -> None:
        """Round a merged block once, and write it."""
        stored = merged.to(self._unit.dtype)
        if not torch.isfinite(stored.sum(dtype=torch.float32)) and not stored.isfinite().all():
            raise ModelError(
                f"tensor {self._unit.tensor.name!r} is not finite after merging into "
                f"{self._unit.tensor.code}; look for NaN or huge values in the models, or choose "
                "dtype float32"
            )
        self.write(stored)

    def write(self, stored: Tensor) -> None:
        """Write a block in its final type."""
        content = stored.contiguous().view(torch.uint8).numpy().data
        self._files.write(self._unit.tensor.name, self._position, content)
        self._position += content.nbytes
        self.checksum = zlib.crc32(content, self.checksum)


class _DiskBlocks:
    """One unit, read from all folders."""

    def __init__(self, unit: Unit, folders: Folders, check_stop: CheckStop) -> None:
        self._unit = unit
        self._folders = folders
        self._check_stop = check_stop

    @property
    def num_elements(self) -> int:
        return self._unit.stop - self._unit.start

    def load(self, start: int, stop: int) -> Block:
        self._check_stop()
        name = self._unit.tensor.name
        first, last = self._unit.start + start, self._unit.start + stop
        pivot = self._folders.pivot.read(name, first, last).float()
        targets = torch.empty(len(self._folders.models), stop - start)
        for model, folder in enumerate(self._folders.models):
            targets[model] = folder.read(name, first, last)
        return make_block(pivot, targets)


def _copy_equal(unit: Unit, folders: Folders, output: _UnitOutput, check_stop: CheckStop) -> None:
    name = unit.tensor.name
    for start in range(unit.start, unit.stop, BLOCK_ELEMENTS):
        check_stop()
        stop = min(start + BLOCK_ELEMENTS, unit.stop)
        block = folders.pivot.read(name, start, stop)
        for folder in folders.models:
            if not torch.equal(block, folder.read(name, start, stop)):
                raise ModelError(
                    f"tensor {name!r} is not floating point and differs between "
                    f"{folders.pivot.path} and {folder.path}; it cannot be merged"
                )
        output.write(block)
