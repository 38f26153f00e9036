"""What a merge did, by layer and by kind of matrix, from the report of its units."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TypeVar

from longloom.merging import MergeReport, UnitReport

KINDS = (
    "embeddings",
    "q",
    "k",
    "v",
    "o",
    "gate",
    "up",
    "down",
    "router",
    "experts",
    "norms",
    "output",
    "other",
)
"""Kinds of tensors, in the order in which a model uses them."""

_Key = TypeVar("_Key")
_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks)\.(\d+)\.")
_ENDINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("embeddings", ("embed_tokens", "wte", "wpe", "embed_in")),
    ("output", ("lm_head", "embed_out")),
    ("router", ("mlp.gate", "block_sparse_moe.gate", "mlp.router", "shared_expert_gate")),
    ("q", ("q_proj",)),
    ("k", ("k_proj",)),
    ("v", ("v_proj",)),
    ("o", ("o_proj", "self_attn.dense", "attn.c_proj")),
    ("gate", ("gate_proj",)),
    ("up", ("up_proj", "fc1", "mlp.c_fc")),
    ("down", ("down_proj", "fc2", "mlp.c_proj")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Units taken together: a kind of matrix in a layer, or more."""

    num_elements: int
    """Elements of the units."""
    weights: tuple[float, ...]
    """Mean weight of each model. Normalised by elements."""
    relative_changes: tuple[float, ...]
    """Norm of each model's change over the pivot's norm."""
    relative_merged_change: float
    """Norm of the merge's change over the pivot's norm."""
    retained_fractions: tuple[float, ...]
    """Part of each model's change that the merge holds along it."""
    sign_conflict_fraction: float
    """Positions at which models changed the pivot in opposite directions, among all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeContents:
    """A merge by layer and kind."""

    report: MergeReport
    """What was read."""
    names: tuple[str, ...]
    """A short name of each model."""
    layers: tuple[int, ...]
    """Numbers of the layers, ascending."""
    kinds: tuple[str, ...]
    """Kinds that lie in layers, in order."""
    whole: Part
    """The whole model."""
    by_layer: dict[int, Part]
    """Each layer."""
    by_cell: dict[tuple[int, str], Part]
    """Each kind in each layer."""
    outside: dict[str, Part]
    """Kinds outside of the layers."""


def merge_contents(report: MergeReport) -> MergeContents:
    """Sort the units of a merge by layer and kind."""
    by_layer: dict[int, list[UnitReport]] = {}
    by_cell: dict[tuple[int, str], list[UnitReport]] = {}
    outside: dict[str, list[UnitReport]] = {}
    for unit in report.units:
        if not unit.num_elements:
            continue
        layer, kind = layer_of(unit.tensor), kind_of(unit.tensor)
        if layer is None:
            outside.setdefault(kind, []).append(unit)
        else:
            by_layer.setdefault(layer, []).append(unit)
            by_cell.setdefault((layer, kind), []).append(unit)
    found = {kind for _, kind in by_cell}
    return MergeContents(
        report=report,
        names=short_names(report.models),
        layers=tuple(sorted(by_layer)),
        kinds=tuple(kind for kind in KINDS if kind in found),
        whole=_together(report.units, len(report.models)),
        by_layer=_each(by_layer, len(report.models)),
        by_cell=_each(by_cell, len(report.models)),
        outside={
            kind: _together(outside[kind], len(report.models)) for kind in KINDS if kind in outside
        },
    )


def layer_of(tensor: str) -> int | None:
    """Return the number of the layer that a tensor belongs to; None if it is in none."""
    match = _LAYER.search(tensor)
    return int(match.group(1)) if match else None


def kind_of(tensor: str) -> str:
    """Return the kind of a tensor by its name."""
    stem = tensor.removesuffix(".weight").removesuffix(".bias")
    if ".experts." in tensor or ".shared_expert." in tensor or ".shared_experts." in tensor:
        return "experts"
    if "norm" in stem.rpartition(".")[2] or stem.endswith((".ln_1", ".ln_2", "ln_f")):
        return "norms"
    for kind, endings in _ENDINGS:
        if stem.endswith(endings):
            return kind
    return "other"


def short_names(models: Sequence[str]) -> tuple[str, ...]:
    """Return the ends of paths without what they share there, as long as they must be to differ."""
    parts = [PurePath(model).parts for model in models]
    while len(parts) > 1 and all(len(each) > 1 and each[-1] == parts[0][-1] for each in parts):
        parts = [each[:-1] for each in parts]
    longest = max(map(len, parts), default=1)
    for num_parts in range(1, longest + 1):
        names = ["/".join(each[-num_parts:]) for each in parts]
        if len(set(names)) == len(names):
            return tuple(names)
    return tuple(f"{number}. {model}" for number, model in enumerate(models, start=1))


def _each(units_by_key: dict[_Key, list[UnitReport]], num_models: int) -> dict[_Key, Part]:
    return {key: _together(units, num_models) for key, units in units_by_key.items()}


def _together(units: Sequence[UnitReport], num_models: int) -> Part:
    num_elements = sum(unit.num_elements for unit in units)
    pivot_norm = _norm(unit.pivot_norm for unit in units)
    norms = [_norm(unit.change_norms[model] for unit in units) for model in range(num_models)]

    def mean(value: Callable[[UnitReport], float]) -> float:
        return sum(value(unit) * unit.num_elements for unit in units) / max(1, num_elements)

    def weight(model: int) -> float:
        return mean(lambda unit: unit.coefficients[model])

    def retained(model: int) -> float:
        kept = sum(unit.retained_fractions[model] * unit.change_norms[model] ** 2 for unit in units)
        return kept / norms[model] ** 2 if norms[model] else 0.0

    def relative(norm: float) -> float:
        return norm / pivot_norm if pivot_norm else 0.0

    return Part(
        num_elements=num_elements,
        weights=tuple(map(weight, range(num_models))),
        relative_changes=tuple(map(relative, norms)),
        relative_merged_change=relative(_norm(unit.merged_change_norm for unit in units)),
        retained_fractions=tuple(map(retained, range(num_models))),
        sign_conflict_fraction=mean(lambda unit: unit.sign_conflict_fraction),
    )


def _norm(norms: Iterable[float]) -> float:
    return float(sum(norm**2 for norm in norms) ** 0.5)
