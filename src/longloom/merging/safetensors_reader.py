"""Read ranges of tensors from a Hugging Face folder, single file or sharded.

Files are read with `pread` rather than mapped: mapped pages count as resident memory, and a merge
of large models would seem to hold them all.
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from longloom.errors import ModelError
from longloom.runlog.closing import ClosesOnExit

TORCH_DTYPE_BY_CODE: Mapping[str, torch.dtype] = {
    "BF16": torch.bfloat16,
    "BOOL": torch.bool,
    "F16": torch.float16,
    "F32": torch.float32,
    "F64": torch.float64,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "I8": torch.int8,
    "U8": torch.uint8,
}
"""Types that can be read, by their name in safetensors files."""

FLOAT_CODES = frozenset({"BF16", "F16", "F32", "F64"})
"""Types that can be merged."""

_MAX_HEADER_BYTES = 100_000_000  # the format's own bound
_INDEX_NAME = "model.safetensors.index.json"
_SINGLE_NAME = "model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """Where a tensor lies."""

    name: str
    """Its name in the model."""
    file: Path
    """The safetensors file that holds it."""
    code: str
    """Its type as safetensors names it."""
    shape: tuple[int, ...]
    """Its shape."""
    start_byte: int
    """First byte in the file."""

    @property
    def num_elements(self) -> int:
        """Elements of the tensor."""
        return math.prod(self.shape)

    @property
    def num_bytes(self) -> int:
        """Its size in the file."""
        return self.num_elements * TORCH_DTYPE_BY_CODE[self.code].itemsize


class TensorFolder(ClosesOnExit):
    """The tensors of one model folder; only headers are read until a range is asked for."""

    def __init__(self, path: Path) -> None:
        """Read the headers of all files of the model.

        Raises:
            ModelError: the folder has no safetensors, or a file is missing or damaged.
        """
        self.path = path
        self.files = _weight_files(path)
        """The files of the model."""
        self._descriptors: dict[Path, int] = {}
        self.tensors: dict[str, StoredTensor] = {}
        """Tensor by name, in the order of the files."""
        for file in self.files:
            for stored in _read_header(file):
                if stored.name in self.tensors:
                    raise ModelError(
                        f"tensor {stored.name!r} is both in {self.tensors[stored.name].file} and "
                        f"in {file}; remove the files that do not belong to the model"
                    )
                self.tensors[stored.name] = stored
        _check_index(path, self.tensors)
        try:
            for file in self.files:
                self._descriptors[file] = os.open(file, os.O_RDONLY)
        except OSError as error:
            self.close()
            raise ModelError(f"cannot read {file}: {error.strerror}") from None

    def read(self, name: str, start: int, stop: int) -> Shaped[Tensor, " E"]:
        """Return elements `start` to `stop` of a flattened tensor, in its stored type.

        Raises:
            ModelError: the file cannot be read.
        """
        stored = self.tensors[name]
        elements = torch.empty(stop - start, dtype=TORCH_DTYPE_BY_CODE[stored.code])
        if not elements.numel():
            return elements
        content = elements.view(torch.uint8).numpy().data
        position = stored.start_byte + start * elements.itemsize
        try:
            num_read = os.preadv(self._descriptors[stored.file], [content], position)
        except OSError as error:
            raise ModelError(f"cannot read {stored.file}: {error.strerror}") from error
        if num_read != content.nbytes:
            raise ModelError(f"{stored.file} ended while {name!r} was read; was it replaced?")
        return elements

    def close(self) -> None:
        """Close the files."""
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()


def _weight_files(folder: Path) -> list[Path]:
    weight_map = _weight_map(folder)
    if weight_map is not None:
        return [folder / name for name in sorted(set(weight_map.values()))]
    if (folder / _SINGLE_NAME).exists():
        return [folder / _SINGLE_NAME]
    if (folder / "adapter_config.json").exists():
        raise ModelError(
            f"{folder} holds an adapter, not a model; merge it into its base first (peft: "
            "merge_and_unload, then save_pretrained) and give that folder"
        )
    if any(folder.glob("pytorch_model*.bin")):
        raise ModelError(
            f"{folder} holds pytorch_model.bin, whose pickle can run code and is not read; load "
            "the model with transformers where you trust it and save it with save_pretrained"
        )
    raise ModelError(
        f"no model in {folder}; expected {_SINGLE_NAME} or {_INDEX_NAME} (save the model with "
        "save_pretrained to get them)"
    )


def _weight_map(folder: Path) -> Mapping[str, str] | None:
    """Return the file name by tensor name of a sharded model; None if it has no index."""
    index = folder / _INDEX_NAME
    if not index.exists():
        return None
    try:
        weight_map = json.loads(index.read_text("utf-8"))["weight_map"]
        names = set(weight_map.values())
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ModelError(f"{index} is damaged: {error!r}; copy it again") from None
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or not name.strip(".\0"):
            raise ModelError(
                f"{index} names the file {name!r}; expected the name of a file in its own folder"
            )
    return dict(weight_map)


def _check_index(folder: Path, tensors: Mapping[str, StoredTensor]) -> None:
    for name, file_name in (_weight_map(folder) or {}).items():
        if name not in tensors or tensors[name].file.name != file_name:
            raise ModelError(
                f"{folder / _INDEX_NAME} says that tensor {name!r} is in {file_name}, which lacks "
                "it; copy index and files again"
            )


def _read_header(file: Path) -> list[StoredTensor]:
    try:
        file_bytes = file.stat().st_size
        with file.open("rb") as stream:
            header_bytes = int.from_bytes(stream.read(8), "little")
            if file_bytes < 8 or header_bytes > min(file_bytes - 8, _MAX_HEADER_BYTES):
                raise _damaged(file, "its header does not fit into it")
            header = json.loads(stream.read(header_bytes))
    except OSError as error:
        raise ModelError(f"cannot read {file}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise _damaged(file, "its header is not JSON") from None
    data_start = 8 + header_bytes
    try:
        tensors = [
            _stored(file, name, entry, data_start)
            for name, entry in header.items()
            if name != "__metadata__"
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(file, repr(error)) from None
    tensors.sort(key=lambda stored: (stored.start_byte, stored.num_bytes))
    position = data_start
    for stored in tensors:
        if stored.start_byte != position:
            raise _damaged(file, f"tensor {stored.name!r} does not begin where the last one ends")
        position += stored.num_bytes
    if position != file_bytes:
        raise _damaged(file, f"{file_bytes} bytes, its header says {position}")
    return tensors


def _stored(file: Path, name: str, entry: Mapping[str, Any], data_start: int) -> StoredTensor:
    code, shape = entry["dtype"], tuple(entry["shape"])
    start, end = entry["data_offsets"]
    if code not in TORCH_DTYPE_BY_CODE:
        raise ModelError(
            f"tensor {name!r} of {file} has type {code!r}; expected one of "
            f"{', '.join(TORCH_DTYPE_BY_CODE)} (dequantise the model first)"
        )
    if not all(type(number) is int and number >= 0 for number in (start, end, *shape)):
        raise _damaged(file, f"tensor {name!r} has shape {shape} and offsets {start}, {end}")
    stored = StoredTensor(
        name=name, file=file, code=code, shape=shape, start_byte=data_start + start
    )
    if end - start != stored.num_bytes:
        raise _damaged(file, f"tensor {name!r} has {end - start} bytes for shape {shape}")
    return stored


def _damaged(file: Path, reason: str) -> ModelError:
    return ModelError(f"{file} is not a whole safetensors file ({reason}); copy it again")
