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
from dataclasses import dataclass

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
    activation_bytes,
    gathered_bytes,
    gradient_bytes,
    resident_bytes,
)
from longloom.engines.verl.layout_reasons import update_reasons, written_gb
from longloom.engines.verl.megatron_layout import megatron_layouts, megatron_need
from longloom.errors import ConfigError, EngineError

USABLE_FRACTION = 0.92
"""Part of a GPU's memory that can be filled: the rest is the driver's and lost in gaps; assumed, as
in `longloom plan`."""
RESERVED_BYTES = 4_000_000_000
"""Kept free: CUDA contexts of trainer and server, NCCL's buffers, what a sleeping server keeps;
assumed."""
SERVER_BYTES = 3_000_000_000
"""What a server needs beside weights and caches: a pass, logits of a step, CUDA graphs; assumed."""
LARGEST_FRACTION = 0.85
"""More of a GPU is not given to the server."""
LEAST_SEQUENCES = 4
"""Of the longest rows, that a copy should hold at once: weights are read once for all of them."""
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
            f"{lengths.row_tokens:,} tokens has to be divided by {found.sequence_parallel}; turn it "
            "off, or take shorter rows or larger GPUs"
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
    for degree, megatron, offload in _candidates(sizes, cluster):
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
    sizes: ModelSizes, cluster: ClusterConfig
) -> Iterator[tuple[int, MegatronLayout | None, Offload]]:
    """Yield degrees of dividing a sequence with where the states are, the cheapest first."""
    if cluster.train_backend == "megatron":
        for megatron in megatron_layouts(sizes, cluster):
            yield megatron.context_parallel, megatron, "none"
        return
    offloads: tuple[Offload, ...] = ("none", "always")
    for offload in offloads:
        for degree in _sequence_degrees(sizes, cluster):
            yield degree, None, offload


def _sequence_degrees(sizes: ModelSizes, cluster: ClusterConfig) -> list[int]:
    """Return the degrees that verl's Ulysses takes, within a node and dividing the GPUs.

    It wants query heads divisible by the degree, and one of degree and key heads by the other
    (`apply_monkey_patch`).
    """
    return [
        degree
        for degree in powers_of_two(gpus_of_a_node(cluster))
        if sizes.num_heads % degree == 0
        and (num_key_heads(sizes) % degree == 0 or degree % num_key_heads(sizes) == 0)
    ]


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
        for degree in _tensor_degrees(sizes, cluster):
            tokens = _cache_tokens(sizes, cluster, fraction, degree)
            if tokens >= LEAST_SEQUENCES * lengths.row_tokens:
                moved = _UpdatePlan(
                    degree=plan.degree,
                    megatron=plan.megatron,
                    offload=offload,
                    row_tokens=plan.row_tokens,
                    num_rows=plan.num_rows,
                    need=plan.need,
                )
                return _layout(sizes, cluster, lengths, moved, (degree, fraction, tokens))
    return None


def _cache_tokens(sizes: ModelSizes, cluster: ClusterConfig, fraction: float, degree: int) -> int:
    """Return the tokens that the caches of one copy over `degree` GPUs hold."""
    room = degree * (fraction * cluster.gpu_memory_gb * 1e9 - SERVER_BYTES)
    return int((room - BF16 * sizes.num_weights) // cache_token_bytes(sizes, BF16))


def _tensor_degrees(sizes: ModelSizes, cluster: ClusterConfig) -> list[int]:
    """Return the degrees that divide the key heads, within a node."""
    return [
        degree
        for degree in powers_of_two(gpus_of_a_node(cluster))
        if num_key_heads(sizes) % degree == 0
    ]


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
    reasons |= _rollout_reasons(sizes, cluster, lengths, layout, plan.need.resident)
    return _replaced(layout, reasons)


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


def _rollout_reasons(
    sizes: ModelSizes,
    cluster: ClusterConfig,
    lengths: StageLengths,
    layout: ClusterLayout,
    resident: int,
) -> dict[str, str]:
    """Return the arithmetic of the numbers of rollouts, by the layout's names."""
    if not lengths.samples:
        return {}
    degree, memory = layout.rollout_tensor_parallel, cluster.gpu_memory_gb
    weights, cache = BF16 * sizes.num_weights, cache_token_bytes(sizes, BF16)
    kept = f" - states {written_gb(resident)}" if layout.offload == "none" else ""
    row = lengths.row_tokens
    return {
        "rollout_tensor_parallel": (
            f"weights {sizes.num_weights:,} x 2 B = {written_gb(weights)} / {degree}; caches "
            f"{layout.cache_tokens:,} tokens x {cache:,} B / {degree} = "
            f"{written_gb(layout.cache_tokens * cache / degree)}: {layout.cache_tokens / row:.1f} "
            f"of the longest rows, wanted {LEAST_SEQUENCES}"
        ),
        "rollout_memory_fraction": (
            f"({USABLE_FRACTION} x {memory:g} GB - {written_gb(RESERVED_BYTES)} of contexts and "
            f"buffers{kept}) / {memory:g} GB, at most {LARGEST_FRACTION}"
        ),
        "max_sequences": (
            f"caches of {layout.cache_tokens:,} tokens / half of the longest row of {row:,}; a step "
            f"has {lengths.num_prompts} x {lengths.group_size} rows over "
            f"{cluster.num_gpus // degree} copies; at most 256"
        ),
        "max_batched_tokens": (
            f"a pass over {layout.max_batched_tokens:,} tokens is bound by arithmetic already"
        ),
        "num_workers": f"8 for each of {layout.num_nodes} nodes, at most one a prompt",
    }


def _replaced(layout: ClusterLayout, reasons: dict[str, str]) -> ClusterLayout:
    fields = {name: getattr(layout, name) for name in ClusterLayout.__dataclass_fields__}
    return ClusterLayout(**{**fields, "reasons": reasons})


def _advice(
    sizes: ModelSizes, cluster: ClusterConfig, lengths: StageLengths, lora: LoraConfig | None
) -> str:
    """Return what would make it fit."""
    num_gpus = 2 * cluster.num_gpus
    while num_gpus <= _MOST_GPUS:
        # A node that is not full is filled first; then there are more nodes.
        per_node = max(cluster.gpus_per_node, 1)
        is_whole = num_gpus <= per_node or num_gpus % per_node == 0
        if is_whole:
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


def num_key_heads(sizes: ModelSizes) -> int:
    """Return the heads that keys and values have."""
    return sizes.key_width * sizes.num_heads // sizes.query_width


def gpus_of_a_node(cluster: ClusterConfig) -> int:
    """Return the GPUs of each node that train."""
    return cluster.num_gpus // cluster.num_nodes


def powers_of_two(most: int) -> list[int]:
    """Return the powers of two that divide `most`."""
    return [1 << place for place in range(most.bit_length()) if most % (1 << place) == 0]
