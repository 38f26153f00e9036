"""What a stage needs of the memory, known from config.json before anything is loaded.

    peak = standing + max(update, rollouts)

Standing are weights and optimizer. An update adds gradients and the activations of the largest
micro-batch; rollouts add the caches. The formulas are those of the functions below; n is the number
of trained weights, e the bytes of a number of the network (4 in fp32, 2 in bf16), N the packed
tokens of the largest micro-batch and A those of them that are answers.

Several accelerators (`GpuLayout`) are planned for as FSDP divides a stage: the standing parts and
the gradients by all of them, one prompt's tokens by none; rollouts have a copy of the weights of
their own, divided by the tensor-parallel degree. That is an estimate: this engine runs on one.

What it leaves out: gaps that the allocator cannot use, and what torch has taken before the engine
starts. `benchmarks/memory_plan.py` compares it with what is measured on CPU; figures for CUDA have
not been measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from longloom.engines.local_config import LocalEngineConfig
from longloom.engines.machine import DeviceKind, MachineUse, resolve
from longloom.engines.memory_advice import suggestions
from longloom.engines.micro_batches import largest_micro_batch
from longloom.engines.model_sizes import ModelSizes, read_sizes
from longloom.engines.token_bytes import (
    FP32,
    cache_token_bytes,
    last_layer_bytes,
    layer_token_bytes,
    working_token_bytes,
)
from longloom.errors import EngineError
from longloom.models.prefill import PASS_TOKENS
from longloom.records import TrainingSequence

_HEAD_TILE_BYTES = {"cpu": 16 << 20, "cuda": 512 << 20}
"""Two tiles of logits: what the head has beside inputs and gradients (`models.logprob_head`)."""
_LIBRARY_BYTES = {"cpu": 105_000_000, "cuda": 0}
"""In the main memory, measured: 80 MB that torch loads with its first optimizer, and what the heap
keeps of rollouts."""
_GB = 1e9
_DIVIDED = (
    "weights", "master weights", "optimizer moments", "reference", "gradients",
)  # fmt: skip
"""Parts of which each accelerator of several holds its share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageWork:
    """What a stage asks of the engine."""

    max_prompt_tokens: int
    """Longest prompt."""
    max_response_tokens: int
    """Longest answer."""
    group_size: int
    """G, answers to a prompt; 1 in supervised fine-tuning."""
    num_prompts: int
    """P, prompts of a step."""
    has_reference: bool = False
    """Whether the loss has a KL term."""
    has_rollouts: bool = True
    """Whether the stage samples; supervised fine-tuning does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuLayout:
    """How a stage is divided among accelerators; one of them by default."""

    num_gpus: int = 1
    """Those that train together, each on its share of a step's prompts."""
    is_sharded: bool = True
    """Whether each holds a share of weights, gradients and optimizer, not all of them."""
    tensor_parallel: int = 1
    """Those that hold one copy of the network in rollouts."""

    @property
    def is_divided(self) -> bool:
        """Whether there are shares at all."""
        return self.is_sharded and self.num_gpus > 1


ONE_DEVICE = GpuLayout()
"""What the local engine runs on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPart:
    """One line of the plan."""

    name: str
    """What is kept."""
    num_bytes: int
    """How much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """The memory of one stage on the device that trains."""

    use: MachineUse
    """How the machine is used."""
    standing: tuple[MemoryPart, ...]
    """What is there all the time."""
    update: tuple[MemoryPart, ...]
    """What an update adds."""
    rollouts: tuple[MemoryPart, ...]
    """What rollouts add."""
    micro_batch_tokens: int
    """N."""
    suggestions: tuple[tuple[str, int], ...]
    """Settings to change, each with the peak it would leave; the least intrusive first."""

    @property
    def peak_bytes(self) -> int:
        """The most that is needed at once."""
        return _total(self.standing) + max(_total(self.update), _total(self.rollouts))

    @property
    def rollout_bytes(self) -> int:
        """The most that rollouts need at once."""
        return _total(self.standing) + _total(self.rollouts)

    @property
    def bytes_beside_caches(self) -> int:
        """What rollouts need without the caches."""
        beside = [part for part in self.rollouts if part.name != "caches"]
        return _total(self.standing) + _total(beside)

    @property
    def binding(self) -> str:
        """Which phase and which part of it decide the peak."""
        is_update = _total(self.update) >= _total(self.rollouts)
        phase, parts = ("update", self.update) if is_update else ("rollouts", self.rollouts)
        largest = max((*self.standing, *parts), key=lambda part: part.num_bytes)
        return f"{phase}; the largest part is {largest.name}"

    def lines(self) -> list[str]:
        """Return the plan as a table in GB."""
        rows = [
            f"memory plan ({self.use.device.type}, {str(self.use.dtype).removeprefix('torch.')})"
        ]
        for title, parts in (
            ("standing", self.standing),
            ("update", self.update),
            ("rollouts", self.rollouts),
        ):
            rows += [_line(title, part.name, part.num_bytes) for part in parts]
        rows.append(_line("peak", self.binding, self.peak_bytes))
        return rows

    def check(self, available_bytes: int) -> None:
        """Refuse a stage that does not fit.

        Raises:
            EngineError: the peak is above `available_bytes`; says what to lower and by how much.
        """
        if self.peak_bytes <= available_bytes:
            return
        raise EngineError(
            f"the stage needs {_gb(self.peak_bytes)} and {_gb(available_bytes)} are free "
            f"(bound by {self.binding}); {self.advice(available_bytes)}"
        )

    def advice(self, available_bytes: int) -> str:
        """Return what to change so that the peak is at most `available_bytes`."""
        for change, peak_bytes in self.suggestions:
            if peak_bytes <= available_bytes:
                return f"{change} (then {_gb(peak_bytes)})"
        lowest = min(self.suggestions, key=lambda entry: entry[1], default=None)
        if lowest is None or lowest[1] >= self.peak_bytes:
            return "take a smaller model, shorter prompts or a larger machine"
        return (
            f"no setting suffices ({lowest[0]} would need {_gb(lowest[1])}); take a smaller model, "
            "shorter prompts or a larger machine"
        )


def plan_memory(folder: Path, config: LocalEngineConfig, work: StageWork) -> MemoryPlan:
    """Return what a stage needs of the memory; reads config.json alone.

    Raises:
        ModelError: config.json is missing, damaged or lacks a size.
        EngineError: the device asked for is not there.
    """
    return plan_memory_of(read_sizes(folder), config, work)


def plan_memory_of(
    sizes: ModelSizes,
    config: LocalEngineConfig,
    work: StageWork,
    *,
    planned: DeviceKind | None = None,
    layout: GpuLayout = ONE_DEVICE,
) -> MemoryPlan:
    """Return what a stage needs of the memory of each device.

    Args:
        sizes: of the network.
        config: how the engine uses the machine.
        work: what the stage asks.
        planned: the kind of device to plan for; None is what is there.
        layout: how the stage is divided.

    Raises:
        EngineError: the device asked for is not there.
    """
    plan = _plan(sizes, config, work, planned, layout)

    def peak_bytes(changed: LocalEngineConfig) -> int:
        return _plan(sizes, changed, work, planned, layout).peak_bytes

    return MemoryPlan(
        use=plan.use,
        standing=plan.standing,
        update=plan.update,
        rollouts=plan.rollouts,
        micro_batch_tokens=plan.micro_batch_tokens,
        suggestions=tuple(suggestions(config, plan.use, peak_bytes)),
    )


def work_of(sequences: Sequence[TrainingSequence]) -> StageWork:
    """Return the work of an update over these sequences."""
    num_prompts = len({sequence.prompt_ids for sequence in sequences})
    return StageWork(
        max_prompt_tokens=max(len(sequence.prompt_ids) for sequence in sequences),
        max_response_tokens=max(len(sequence.response_ids) for sequence in sequences),
        group_size=-(-len(sequences) // num_prompts),
        num_prompts=num_prompts,
        has_rollouts=False,
    )


def _plan(
    sizes: ModelSizes,
    config: LocalEngineConfig,
    work: StageWork,
    planned: DeviceKind | None,
    layout: GpuLayout,
) -> MemoryPlan:
    use = resolve(config, planned=planned)
    context_tokens, answer_tokens = largest_micro_batch(
        max_prompt_tokens=work.max_prompt_tokens,
        max_response_tokens=work.max_response_tokens,
        group_size=work.group_size,
        num_prompts=-(-work.num_prompts // layout.num_gpus),
        max_tokens=use.max_batch_tokens,
    )
    standing = _standing(sizes, config, use, has_reference=work.has_reference)
    update = _update(sizes, config, use, context_tokens + answer_tokens, answer_tokens)
    rollouts = _rollouts(sizes, use, work, layout) if work.has_rollouts else ()
    if layout.is_divided:
        standing = _divided(standing, layout.num_gpus)
        update = (*_divided(update, layout.num_gpus), *_gathered(sizes, use))
    return MemoryPlan(
        use=use,
        standing=standing,
        update=update,
        rollouts=rollouts,
        micro_batch_tokens=context_tokens + answer_tokens,
        suggestions=(),
    )


def _standing(
    sizes: ModelSizes, config: LocalEngineConfig, use: MachineUse, *, has_reference: bool
) -> tuple[MemoryPart, ...]:
    """Weights e each; of the n trained: two moments 8 n, and masters 4 n if e is not 4.

    The reference is a second network, but with adapters it is the network without them.
    """
    num_bytes = use.dtype.itemsize
    adapters = sizes.num_adapter_weights(config.lora) if config.lora else 0
    num_trained = adapters or sizes.num_weights
    return _parts(
        ("weights", (sizes.num_weights + adapters) * num_bytes),
        ("master weights", 0 if num_bytes == FP32 else num_trained * FP32),
        ("optimizer moments", num_trained * 2 * FP32),
        ("reference", sizes.num_weights * num_bytes if has_reference and not adapters else 0),
        ("libraries", _LIBRARY_BYTES[use.device.type]),
    )


def _update(
    sizes: ModelSizes, config: LocalEngineConfig, use: MachineUse, tokens: int, answers: int
) -> tuple[MemoryPart, ...]:
    """Gradients 4 n, one matrix's in transit, activations, and the larger of head and layer.

    With checkpointing the inputs of all layers are kept, and one layer as a whole. Offloaded
    activations are in the main memory; on CPU that is the same.
    """
    num_bytes = use.dtype.itemsize
    adapters = sizes.num_adapter_weights(config.lora) if config.lora else 0
    layer = tokens * layer_token_bytes(sizes, num_bytes)
    inputs = sizes.num_layers * tokens * sizes.hidden_size * num_bytes
    whole = (sizes.num_layers - 1) * layer + last_layer_bytes(sizes, num_bytes, tokens, answers)
    is_elsewhere = config.activation_offload and use.device.type == "cuda"
    kept = inputs + layer if use.recomputes_layers else whole
    if is_elsewhere:
        kept = layer
    working = tokens * working_token_bytes(sizes, num_bytes)
    in_transit = 0 if adapters else sizes.embedding_weights * num_bytes
    return _parts(
        ("gradients", (adapters or sizes.num_weights) * FP32),
        ("gradients in transit", in_transit),
        ("activations", kept),
        ("computation", max(working, _HEAD_TILE_BYTES[use.device.type])),
    )


def _divided(parts: Sequence[MemoryPart], num_gpus: int) -> tuple[MemoryPart, ...]:
    """Return what each accelerator holds: parts that follow the weights are divided."""
    return tuple(
        MemoryPart(name=part.name, num_bytes=-(-part.num_bytes // num_gpus))
        if part.name in _DIVIDED
        else part
        for part in parts
    )


def _gathered(sizes: ModelSizes, use: MachineUse) -> tuple[MemoryPart, ...]:
    """Return the whole weights of two layers, one of them fetched ahead, and of the output."""
    num_matrices = 1 if sizes.is_tied else 2
    layer = (sizes.num_weights - num_matrices * sizes.embedding_weights) // sizes.num_layers
    num_bytes = (2 * layer + sizes.embedding_weights) * use.dtype.itemsize
    return _parts(("gathered weights", num_bytes))


def _rollouts(
    sizes: ModelSizes, use: MachineUse, work: StageWork, layout: GpuLayout
) -> tuple[MemoryPart, ...]:
    """Caches of 2 K d e per token and layer, and what a pass or a step needs for a moment.

    A pass over prompts is like a layer's forward pass over up to 4,096 tokens. A step scores every
    cached prompt token with the G answers of its group (three times, in fp32), and forms logits
    (16 bytes per word: fp32 twice, and sums in fp64). Where half types are not multiplied into
    fp32 (on CPU), the output matrix is there in fp32 too.
    """
    num_bytes = use.dtype.itemsize
    group_tokens = work.max_prompt_tokens + work.group_size * work.max_response_tokens
    one_tokens = work.max_prompt_tokens + work.max_response_tokens
    degree = layout.tensor_parallel
    num_prompts = -(-work.num_prompts * degree // layout.num_gpus)  # of one copy of the network
    cached_tokens = min(max(use.max_cache_tokens, one_tokens), num_prompts * group_tokens)
    prompt_tokens = min(cached_tokens, num_prompts * work.max_prompt_tokens)
    pass_tokens = min(PASS_TOKENS, prompt_tokens)
    pass_bytes = pass_tokens * working_token_bytes(sizes, num_bytes)
    rows = num_prompts * work.group_size
    step_bytes = 3 * FP32 * work.group_size * prompt_tokens * sizes.num_heads
    step_bytes += 16 * rows * sizes.vocab_size
    is_widened = use.device.type == "cpu" and num_bytes < FP32
    cache_bytes = cached_tokens * cache_token_bytes(sizes, num_bytes)
    copy_bytes = sizes.num_weights * num_bytes if layout.is_divided else 0
    return _parts(
        ("weights for rollouts", copy_bytes // degree),
        ("caches", cache_bytes // degree),
        ("computation", max(pass_bytes, step_bytes) // degree),
        ("output matrix in fp32", sizes.embedding_weights * FP32 if is_widened else 0),
    )


def _parts(*entries: tuple[str, int]) -> tuple[MemoryPart, ...]:
    return tuple(MemoryPart(name=name, num_bytes=size) for name, size in entries if size)


def _total(parts: Sequence[MemoryPart]) -> int:
    return sum(part.num_bytes for part in parts)


def _line(title: str, name: str, num_bytes: int) -> str:
    return f"  {title:<9} {name:<54} {num_bytes / _GB:>9.3f} GB"


def _gb(num_bytes: int) -> str:
    return f"{num_bytes / _GB:.2f} GB"
