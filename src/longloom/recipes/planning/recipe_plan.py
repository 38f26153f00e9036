"""The plan of a recipe: every stage with its tokens, operations, memory, time and what binds it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from longloom.engines.machine import MachineUse
from longloom.engines.memory_plan import GpuLayout, MemoryPlan
from longloom.engines.model_sizes import ModelSizes
from longloom.engines.token_bytes import cache_token_bytes
from longloom.recipes.planning.assumptions import PlanAssumptions
from longloom.recipes.planning.expected_work import ExpectedWork, expected_work
from longloom.recipes.planning.known_models import model_sizes
from longloom.recipes.planning.machines import PlannedMachine, rates_of
from longloom.recipes.planning.operations import Number
from longloom.recipes.planning.rates import Rates
from longloom.recipes.planning.stage_layouts import place_stage
from longloom.recipes.planning.stage_seconds import (
    DISK,
    REST,
    EngineUse,
    StageOperations,
    rollout_seconds,
    stage_operations,
    stage_seconds,
    training_seconds,
)
from longloom.recipes.run_config import RunConfig, StageConfig
from longloom.recipes.stage_memory import recipe_work

_MERGED_BYTES = 2
"""Of a weight on the disk; the full-size models are published in bf16."""
_STATE_BYTES = 12
"""Of a trained weight in a checkpoint: its master and two moments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """What one stage costs."""

    work: ExpectedWork
    """Its calls."""
    operations: StageOperations
    """Floating-point operations on all devices together."""
    seconds: Mapping[str, Number]
    """Seconds by what they are spent on."""
    layout: GpuLayout = field(default_factory=GpuLayout)
    """How it is divided among GPUs."""
    memory: MemoryPlan | None = None
    """What each device needs at the longest prompts and answers; None if nothing is trained."""
    advice: str = ""
    """What to change so that it fits; empty if it does."""

    @property
    def rollout_seconds(self) -> Number:
        """Rollouts."""
        return rollout_seconds(self.seconds)

    @property
    def training_seconds(self) -> Number:
        """Updates."""
        return training_seconds(self.seconds)

    @property
    def total_seconds(self) -> Number:
        """All of it."""
        return sum(self.seconds.values())

    @property
    def rest_seconds(self) -> Number:
        """All but rollouts and updates."""
        return self.total_seconds - self.rollout_seconds - self.training_seconds

    @property
    def binding(self) -> str:
        """What most of the time is spent on."""
        return max(self.seconds, key=lambda name: self.seconds[name]) if self.seconds else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipePlan:
    """What a recipe costs on a machine."""

    recipe: str
    """Its name."""
    model: str
    """The model it starts from."""
    sizes: ModelSizes
    """Its sizes."""
    machine: PlannedMachine
    """What it would run on."""
    use: MachineUse
    """How the engine would use that."""
    assumed: PlanAssumptions
    """What was assumed."""
    stages: tuple[StagePlan, ...]
    """Stages in order, and the evaluation behind them."""
    price: Number | None = None
    """Of one device and hour."""
    notes: tuple[str, ...] = ()
    """What a reader must know."""

    @property
    def total_seconds(self) -> Number:
        """Of all stages, one after the other."""
        return sum(stage.total_seconds for stage in self.stages)

    @property
    def fits(self) -> bool:
        """Whether every stage fits the memory."""
        return not any(stage.advice for stage in self.stages)

    def device_hours(self, seconds: Number) -> Number:
        """Return the hours of all devices together."""
        return seconds / 3_600 * self.machine.num_devices


def plan_recipe(
    config: RunConfig,
    machine: PlannedMachine,
    *,
    assumed: PlanAssumptions | None = None,
    model: str | None = None,
    price: Number | None = None,
) -> RecipePlan:
    """Return what a recipe costs; nothing is loaded or written. A CPU is measured for seconds.

    Args:
        config: the recipe.
        machine: what it would run on.
        assumed: lengths and rates that no setting says.
        model: whose sizes are taken; the recipe's if None.
        price: of one device and hour.

    Raises:
        ModelError: the model is neither a folder nor known.
        EngineError: the device asked for is not there.
    """
    assumed = assumed or PlanAssumptions()
    name = model or config.model
    sizes = model_sizes(name)
    rates = rates_of(machine, sizes, config.engine, assumed)
    stages = {stage.name: stage for stage in config.stages}
    planned = []
    for work in expected_work(config, assumed):
        stage = stages.get(work.name) if work.kind != "evaluation" else None
        if work.kind == "merge":
            assert stage is not None
            planned.append(_merge(stage, work, sizes, assumed))
        else:
            planner = _Planner(config, machine, assumed, sizes)
            planned.append(planner.plan(stage, work, rates))
    return RecipePlan(
        recipe=config.recipe,
        model=name,
        sizes=sizes,
        machine=machine,
        use=machine.use(config.engine),
        assumed=assumed,
        stages=tuple(planned),
        price=price,
        notes=tuple(_notes(machine)),
    )


def _notes(machine: PlannedMachine) -> list[str]:
    if machine.kind == "cpu":
        return ["memory is planned for the longest prompts and answers, time for the mean ones"]
    notes = [
        "the rates of GPUs are their makers', the fractions of them assumed: no figure of a GPU "
        "has been measured with this engine",
        "memory is planned for the longest prompts and answers, time for the mean ones",
    ]
    if machine.num_devices > 1:
        notes.append(
            "several GPUs are an estimate of FSDP training and tensor-parallel rollouts that has "
            "never been run here: the local engine uses one; traffic between GPUs is not counted"
        )
    return notes


@dataclass(frozen=True, slots=True)
class _Planner:
    """Plans the stages that call the model."""

    config: RunConfig
    machine: PlannedMachine
    assumed: PlanAssumptions
    sizes: ModelSizes

    def plan(
        self, stage: StageConfig | None, work: ExpectedWork, rates: Callable[[int], Rates]
    ) -> StagePlan:
        """Return a stage; the evaluation has no memory plan: it needs less than training did."""
        needs = recipe_work(self.config, stage) if stage is not None else None
        if needs is None:
            layout, memory, advice = GpuLayout(num_gpus=self.machine.num_devices), None, ""
        else:
            placed = place_stage(self.sizes, self.config.engine, needs, self.machine)
            layout, memory, advice = placed.layout, placed.memory, placed.advice
        use = self._use(layout, memory)
        seconds = stage_seconds(self.sizes, work, use, rates(layout.tensor_parallel))
        busy = sum(seconds.values())
        seconds[REST] = self.assumed.rest_fraction * busy
        if stage is not None:
            seconds[REST] += self._checkpoint_seconds(stage, work)
        return StagePlan(
            work=work,
            operations=stage_operations(self.sizes, work, use),
            seconds=seconds,
            layout=layout,
            memory=memory,
            advice=advice,
        )

    def _use(self, layout: GpuLayout, memory: MemoryPlan | None) -> EngineUse:
        resolved = self.machine.use(self.config.engine)
        cache_tokens = float(resolved.max_cache_tokens)
        if layout.num_gpus > 1:  # a server fills the memory
            copy_bytes = self.sizes.num_weights * resolved.dtype.itemsize
            beside = copy_bytes if memory is None else memory.bytes_beside_caches
            room = self.machine.usable_bytes - beside
            token_bytes = (
                cache_token_bytes(self.sizes, resolved.dtype.itemsize) / layout.tensor_parallel
            )
            cache_tokens = max(1.0, room / token_bytes)
        return EngineUse(
            num_devices=layout.num_gpus,
            num_copies=max(1, layout.num_gpus // layout.tensor_parallel),
            cache_tokens=cache_tokens,
            batch_tokens=resolved.max_batch_tokens,
            has_adapters=self.config.engine.lora is not None,
            recomputes_layers=resolved.recomputes_layers,
            num_trained=self._num_trained,
        )

    @property
    def _num_trained(self) -> int:
        lora = self.config.engine.lora
        return self.sizes.num_adapter_weights(lora) if lora else self.sizes.num_weights

    def _checkpoint_seconds(self, stage: StageConfig, work: ExpectedWork) -> Number:
        trained = stage.training or stage.sft
        if trained is None:
            return 0.0
        dtype = self.machine.use(self.config.engine).dtype
        written = self.sizes.num_weights * dtype.itemsize + self._num_trained * _STATE_BYTES
        number = -(-work.num_steps // trained.checkpoints.every_steps)
        rate = self.assumed.disk_bytes_per_second * self.machine.num_devices
        return number * written / rate


def _merge(
    stage: StageConfig, work: ExpectedWork, sizes: ModelSizes, assumed: PlanAssumptions
) -> StagePlan:
    """Return a merge: every parent and the pivot are read once, the merged model is written."""
    num_models = len(stage.merged_stages) + 2
    num_bytes = num_models * sizes.num_weights * _MERGED_BYTES
    return StagePlan(
        work=work,
        operations=stage_operations(sizes, work, _NO_USE),
        seconds={DISK: num_bytes / assumed.disk_bytes_per_second},
    )


_NO_USE = EngineUse(
    num_devices=1,
    num_copies=1,
    cache_tokens=0,
    batch_tokens=1,
    has_adapters=False,
    recomputes_layers=False,
    num_trained=0,
)
