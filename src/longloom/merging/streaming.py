"""Merge model folders without loading them: one block of one unit at a time.

Memory is bounded by the block, not by the model: the headers, one block of every model and its
statistics. Output files are planned first and streamed; the output folder takes its final name
when it is whole.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from longloom.errors import ModelError
from longloom.merging.blocks import BLOCK_ELEMENTS, MergeAlgorithm, merge_blocks
from longloom.merging.merge_report import UnitReport
from longloom.merging.model_files import ModelSettings, is_tied
from longloom.merging.safetensors_reader import (
    FLOAT_CODES,
    TORCH_DTYPE_BY_CODE,
    StoredTensor,
    TensorFolder,
)
from longloom.merging.safetensors_writer import (
    PlannedTensor,
    Shard,
    ShardWriter,
    plan_shards,
    write_index,
)
from longloom.merging.units import unit_spans

_EMBEDDING = "embed_tokens.weight"
_OUTPUT_LAYER = "lm_head.weight"

Progress = Callable[[int, int], None]
"""Receives bytes written and bytes in all."""

MakeAlgorithm = Callable[[str], MergeAlgorithm]
"""Returns a fresh algorithm for the unit of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folders:
    pivot: TensorFolder
    models: tuple[TensorFolder, ...]


class _DiskBlocks:
    """One unit of a tensor, read from all folders."""

    def __init__(self, folders: _Folders, name: str, span: tuple[int, int]) -> None:
        self._folders = folders
        self._name = name
        self._start, self._stop = span

    @property
    def num_elements(self) -> int:
        return self._stop - self._start

    def load(self, start: int, stop: int) -> tuple[Float[Tensor, " E"], Float[Tensor, "M E"]]:
        first, last = self._start + start, self._start + stop
        pivot = self._folders.pivot.read(self._name, first, last).float()
        targets = torch.empty(len(self._folders.models), stop - start)
        for model, folder in enumerate(self._folders.models):
            targets[model] = folder.read(self._name, first, last)
        return pivot, targets


def merge_weights(
    make_algorithm: MakeAlgorithm,
    *,
    pivot: Path,
    models: Sequence[Path],
    output: Path,
    settings: ModelSettings,
    output_code: str | None,
    max_shard_bytes: int,
    progress: Progress | None,
) -> tuple[UnitReport, ...]:
    """Write the merged weights into the existing folder `output`.

    Args:
        make_algorithm: gives each unit its own statistics.
        pivot: folder of the pivot.
        models: folders of the models.
        output: where the files go.
        settings: the pivot's config.json.
        output_code: safetensors type of the merged tensors; None keeps the pivot's.
        max_shard_bytes: bound of one file.
        progress: is told the bytes written after every tensor.

    Raises:
        ModelError: a tensor is missing, has another shape, cannot be merged or is not finite.
    """
    with ExitStack() as stack:
        folders = _Folders(
            pivot=stack.enter_context(TensorFolder(pivot)),
            models=tuple(stack.enter_context(TensorFolder(model)) for model in models),
        )
        names = _common_tensors(folders, is_tied=is_tied(settings))
        planned = [_plan(folders.pivot.tensors[name], output_code) for name in names]
        shards = plan_shards(planned, max_shard_bytes=max_shard_bytes)
        total_bytes = sum(tensor.num_bytes for tensor in planned)
        reports: list[UnitReport] = []
        written_bytes = 0
        for tensor, writer in _opened(output, shards):
            reports += _merge_tensor(make_algorithm, folders, tensor, settings, writer)
            written_bytes += tensor.num_bytes
            if progress:
                progress(written_bytes, total_bytes)
        write_index(output, shards)
    return tuple(reports)


def _opened(output: Path, shards: Sequence[Shard]) -> Iterator[tuple[PlannedTensor, ShardWriter]]:
    for shard in shards:
        with ShardWriter(output, shard) as writer:
            for tensor in shard.tensors:
                yield tensor, writer


def _common_tensors(folders: _Folders, *, is_tied: bool) -> list[str]:
    """Return the names to merge in the pivot's order; a tied output layer is left out."""
    everything = (folders.pivot, *folders.models)
    wanted = _names_of(folders.pivot, is_tied=is_tied)
    for folder in folders.models:
        found = _names_of(folder, is_tied=is_tied)
        for name in wanted:
            if name not in found:
                raise ModelError(f"{_missing(name, folder, folders.pivot)}")
        for name in found:
            if name not in wanted:
                raise ModelError(f"{_missing(name, folders.pivot, folder)}")
    for name in wanted:
        stored = folders.pivot.tensors[name]
        for folder in everything:
            _check_alike(stored, folder.tensors[name])
    return list(wanted)


def _names_of(folder: TensorFolder, *, is_tied: bool) -> dict[str, None]:
    names = dict.fromkeys(folder.tensors)
    if not is_tied or _OUTPUT_LAYER not in names:
        return names
    embedding = next((name for name in names if name.endswith(_EMBEDDING)), None)
    if embedding is None or not _is_equal(folder, embedding, _OUTPUT_LAYER):
        raise ModelError(
            f"{folder.path}: config.json ties {_OUTPUT_LAYER!r} to the embedding, but the stored "
            "tensors differ; set tie_word_embeddings to false or remove the tensor"
        )
    del names[_OUTPUT_LAYER]
    return names


def _is_equal(folder: TensorFolder, first: str, second: str) -> bool:
    num_elements = folder.tensors[first].num_elements
    if folder.tensors[second].num_elements != num_elements:
        return False
    spans = (
        (start, min(start + BLOCK_ELEMENTS, num_elements))
        for start in range(0, num_elements, BLOCK_ELEMENTS)
    )
    return all(torch.equal(folder.read(first, *span), folder.read(second, *span)) for span in spans)


def _missing(name: str, folder: TensorFolder, other: TensorFolder) -> str:
    return (
        f"tensor {name!r} of {other.path} is missing in {folder.path}; merge models of one "
        "architecture, saved whole (not adapters)"
    )


def _check_alike(stored: StoredTensor, other: StoredTensor) -> None:
    if other.shape != stored.shape:
        raise ModelError(
            f"tensor {stored.name!r} has shape {list(other.shape)} in {other.file}, but "
            f"{list(stored.shape)} in the pivot's {stored.file}; merge models of one architecture"
        )
    if (stored.code in FLOAT_CODES) != (other.code in FLOAT_CODES):
        raise ModelError(
            f"tensor {stored.name!r} has type {other.code} in {other.file}, but {stored.code} in "
            f"the pivot's {stored.file}; save both with floating point weights"
        )


def _plan(stored: StoredTensor, output_code: str | None) -> PlannedTensor:
    is_merged = stored.code in FLOAT_CODES
    code = output_code if output_code and is_merged else stored.code
    return PlannedTensor(
        name=stored.name,
        code=code,
        shape=stored.shape,
        num_bytes=stored.num_elements * TORCH_DTYPE_BY_CODE[code].itemsize,
    )


def _merge_tensor(
    make_algorithm: MakeAlgorithm,
    folders: _Folders,
    tensor: PlannedTensor,
    settings: ModelSettings,
    writer: ShardWriter,
) -> list[UnitReport]:
    if tensor.code not in FLOAT_CODES:
        _copy_equal(folders, tensor.name, writer)
        return []
    dtype = TORCH_DTYPE_BY_CODE[tensor.code]

    def write(merged: Tensor) -> None:
        stored = merged.to(dtype)
        if not torch.isfinite(stored.sum(dtype=torch.float32)):
            raise ModelError(
                f"tensor {tensor.name!r} is not finite after merging into {tensor.code}; look for "
                "NaN or huge values in the models, or choose dtype float32"
            )
        writer.write(stored)

    reports = []
    for start, stop in unit_spans(tensor.name, tensor.shape, settings):
        blocks = _DiskBlocks(folders, tensor.name, (start, stop))
        statistics = merge_blocks(make_algorithm(f"{tensor.name}:{start}"), blocks, write)
        num_elements = max(1, stop - start)
        reports.append(
            UnitReport(
                tensor=tensor.name,
                start_element=start,
                num_elements=stop - start,
                coefficients=statistics.coefficients,
                kept_fraction=statistics.kept_fraction,
                sign_conflict_fraction=statistics.num_conflicts / num_elements,
            )
        )
    return reports


def _copy_equal(folders: _Folders, name: str, writer: ShardWriter) -> None:
    num_elements = folders.pivot.tensors[name].num_elements
    for start in range(0, num_elements, BLOCK_ELEMENTS):
        stop = min(start + BLOCK_ELEMENTS, num_elements)
        block = folders.pivot.read(name, start, stop)
        for folder in folders.models:
            if not torch.equal(block, folder.read(name, start, stop)):
                raise ModelError(
                    f"tensor {name!r} is not floating point and differs between "
                    f"{folders.pivot.path} and {folder.path}; it cannot be merged"
                )
        writer.write(block)
