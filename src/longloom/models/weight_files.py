"""The safetensors files of a model folder: one file, or shards with an index.

Written so that a folder whose `model.safetensors` or index is there is complete: the files take
their names when all of them are written, the index last.
"""

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from longloom.errors import ModelError
from longloom.runlog.atomic import describe_write_failure, sync_file, sync_folder

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
SHARD_BYTES = 5_000_000_000
"""Larger models are written as several files; the size transformers uses."""


def weight_paths(folder: Path) -> list[Path]:
    """Return the weight files of a folder: those of the index, else the one, else all shards.

    Raises:
        ModelError: there are none, or the index cannot be read.
    """
    index = folder / INDEX_FILE
    if index.exists():
        try:
            names = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise ModelError(f"{index} is damaged: {error!r}; copy the folder again") from None
        return [folder / name for name in sorted(names)]
    whole = folder / WEIGHTS_FILE
    paths = [whole] if whole.exists() else sorted(folder.glob("model*.safetensors"))
    if not paths:
        raise ModelError(f"no *.safetensors in {folder}; expected a Hugging Face model folder")
    if any(re.search(r"-of-\d+\.safetensors$", path.name) for path in paths):
        raise ModelError(f"{folder} is incomplete: {INDEX_FILE} is missing; copy the folder again")
    return paths


def read_tensors(folder: Path) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a folder by name, one at a time, each mapped from its file.

    The file is opened for each, so that what was read of it does not stay in memory.

    Raises:
        ModelError: a file is missing or damaged.
    """
    for path in weight_paths(folder):
        try:
            with safe_open(path, framework="pt") as file:
                names = list(file.keys())
            for name in names:
                with safe_open(path, framework="pt") as file:
                    tensor = file.get_tensor(name)
                yield name, tensor
        except (SafetensorError, OSError) as error:
            raise ModelError(f"weights {path} are damaged: {error}") from None


def read_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a folder's tensors by name, without reading the tensors.

    Finds files that were cut: each says at its beginning how long it is.

    Raises:
        ModelError: a file is missing or damaged.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for path in weight_paths(folder):
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118  # it is no mapping
                    shapes[name] = tuple(file.get_slice(name).get_shape())
        except (SafetensorError, OSError) as error:
            raise ModelError(f"weights {path} are damaged: {error}") from None
    return shapes


def write_weights(
    folder: Path, tensors: Mapping[str, Tensor], *, shard_bytes: int = SHARD_BYTES
) -> None:
    """Write weights into a folder in place of those it holds.

    Raises:
        ModelError: they cannot be written.
    """
    with replaced_weights(folder) as partial:
        shards = _shards(tensors, shard_bytes)
        if len(shards) == 1:
            _save(tensors, shards[0], partial / WEIGHTS_FILE)
            return
        place_by_name: dict[str, str] = {}
        for number, names in enumerate(shards, start=1):
            file_name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
            _save(tensors, names, partial / file_name)
            place_by_name.update(dict.fromkeys(names, file_name))
        num_bytes = sum(tensor.nbytes for tensor in tensors.values())
        index = {"metadata": {"total_size": num_bytes}, "weight_map": place_by_name}
        (partial / INDEX_FILE).write_text(json.dumps(index, indent=2, sort_keys=True), "utf-8")


def _save(tensors: Mapping[str, Tensor], names: list[str], path: Path) -> None:
    shard = {name: tensors[name].detach().contiguous() for name in names}
    save_file(shard, path, metadata={"format": "pt"})


@contextmanager
def replaced_weights(folder: Path) -> Iterator[Path]:
    """Give an empty folder for weight files; they replace those of `folder` when it succeeds.

    Raises:
        ModelError: they cannot be written; says why.
    """
    partial = folder / ".weights.partial"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        written = sorted(partial.glob("model*.safetensors"))
        index = partial / INDEX_FILE
        for path in written:
            sync_file(path)
        (folder / INDEX_FILE).unlink(missing_ok=True)  # incomplete while shards change
        for path in [*written, *([index] if index.exists() else [])]:
            path.replace(folder / path.name)
        names = {path.name for path in written}
        for old in folder.glob("model*.safetensors"):
            if old.name not in names:
                old.unlink()
        sync_folder(folder)
    except OSError as error:
        raise ModelError(describe_write_failure(folder, error)) from None
    except SafetensorError as error:
        raise ModelError(describe_write_failure(folder, _os_error(error))) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _shards(tensors: Mapping[str, Tensor], shard_bytes: int) -> list[list[str]]:
    """Return the names of each file, in order, each file of at most `shard_bytes` if it can be."""
    shards: list[list[str]] = [[]]
    num_bytes = 0
    for name, tensor in tensors.items():
        if shards[-1] and num_bytes + tensor.nbytes > shard_bytes:
            shards.append([])
            num_bytes = 0
        shards[-1].append(name)
        num_bytes += tensor.nbytes
    return shards


def _os_error(error: SafetensorError) -> OSError:
    """Return what the operating system said; the writer wraps it in its own words."""
    found = re.search(r"os error (\d+)", str(error))
    if found is None:
        return OSError(errno.EIO, str(error))
    number = int(found[1])
    return OSError(number, os.strerror(number))


def dtype_name(dtype: torch.dtype) -> str:
    """Return the name of a type in config.json."""
    return str(dtype).removeprefix("torch.")
