"""Write safetensors files tensor by tensor.

The format begins with a header that holds every position, so types and shapes are planned first;
then the bytes are streamed behind it.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from jaxtyping import Shaped
from torch import Tensor

from longloom.errors import ModelError
from longloom.merging.safetensors_reader import TORCH_DTYPE_BY_CODE
from longloom.runlog.atomic import atomic_write_text, describe_write_failure


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTensor:
    """A tensor that will be written."""

    name: str
    """Its name in the model."""
    code: str
    """Its type as safetensors names it."""
    shape: tuple[int, ...]
    """Its shape."""
    num_bytes: int
    """Its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One file that will be written."""

    file_name: str
    """Name within the model folder."""
    tensors: tuple[PlannedTensor, ...]
    """In the order of their bytes."""


def plan_shards(tensors: Sequence[PlannedTensor], *, max_shard_bytes: int) -> tuple[Shard, ...]:
    """Spread tensors over as few files as their order allows.

    A tensor above the bound gets a file of its own.
    """
    groups: list[list[PlannedTensor]] = [[]]
    group_bytes = 0
    for planned in tensors:
        if groups[-1] and group_bytes + planned.num_bytes > max_shard_bytes:
            groups.append([])
            group_bytes = 0
        groups[-1].append(planned)
        group_bytes += planned.num_bytes
    if len(groups) == 1:
        return (Shard(file_name="model.safetensors", tensors=_aligned(groups[0])),)
    return tuple(
        Shard(
            file_name=f"model-{number:05d}-of-{len(groups):05d}.safetensors",
            tensors=_aligned(group),
        )
        for number, group in enumerate(groups, start=1)
    )


def write_index(folder: Path, shards: Sequence[Shard]) -> None:
    """Write the index of a sharded model; a single file needs none.

    Raises:
        ModelError: it cannot be written.
    """
    if len(shards) == 1:
        return
    weight_map = {planned.name: shard.file_name for shard in shards for planned in shard.tensors}
    total_bytes = sum(planned.num_bytes for shard in shards for planned in shard.tensors)
    index = {"metadata": {"total_size": total_bytes}, "weight_map": weight_map}
    atomic_write_text(
        folder / "model.safetensors.index.json",
        json.dumps(index, indent=2, sort_keys=True) + "\n",
        error_class=ModelError,
    )


class ShardWriter:
    """Streams the tensors of one shard, in the planned order."""

    def __init__(self, folder: Path, shard: Shard) -> None:
        """Reserve the whole file and write its header.

        Raises:
            ModelError: the disk has no room for it.
        """
        self._path = folder / shard.file_name
        self._num_bytes_left = sum(planned.num_bytes for planned in shard.tensors)
        header = _header(shard.tensors)
        try:
            self._file = self._path.open("wb")
            _reserve(self._file.fileno(), len(header) + self._num_bytes_left)
            self._file.write(header)
        except OSError as error:
            raise ModelError(describe_write_failure(self._path, error)) from error

    def write(self, elements: Shaped[Tensor, "*shape"]) -> None:
        """Write the next elements, in their planned type.

        Raises:
            ModelError: the disk is full.
        """
        content = elements.contiguous().reshape(-1).view(torch.uint8).numpy().data
        self._num_bytes_left -= content.nbytes
        try:
            self._file.write(content)
        except OSError as error:
            raise ModelError(describe_write_failure(self._path, error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._file.close()
        except OSError as close_error:
            raise ModelError(describe_write_failure(self._path, close_error)) from close_error
        assert error is not None or self._num_bytes_left == 0


def _aligned(tensors: Sequence[PlannedTensor]) -> tuple[PlannedTensor, ...]:
    # Wide types first, so that every tensor starts at a multiple of its element.
    return tuple(sorted(tensors, key=lambda planned: -TORCH_DTYPE_BY_CODE[planned.code].itemsize))


def _header(tensors: Sequence[PlannedTensor]) -> bytes:
    entries: dict[str, Mapping[str, object]] = {"__metadata__": {"format": "pt"}}
    position = 0
    for planned in tensors:
        end = position + planned.num_bytes
        entries[planned.name] = {
            "dtype": planned.code,
            "shape": planned.shape,
            "data_offsets": [position, end],
        }
        position = end
    text = json.dumps(entries, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _reserve(descriptor: int, num_bytes: int) -> None:
    # A full disk is found here rather than after an hour; macOS lacks the call and finds it later.
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, num_bytes)
