"""Write safetensors files tensor by tensor.

The format begins with a header that holds every position, so types and shapes are planned first;
then the bytes are written behind it, in any order.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from longloom.errors import ModelError
from longloom.merging.safetensors_reader import TORCH_DTYPE_BY_CODE
from longloom.runlog.atomic import atomic_write_text, describe_write_failure
from longloom.runlog.closing import ClosesOnExit


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


class ShardFiles(ClosesOnExit):
    """The files of a model while it is written, at any position and from any thread."""

    def __init__(self, folder: Path, shards: Sequence[Shard]) -> None:
        """Reserve all files and write their headers; what lies behind a header stays.

        Raises:
            ModelError: the disk has no room for them.
        """
        self._paths: dict[str, Path] = {}
        self._descriptors: dict[str, int] = {}
        self._start_by_tensor: dict[str, tuple[str, int]] = {}
        try:
            for shard in shards:
                self._open(folder / shard.file_name, shard)
        except BaseException:
            self.close()
            raise

    def _open(self, path: Path, shard: Shard) -> None:
        header = _header(shard.tensors)
        num_bytes = len(header) + sum(planned.num_bytes for planned in shard.tensors)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            self._descriptors[shard.file_name] = descriptor
            self._paths[shard.file_name] = path
            os.ftruncate(descriptor, num_bytes)
            _reserve(descriptor, num_bytes)
            _write_all(descriptor, header, 0)
        except OSError as error:
            raise ModelError(describe_write_failure(path, error)) from error
        position = len(header)
        for planned in shard.tensors:
            self._start_by_tensor[planned.name] = (shard.file_name, position)
            position += planned.num_bytes

    def write(self, name: str, start_byte: int, content: memoryview) -> None:
        """Write bytes of a tensor, from `start_byte` of it on.

        Raises:
            ModelError: the disk is full or failed.
        """
        file_name, position = self._start_by_tensor[name]
        try:
            _write_all(self._descriptors[file_name], content, position + start_byte)
        except OSError as error:
            raise ModelError(describe_write_failure(self._paths[file_name], error)) from error

    def read(self, name: str, start_byte: int, num_bytes: int) -> bytes:
        """Return bytes of a tensor as they are in its file, fewer if they cannot be read."""
        file_name, position = self._start_by_tensor[name]
        try:
            return os.pread(self._descriptors[file_name], num_bytes, position + start_byte)
        except OSError:
            return b""

    def close(self) -> None:
        """Close the files.

        Raises:
            ModelError: the disk failed.
        """
        failed: ModelError | None = None
        for file_name, descriptor in self._descriptors.items():
            try:
                os.close(descriptor)
            except OSError as error:
                failed = ModelError(describe_write_failure(self._paths[file_name], error))
                failed.__cause__ = error
        self._descriptors.clear()
        if failed is not None:
            raise failed


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


def _write_all(descriptor: int, content: bytes | memoryview, position: int) -> None:
    left = memoryview(content)
    while left:
        num_written = os.pwrite(descriptor, left, position)
        left, position = left[num_written:], position + num_written
