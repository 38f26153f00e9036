"""Decide what a merge reads and writes before it does either.

Flow: the tensors of all folders are compared (all disagreements are named), a tied output layer is
left out, types and files of the output are planned, and every tensor is cut into the units that
are merged on their own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from longloom.errors import ModelError
from longloom.merging.blocks import BLOCK_ELEMENTS
from longloom.merging.model_files import ModelSettings, is_tied
from longloom.merging.safetensors_reader import (
    FLOAT_CODES,
    TORCH_DTYPE_BY_CODE,
    StoredTensor,
    TensorFolder,
)
from longloom.merging.safetensors_writer import PlannedTensor, Shard, plan_shards
from longloom.merging.units import unit_spans

_EMBEDDING = "embed_tokens.weight"
_OUTPUT_LAYER = "lm_head.weight"
_NUM_NAMED = 10
"""Disagreements that an error names; the rest are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """What is merged, open for reading."""

    pivot: TensorFolder
    """The pivot."""
    models: tuple[TensorFolder, ...]
    """The models, in order."""

    @property
    def everything(self) -> tuple[TensorFolder, ...]:
        """The pivot and the models."""
        return (self.pivot, *self.models)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A part of a tensor that is merged on its own."""

    tensor: PlannedTensor
    """The tensor as it will be written."""
    start: int
    """Its first element in the flattened tensor."""
    stop: int
    """One behind its last."""

    @property
    def is_merged(self) -> bool:
        """Whether it is merged; what is not floating point is copied."""
        return self.tensor.code in FLOAT_CODES

    @property
    def name(self) -> str:
        """Names the unit in the whole model."""
        return f"{self.tensor.name}:{self.start}"

    @property
    def dtype(self) -> torch.dtype:
        """Type that is written."""
        return TORCH_DTYPE_BY_CODE[self.tensor.code]

    @property
    def start_byte(self) -> int:
        """Where it begins in the written tensor."""
        return self.start * self.dtype.itemsize

    @property
    def num_bytes(self) -> int:
        """Bytes that are written."""
        return (self.stop - self.start) * self.dtype.itemsize


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What is written."""

    shards: tuple[Shard, ...]
    """The files."""
    units: tuple[Unit, ...]
    """All units, in the order of the files."""

    @property
    def num_bytes(self) -> int:
        """Bytes of all tensors."""
        return sum(unit.num_bytes for unit in self.units)


def plan_layout(
    folders: Folders, settings: ModelSettings, *, output_code: str | None, max_shard_bytes: int
) -> Layout:
    """Compare the folders and plan the output.

    Args:
        folders: what is merged.
        settings: the pivot's config.json.
        output_code: safetensors type of the merged tensors; None keeps the pivot's.
        max_shard_bytes: bound of one file.

    Raises:
        ModelError: a tensor is missing, has another shape or type, or a tied output layer differs.
    """
    names = _common_tensors(folders, is_tied=is_tied(settings))
    planned = [_plan(folders.pivot.tensors[name], output_code) for name in names]
    shards = plan_shards(planned, max_shard_bytes=max_shard_bytes)
    units = tuple(
        Unit(tensor=tensor, start=start, stop=stop)
        for shard in shards
        for tensor in shard.tensors
        for start, stop in unit_spans(tensor.name, tensor.shape, settings)
    )
    return Layout(shards=shards, units=units)


def _plan(stored: StoredTensor, output_code: str | None) -> PlannedTensor:
    is_merged = stored.code in FLOAT_CODES
    code = output_code if output_code and is_merged else stored.code
    return PlannedTensor(
        name=stored.name,
        code=code,
        shape=stored.shape,
        num_bytes=stored.num_elements * TORCH_DTYPE_BY_CODE[code].itemsize,
    )


def _common_tensors(folders: Folders, *, is_tied: bool) -> list[str]:
    """Return the names to merge in the pivot's order; a tied output layer is left out."""
    wanted = _names_of(folders.pivot, is_tied=is_tied)
    problems: list[str] = []
    for folder in folders.models:
        found = _names_of(folder, is_tied=is_tied)
        problems += _missing(wanted, found, folder, folders.pivot)
        problems += _missing(found, wanted, folders.pivot, folder)
        for name in wanted:
            if name in found:
                problems += _differences(folders.pivot.tensors[name], folder.tensors[name])
    if problems:
        raise ModelError(f"{_listed(problems)}; merge models of one architecture, saved whole")
    return list(wanted)


def _missing(
    wanted: Mapping[str, None],
    found: Mapping[str, None],
    folder: TensorFolder,
    other: TensorFolder,
) -> list[str]:
    return [
        f"tensor {name!r} of {other.path} is missing in {folder.path}"
        for name in wanted
        if name not in found
    ]


def _differences(stored: StoredTensor, other: StoredTensor) -> Iterator[str]:
    if other.shape != stored.shape:
        yield (
            f"tensor {stored.name!r} has shape {list(other.shape)} in {other.file}, but "
            f"{list(stored.shape)} in the pivot's {stored.file}"
        )
    if (stored.code in FLOAT_CODES) != (other.code in FLOAT_CODES):
        yield (
            f"tensor {stored.name!r} has type {other.code} in {other.file}, but {stored.code} in "
            f"the pivot's {stored.file}"
        )


def _listed(problems: Sequence[str]) -> str:
    num_left = len(problems) - _NUM_NAMED
    more = [f"and {num_left} more disagreements"] if num_left > 0 else []
    return "; ".join([*problems[:_NUM_NAMED], *more])


def _names_of(folder: TensorFolder, *, is_tied: bool) -> dict[str, None]:
    """Return the names to merge; refuse a tied output layer with weights of its own."""
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
