"""A plan as tables of words, and as plain values for JSON."""

from collections.abc import Mapping
from typing import Any

from longloom.engines.memory_plan import GpuLayout, MemoryPlan
from longloom.recipes.planning.operations import Number
from longloom.recipes.planning.recipe_plan import RecipePlan, StagePlan

Row = tuple[str, ...]

_MEMORY_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "weights": ("weights", "master weights", "reference", "gathered weights",
                "weights for rollouts", "libraries"),
    "optimizer": ("optimizer moments",),
    "gradients": ("gradients", "gradients in transit"),
    "activations": ("activations",),
    "head": ("computation", "output matrix in fp32"),
    "caches": ("caches",),
}  # fmt: skip
"""The parts of a memory plan that each column adds up; `head` is the larger of head and layer."""
SCHEMA = {"schema": "longloom.recipe_plan", "version": 1}


def token_rows(plan: RecipePlan) -> list[Row]:
    """Return what is drawn, computed and learned, in tokens."""
    rows: list[Row] = [
        ("tokens", "steps", "rollouts", "prefilled", "unshared", "drawn", "trained", "unshared")
    ]
    for stage in plan.stages:
        work = stage.work
        tokens = (
            work.prefilled_tokens, work.unshared_prefilled_tokens, work.drawn_tokens,
            work.trained_tokens, work.unshared_trained_tokens,
        )  # fmt: skip
        counts = (f"{work.num_steps:,.0f}", f"{work.num_rollouts:,.0f}")
        rows.append((work.name, *counts, *(_short(count) for count in tokens)))
    return rows


def operation_rows(plan: RecipePlan) -> list[Row]:
    """Return floating-point operations."""
    rows: list[Row] = [("operations", "prefill", "decoding", "training", "scoring", "all")]
    for stage in plan.stages:
        found = stage.operations
        parts = (found.prefill, found.decoding, found.training, found.scoring)
        counts = [*(part.total for part in parts), found.total]
        rows.append((stage.work.name, *(_short(count) for count in counts)))
    return rows


def memory_rows(plan: RecipePlan) -> list[Row]:
    """Return what each device needs, in 10^9 bytes."""
    rows: list[Row] = [("GB per device", *_MEMORY_COLUMNS, "peak", "usable", "fits", "layout")]
    for stage in plan.stages:
        if stage.memory is None:
            continue
        sizes = memory_columns(stage.memory)
        rows.append(
            (
                stage.work.name,
                *(_gb(sizes[name]) for name in _MEMORY_COLUMNS),
                _gb(stage.memory.peak_bytes),
                _gb(plan.machine.usable_bytes),
                "no" if stage.advice else "yes",
                _layout(stage.layout),
            )
        )
    return rows


def time_rows(plan: RecipePlan) -> list[Row]:
    """Return times, device-hours, cost, and what most of the time is spent on."""
    cost = ("cost",) if plan.price is not None else ()
    rows: list[Row] = [
        ("time", "rollouts", "training", "rest", "all", "device-hours", *cost, "binds")
    ]
    for stage in plan.stages:
        seconds = (
            stage.rollout_seconds, stage.training_seconds, stage.rest_seconds, stage.total_seconds,
        )  # fmt: skip
        rows.append(
            (
                stage.work.name,
                *(duration(value) for value in seconds),
                *_hours_and_cost(plan, stage.total_seconds),
                stage.binding,
            )
        )
    total = plan.total_seconds
    rows.append(("all", "", "", "", duration(total), *_hours_and_cost(plan, total), ""))
    return rows


def here_rows(stages: list[tuple[str, MemoryPlan]]) -> list[Row]:
    """Return the peak of each stage on this machine."""
    rows: list[Row] = [("memory", "peak", "bound by")]
    for name, memory in stages:
        peak = f"{memory.peak_bytes / 1e9:,.3f} GB of {memory.use.device.type}"
        rows.append((name, peak, memory.binding))
    return rows


def advice_lines(plan: RecipePlan) -> list[str]:
    """Return what to change in each stage that does not fit."""
    return [
        f"{stage.work.name} does not fit {plan.machine.usable_bytes / 1e9:.1f} GB: {stage.advice}"
        for stage in plan.stages
        if stage.advice
    ]


def assumption_lines(plan: RecipePlan) -> list[str]:
    """Return every assumption with its value and what it means."""
    fields = type(plan.assumed).model_fields
    lines = []
    for name, field in fields.items():
        value = getattr(plan.assumed, name)
        first = " ".join((field.description or "").split()).split(". ")[0].rstrip(".")
        shown = "null" if value is None else f"{value:g}"
        lines.append(f"{name}={shown}: {first}")
    return lines


def memory_columns(memory: MemoryPlan) -> dict[str, int]:
    """Return the bytes of a memory plan by column; of both phases where a part is in both."""
    parts = (*memory.standing, *memory.update, *memory.rollouts)
    largest: dict[str, int] = {}
    for part in parts:
        largest[part.name] = max(largest.get(part.name, 0), part.num_bytes)
    return {
        column: sum(largest.get(name, 0) for name in names)
        for column, names in _MEMORY_COLUMNS.items()
    }


def plain_plan(plan: RecipePlan) -> dict[str, Any]:
    """Return a plan as plain values; bytes, seconds and operations are whole numbers of these."""
    return {
        **SCHEMA,
        "recipe": plan.recipe,
        "model": plan.model,
        "num_weights": plan.sizes.num_weights,
        "machine": plan.machine.description,
        "num_devices": plan.machine.num_devices,
        "usable_bytes": plan.machine.usable_bytes,
        "assumptions": plan.assumed.model_dump(mode="json"),
        "notes": list(plan.notes),
        "fits": plan.fits,
        "seconds": plan.total_seconds,
        "device_hours": plan.device_hours(plan.total_seconds),
        "cost": _cost(plan, plan.total_seconds),
        "stages": [_plain_stage(plan, stage) for stage in plan.stages],
    }


def _plain_stage(plan: RecipePlan, stage: StagePlan) -> dict[str, Any]:
    work, found = stage.work, stage.operations
    memory = stage.memory
    return {
        "name": work.name,
        "kind": work.kind,
        "num_steps": work.num_steps,
        "num_rollouts": work.num_rollouts,
        "prefilled_tokens": work.prefilled_tokens,
        "unshared_prefilled_tokens": work.unshared_prefilled_tokens,
        "drawn_tokens": work.drawn_tokens,
        "trained_tokens": work.trained_tokens,
        "unshared_trained_tokens": work.unshared_trained_tokens,
        "operations": {
            "prefill": found.prefill.total,
            "decoding": found.decoding.total,
            "training": found.training.total,
            "scoring": found.scoring.total,
        },
        "is_sharded": stage.layout.is_divided,
        "tensor_parallel": stage.layout.tensor_parallel,
        "bytes": None if memory is None else {**memory_columns(memory), "peak": memory.peak_bytes},
        "fits": not stage.advice,
        "advice": stage.advice,
        "rollout_seconds": stage.rollout_seconds,
        "training_seconds": stage.training_seconds,
        "rest_seconds": stage.rest_seconds,
        "seconds_by_part": dict(stage.seconds),
        "device_hours": plan.device_hours(stage.total_seconds),
        "cost": _cost(plan, stage.total_seconds),
        "binding": stage.binding,
    }


def _layout(layout: GpuLayout) -> str:
    """Return how a stage is divided, in short."""
    if layout.num_gpus == 1:
        return "one device"
    if not layout.is_divided:
        return "data parallel"
    return f"FSDP, TP {layout.tensor_parallel}"


def _hours_and_cost(plan: RecipePlan, seconds: Number) -> Row:
    hours = f"{plan.device_hours(seconds):,.2f}"
    cost = _cost(plan, seconds)
    return (hours,) if cost is None else (hours, f"{cost:,.2f}")


def _cost(plan: RecipePlan, seconds: Number) -> Number | None:
    return None if plan.price is None else plan.device_hours(seconds) * plan.price


def duration(seconds: Number) -> str:
    """Return seconds in the unit that a person would use."""
    for unit, size in (("days", 172_800.0), ("h", 7_200.0), ("min", 120.0)):
        if seconds >= size:
            divisor = {"days": 86_400, "h": 3_600, "min": 60}[unit]
            return f"{seconds / divisor:,.1f} {unit}"
    return f"{seconds:.1f} s"


def _short(count: Number) -> str:
    """Return a count with a decimal prefix: 12.3M."""
    for place, letter in enumerate("ZEPTGMK"):
        size = 10.0 ** (21 - 3 * place)
        if count >= size:
            return f"{count / size:.{3 if count < 999.5 * size else 4}g}{letter}"
    return f"{count:.0f}"


def _gb(num_bytes: Number) -> str:
    return f"{num_bytes / 1e9:,.2f}"
