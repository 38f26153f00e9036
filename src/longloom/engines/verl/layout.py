"""How a stage is laid out over a cluster, each number with its arithmetic.

    update     smallest degree of sequence parallelism with which the longest row fits each GPU,
               states on the GPUs; if none does, states in the main memory
    rollouts   smallest degree of tensor parallelism with which a copy of the network and the caches
               of a few of the longest rows fit beside the states; if none does, states leave the
               GPUs while the model samples
    budgets    as many of the longest rows in a micro-batch as fit, at most a few

Both degrees are powers of two and stay within a node: their traffic is too much for a network.
`layout_bytes` has the bytes, `megatron_layout` the degrees of that backend. All of it is arithmetic
about GPUs on which nothing of this has been run.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from longloom.engines.local_config import LoraConfig
from longloom.engines.model_sizes import ModelSizes
from longloom.engines.token_bytes import cache_token_bytes
from longloom.engines.verl.cluster_config import ClusterConfig
from longloom.engines.verl.cluster_layout import (
    ClusterLayout,
    MegatronLayout,
    Offload,
    StageLengths,
)
from longloom.engines.verl.layout_bytes import (
    BF16,
    LARGEST_FRACTION,
    LEAST_SEQUENCES,
    RESERVED_BYTES,
    SERVER_BYTES,
    USABLE_FRACTION,
    activation_bytes,
    gathered_bytes,
    gradient_bytes,
    resident_bytes,
)
from longloom.engines.verl.layout_degrees import gpus_of_a_node, sequence_degrees, tensor_degrees
from longloom.engines.verl.layout_reasons import rollout_reasons, update_reasons
from longloom.engines.verl.megatron_layout import megatron_layouts, megatron_need
from longloom.errors import ConfigError, EngineError

MOST_ROWS = 4
"""The longest rows in a micro-batch: beyond these, larger ones save nothing that counts."""
BATCHED_TOKENS = 8_192
"""Of one pass over prompts: enough to be bound by arithmetic, and verl's default."""
_MOST_GPUS = 4_096
_CPU_ROWS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateNeed:
    """What an update needs of each GPU."""

    resident: int
    """Bytes that stay between updates, if they stay."""
    passing: int
    """Bytes of gradients and of what is gathered."""
    activations: int
    """Bytes of the micro-batch."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.resident + self.passing + self.activations


def plan_layout(
    sizes: ModelSizes,
    cluster: ClusterConfig,
    lengths: StageLengths,
    *,
    lora: LoraConfig | None = None,
) -> ClusterLayout:
    """Return how a stage is divided among the GPUs of a cluster, and why.

    Raises:
        ConfigError: settings of the cluster contradict each other or the stage.
        EngineError: it does not fit; says how many GPUs would do.
    """
    _check(cluster, lora)
    if cluster.device == "cpu":
        return _on_cpu(cluster, lengths)
    found = _fitting(sizes, cluster, lengths, lora)
    if found is None:
        raise EngineError(
            f"a row of {lengths.row_tokens:,} tokens does not fit {cluster.num_gpus} GPUs of "
            f"{cluster.gpu_memory_gb:g} GB with {cluster.train_backend}; "
            f"{_advice(sizes, cluster, lengths, lora)}"
        )
    if cluster.shares_prompts and found.sequence_parallel > 1:
        raise ConfigError(
            f"cluster.shares_prompts needs whole sequences on a GPU, but a row of "
            f"{lengths.row_tokens:,} tokens has to be divided by {found.sequence_parallel}; turn "
            "it off, or take shorter rows or larger GPUs"
        )
    return found


def usable_bytes(cluster: ClusterConfig) -> float:
    """Return what of a GPU's memory a stage can fill."""
    return USABLE_FRACTION * cluster.gpu_memory_gb * 1e9 - RESERVED_BYTES


def _check(cluster: ClusterConfig, lora: LoraConfig | None) -> None:
    if cluster.train_backend != "megatron":
        return
    wrong = {
        "device is cpu": cluster.device == "cpu",
        "shares_prompts is on": cluster.shares_prompts,
        "adapters are trained (engine.lora)": lora is not None,
    }
    for what, is_wrong in wrong.items():
        if is_wrong:
            raise ConfigError(
                f"cluster.train_backend is megatron and {what}; expected fsdp2 for that: set "
                "cluster.train_backend=fsdp2"
            )


def _fitting(
    sizes: ModelSizes, cluster: ClusterConfig, lengths: StageLengths, lora: LoraConfig | None
) -> ClusterLayout | None:
    """Return the first way of dividing the update that fits, with rollouts beside it."""
    usable = usable_bytes(cluster)
    for degree, megatron, offload in _candidates(sizes, cluster, lengths):
        row = -(-lengths.row_tokens // degree)
        needs = [
            _need(sizes, cluster, lora, (megatron, offload), count * row)
            for count in range(1, MOST_ROWS + 1)
        ]
        num_rows = sum(need.total <= usable for need in needs)
        if not num_rows:
            continue
        plan = _UpdatePlan(
            degree=degree,
            megatron=megatron,
            offload=offload,
            row_tokens=row,
            num_rows=num_rows,
            need=needs[num_rows - 1],
        )
        found = _with_rollouts(sizes, cluster, lengths, plan)
        if found is not None:
            return found
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _UpdatePlan:
    """An update that fits."""

    degree: int
    megatron: MegatronLayout | None
    offload: Offload
    row_tokens: int
    num_rows: int
    need: UpdateNeed


def _candidates(
    sizes: ModelSizes, cluster: ClusterConfig, lengths: StageLengths
) -> Iterator[tuple[int, MegatronLayout | None, Offload]]:
    """Yield degrees of dividing a sequence with where the states are, the cheapest first."""
    if cluster.train_backend == "megatron":
        for megatron in megatron_layouts(sizes, cluster):
            yield megatron.context_parallel, megatron, "none"
        return
    offloads: tuple[Offload, ...] = ("none", "always")
    for offload in offloads:
        for degree in _degrees(sizes, cluster, lengths):
            yield degree, None, offload


def _degrees(sizes: ModelSizes, cluster: ClusterConfig, lengths: StageLengths) -> list[int]:
    """Return the degrees of dividing a sequence; where only given rows are learned, even ones.

    verl's fine-tuning gives every group of GPUs that shares its sequences as many rows of a batch.
    With rollouts the trainer fills the batch up itself.
    """
    degrees = sequence_degrees(sizes, cluster)
    if lengths.samples:
        return degrees
    batch, gpus = lengths.num_prompts, cluster.num_gpus
    return [degree for degree in degrees if batch % (gpus // degree) == 0] or degrees


def _need(
    sizes: ModelSizes,
    cluster: ClusterConfig,
    lora: LoraConfig | None,
    how: tuple[MegatronLayout | None, Offload],
    num_tokens: int,
) -> UpdateNeed:
    megatron, offload = how
    if megatron is not None:
        resident, passing, activations = megatron_need(
            sizes, megatron, cluster.num_gpus, num_tokens
        )
        return UpdateNeed(resident=resident, passing=passing, activations=activations)
    is_here = offload != "always"
    resident = resident_bytes(sizes, lora, cluster.num_gpus) if is_here else 0
    gradients = gradient_bytes(sizes, lora, cluster.num_gpus) if is_here else 0
    return UpdateNeed(
        resident=resident,
        passing=gradients + gathered_bytes(sizes),
        activations=activation_bytes(sizes, num_tokens, is_update=True),
    )


def _with_rollouts(
    sizes: ModelSizes, cluster: ClusterConfig, lengths: StageLengths, plan: _UpdatePlan
) -> ClusterLayout | None:
    """Return the layout with the smallest copy of the network that samples beside the states."""
    if not lengths.samples:
        return _layout(sizes, cluster, lengths, plan, (1, 0.0, 0))
    offloads: list[Offload] = ["none", "between_phases"]
    if plan.offload == "always":
        offloads = ["always"]
    for offload in offloads:
        resident = plan.need.resident if offload == "none" else 0
        room = usable_bytes(cluster) - resident
        fraction = min(LARGEST_FRACTION, int(room / cluster.gpu_memory_gb / 1e7) / 100)
        for degree in tensor_degrees(sizes, cluster):
            tokens = _cache_tokens(sizes, cluster, fraction, degree)
            if tokens >= LEAST_SEQUENCES * lengths.row_tokens:
                moved = replace(plan, offload=offload)
                return _layout(sizes, cluster, lengths, moved, (degree, fraction, tokens))
    return None


def _cache_tokens(sizes: ModelSizes, cluster: ClusterConfig, fraction: float, degree: int) -> int:
    """Return the tokens that the caches of one copy over `degree` GPUs hold."""
    room = degree * (fraction * cluster.gpu_memory_gb * 1e9 - SERVER_BYTES)
    return int((room - BF16 * sizes.num_weights) // cache_token_bytes(sizes, BF16))


def _layout(
    sizes: ModelSizes,
    cluster: ClusterConfig,
    lengths: StageLengths,
    plan: _UpdatePlan,
    rollouts: tuple[int, float, int],
) -> ClusterLayout:
    degree, fraction, cache_tokens = rollouts
    num_copies = cluster.num_gpus // degree
    rows_of_copy = -(-lengths.num_prompts * lengths.group_size // num_copies)
    halves = 2 * cache_tokens // lengths.row_tokens
    logprob_rows = _logprob_rows(sizes, cluster, plan)
    workers = min(lengths.num_prompts, 8 * cluster.num_nodes)
    layout = ClusterLayout(
        num_nodes=cluster.num_nodes,
        gpus_per_node=gpus_of_a_node(cluster),
        sequence_parallel=plan.degree,
        update_tokens_per_gpu=plan.num_rows * plan.row_tokens,
        logprob_tokens_per_gpu=logprob_rows * plan.row_tokens,
        offload=plan.offload,
        rollout_tensor_parallel=degree,
        rollout_memory_fraction=fraction,
        max_batched_tokens=BATCHED_TOKENS,
        max_sequences=max(1, min(halves, rows_of_copy, 256)),
        num_workers=workers,
        megatron=plan.megatron,
        update_bytes=plan.need.total,
        cache_tokens=cache_tokens,
        reasons={},
    )
    reasons = update_reasons(sizes, lengths, layout, plan.need, usable_bytes(cluster))
    reasons |= rollout_reasons(sizes, cluster, lengths, layout, plan.need.resident)
    return replace(layout, reasons=reasons)


def _logprob_rows(sizes: ModelSizes, cluster: ClusterConfig, plan: _UpdatePlan) -> int:
    """Return the longest rows of a micro-batch without a backward pass: up to twice as many."""
    if plan.megatron is not None:
        return plan.num_rows
    standing = plan.need.resident + gathered_bytes(sizes)
    rows = plan.num_rows
    for count in range(plan.num_rows + 1, 2 * plan.num_rows + 1):
        tokens = activation_bytes(sizes, count * plan.row_tokens, is_update=False)
        if standing + tokens <= usable_bytes(cluster):
            rows = count
    return rows


def _advice(
    sizes: ModelSizes, cluster: ClusterConfig, lengths: StageLengths, lora: LoraConfig | None
) -> str:
    """Return what would make it fit."""
    num_gpus = 2 * cluster.num_gpus
    while num_gpus <= _MOST_GPUS:
        if num_gpus <= cluster.gpus_per_node or num_gpus % cluster.gpus_per_node == 0:
            wider = cluster.replace(num_gpus=num_gpus)
            if _fitting(sizes, wider, lengths, lora) is not None:
                return f"it takes at least {num_gpus} of them: set cluster.num_gpus={num_gpus}"
        num_gpus *= 2
    return "no number of them suffices: take larger GPUs, shorter rows or a smaller model"


def _on_cpu(cluster: ClusterConfig, lengths: StageLengths) -> ClusterLayout:
    """Return the layout on processes of one machine: nothing is divided but the rows."""
    tokens = _CPU_ROWS * lengths.row_tokens
    return ClusterLayout(
        num_nodes=1,
        gpus_per_node=cluster.num_gpus,
        sequence_parallel=1,
        update_tokens_per_gpu=tokens,
        logprob_tokens_per_gpu=tokens,
        offload="none",
        rollout_tensor_parallel=1,
        rollout_memory_fraction=0.5,
        max_batched_tokens=BATCHED_TOKENS,
        max_sequences=256,
        num_workers=1,
        megatron=None,
        update_bytes=0,
        cache_tokens=0,
        reasons={
            "update_tokens_per_gpu": f"{_CPU_ROWS} of the longest rows, of {lengths.row_tokens:,}",
        },
    )
