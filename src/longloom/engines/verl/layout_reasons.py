"""The arithmetic of a layout, as one line for each of its numbers."""

from typing import Protocol

from longloom.engines.model_sizes import ModelSizes
from longloom.engines.token_bytes import cache_token_bytes
from longloom.engines.verl.cluster_config import ClusterConfig
from longloom.engines.verl.cluster_layout import ClusterLayout, StageLengths
from longloom.engines.verl.layout_bytes import (
    BF16,
    LARGEST_FRACTION,
    LEAST_SEQUENCES,
    RESERVED_BYTES,
    RESIDENT_BYTES,
    USABLE_FRACTION,
    token_bytes,
)

_LOADED_BYTES = 4


class Need(Protocol):
    """Bytes that an update needs of each GPU."""

    @property
    def resident(self) -> int:
        """What stays between updates."""

    @property
    def passing(self) -> int:
        """Gradients and what is gathered."""

    @property
    def activations(self) -> int:
        """A micro-batch."""

    @property
    def total(self) -> int:
        """All of them."""


def written_gb(num_bytes: int | float) -> str:
    """Return bytes as 10^9 with one decimal."""
    return f"{num_bytes / 1e9:.1f} GB"


def update_reasons(
    sizes: ModelSizes, lengths: StageLengths, layout: ClusterLayout, need: Need, usable: float
) -> dict[str, str]:
    """Return the arithmetic of the numbers of an update, by the layout's names."""
    row, degree = lengths.row_tokens, layout.sequence_parallel
    kept = token_bytes(sizes).kept * row
    num_rows = layout.update_tokens_per_gpu * degree // row
    parts = layout.data_parallel
    shares = "" if lengths.samples else f"; {lengths.num_prompts:,} rows a batch / {parts} groups"
    reasons = {
        "sequence_parallel": (
            f"{row:,} tokens x {sizes.num_layers} layers x {sizes.hidden_size:,} x {BF16} B = "
            f"{written_gb(kept)} of kept layer inputs; / {degree} = {written_gb(kept / degree)}"
            f"{shares}"
        ),
        "update_tokens_per_gpu": (
            f"{num_rows} x {row:,} / {degree}: states {written_gb(need.resident)} + gradients and "
            f"gathered {written_gb(need.passing)} + activations {written_gb(need.activations)} = "
            f"{written_gb(need.total)} of {written_gb(usable)}"
        ),
        "logprob_tokens_per_gpu": (
            f"{layout.logprob_tokens_per_gpu * degree // row} x {row:,} / {degree}: without a "
            "backward pass nothing is kept"
        ),
        "offload": _offload_reason(sizes, layout),
    }
    if layout.megatron is not None:
        reasons["megatron"] = _megatron_reason(sizes, layout)
    return reasons


def rollout_reasons(
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
            f"caches of {layout.cache_tokens:,} tokens / half of the longest row of {row:,}; a "
            f"step has {lengths.num_prompts} x {lengths.group_size} rows over "
            f"{cluster.num_gpus // degree} copies; at most 256"
        ),
        "max_batched_tokens": (
            f"a pass over {layout.max_batched_tokens:,} tokens is bound by arithmetic already"
        ),
        "num_workers": f"8 for each of {layout.num_nodes} nodes, at most one a prompt",
    }


def _offload_reason(sizes: ModelSizes, layout: ClusterLayout) -> str:
    weights, gpus = sizes.num_weights, layout.num_gpus
    if layout.offload == "none":
        divided = written_gb(RESIDENT_BYTES * weights / gpus)
        return f"{weights:,} weights x {RESIDENT_BYTES} B / {gpus} = {divided} stay on each GPU"
    num_bytes = 16 if layout.offload == "always" else RESIDENT_BYTES
    node = written_gb(num_bytes * weights / layout.num_nodes)
    when = "also in updates" if layout.offload == "always" else "while the model samples"
    return (
        f"does not fit without: {weights:,} weights x {num_bytes} B / {layout.num_nodes} = {node} "
        f"of each node's main memory {when}"
    )


def _megatron_reason(sizes: ModelSizes, layout: ClusterLayout) -> str:
    megatron = layout.megatron
    assert megatron is not None
    return (
        f"bf16 and gradients {sizes.num_weights:,} x 6 B / (tensor {megatron.tensor_parallel} x "
        f"pipeline {megatron.pipeline_parallel}, experts / {megatron.expert_parallel}); optimizer "
        f"x {RESIDENT_BYTES} B / {layout.num_gpus}"
    )
