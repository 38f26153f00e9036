"""How a stage is laid out over GPUs, what it needs of each one's memory, and what helps."""

from dataclasses import dataclass

from longloom.engines.local_config import LocalEngineConfig
from longloom.engines.memory_plan import GpuLayout, MemoryPlan, StageWork, plan_memory_of
from longloom.engines.model_sizes import ModelSizes, read_sizes
from longloom.recipes.model_source import resolve_model
from longloom.recipes.planning.machines import PlannedMachine
from longloom.recipes.run_config import RunConfig
from longloom.recipes.stage_memory import recipe_work

_MOST_GPUS = 1_024
"""More GPUs than these are not suggested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedStage:
    """A stage on the devices of a machine."""

    layout: GpuLayout
    """How it is divided."""
    memory: MemoryPlan
    """What each device needs."""
    advice: str
    """What to change so that it fits; empty if it does."""


def place_stage(
    sizes: ModelSizes, config: LocalEngineConfig, work: StageWork, machine: PlannedMachine
) -> PlacedStage:
    """Return a stage as it needs the least of each GPU's memory.

    Either every GPU has all weights (data parallel), or its share of them (FSDP); then rollouts
    have the smallest tensor-parallel degree with which they fit.

    Raises:
        EngineError: the device asked for is not there.
    """
    engine = machine.engine(config)
    plans = _plans(sizes, engine, work, machine, machine.num_devices)
    layout, plan = min(plans, key=lambda entry: entry[1].peak_bytes)
    is_placed = plan.peak_bytes <= machine.usable_bytes
    advice = "" if is_placed else _advice(sizes, engine, work, machine, plan)
    return PlacedStage(layout=layout, memory=plan, advice=advice)


def _plans(
    sizes: ModelSizes,
    engine: LocalEngineConfig,
    work: StageWork,
    machine: PlannedMachine,
    num_gpus: int,
) -> list[tuple[GpuLayout, MemoryPlan]]:
    """Return a stage with all weights on every GPU, and divided."""
    whole = GpuLayout(num_gpus=num_gpus, is_sharded=False)
    found = [(whole, plan_memory_of(sizes, engine, work, planned=machine.kind, layout=whole))]
    if num_gpus == 1:
        return found
    degrees = _powers_of_two(num_gpus)
    for degree in degrees:
        layout = GpuLayout(num_gpus=num_gpus, tensor_parallel=degree)
        plan = plan_memory_of(sizes, engine, work, planned=machine.kind, layout=layout)
        if plan.rollout_bytes <= machine.usable_bytes or degree == degrees[-1]:
            found.append((layout, plan))
            break
    return found


def stages_here(config: RunConfig) -> list[tuple[str, MemoryPlan]]:
    """Return every stage that trains with what it needs of this machine's memory.

    Read from the base model's config.json alone: stages change no size of the model.

    Raises:
        ModelError: the model folder is not there, or its config.json lacks a size.
        EngineError: the device asked for is not there.
    """
    sizes = read_sizes(resolve_model(config.model))
    works = [(stage.name, recipe_work(config, stage)) for stage in config.stages]
    return [
        (name, plan_memory_of(sizes, config.engine, work))
        for name, work in works
        if work is not None
    ]


def _powers_of_two(most: int) -> list[int]:
    """Return the powers of two that divide `most`."""
    return [1 << place for place in range(most.bit_length()) if most % (1 << place) == 0]


def _advice(
    sizes: ModelSizes,
    engine: LocalEngineConfig,
    work: StageWork,
    machine: PlannedMachine,
    plan: MemoryPlan,
) -> str:
    """Return settings that make it fit, and how many GPUs would."""
    found = plan.advice(int(machine.usable_bytes))
    if machine.kind == "cpu":
        return found
    num_gpus = 2 * machine.num_devices
    while num_gpus <= _MOST_GPUS:
        plans = _plans(sizes, engine, work, machine, num_gpus)
        layout, wider = min(plans, key=lambda entry: entry[1].peak_bytes)
        if wider.peak_bytes <= machine.usable_bytes:
            how = (
                f"FSDP over all, tensor parallel {layout.tensor_parallel} in rollouts"
                if layout.is_divided
                else "data parallel"
            )
            needed = f"{wider.peak_bytes / 1e9:.1f} GB each"
            return f"{found}; or take {num_gpus} such GPUs ({how}: {needed})"
        num_gpus *= 2
    return found
