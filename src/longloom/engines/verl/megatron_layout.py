"""Megatron's degrees for a stage, and what they need of each GPU.

Weights in bf16 and gradients in fp32, 6 bytes a weight, are divided by tensor, pipeline and expert
parallelism; fp32 weights and moments, 12 bytes, by all GPUs (the distributed optimizer). Layers are
computed again going back, so their inputs are kept, divided by context and tensor parallelism.
Never run by us.
"""

from longloom.engines.model_sizes import ModelSizes
from longloom.engines.verl.cluster_config import ClusterConfig
from longloom.engines.verl.cluster_layout import MegatronLayout
from longloom.engines.verl.layout_bytes import (
    RESIDENT_BYTES,
    expert_weights,
    head_bytes,
    token_bytes,
)
from longloom.engines.verl.layout_degrees import gpus_of_a_node, num_key_heads, powers_of_two

_SHARD_BYTES = 6
"""Of a weight on the GPUs that compute it: bf16 2, gradient in fp32 4."""
_PIPELINES = (1, 2, 4)


def megatron_layouts(sizes: ModelSizes, cluster: ClusterConfig) -> list[MegatronLayout]:
    """Return the degrees that suit network and cluster, the least divided first.

    Tensor parallelism divides the key heads and stays, with the experts', within a node; the
    pipeline divides the layers. Among equally divided ones, context parallelism comes first: it
    divides what long rows cost, and sends the least.
    """
    gpus, per_node = cluster.num_gpus, gpus_of_a_node(cluster)
    powers = powers_of_two(per_node)
    experts = max([power for power in powers if sizes.num_experts % power == 0])
    found = [
        MegatronLayout(
            tensor_parallel=tensor,
            pipeline_parallel=pipeline,
            context_parallel=context,
            expert_parallel=experts if sizes.num_experts else 1,
        )
        for pipeline in _PIPELINES
        for tensor in powers
        for context in powers
        if num_key_heads(sizes) % tensor == 0
        and sizes.num_layers % pipeline == 0
        and gpus % (pipeline * tensor * context) == 0
        and gpus % (pipeline * experts) == 0
        and tensor * context <= per_node
    ]
    return sorted(
        found,
        key=lambda one: (one.pipeline_parallel, one.num_gpus_of_a_copy, one.tensor_parallel),
    )


def megatron_need(
    sizes: ModelSizes, megatron: MegatronLayout, num_gpus: int, num_tokens: int
) -> tuple[int, int, int]:
    """Return bytes of each GPU: what stays, gradients, and a micro-batch.

    Args:
        sizes: of the network.
        megatron: the degrees.
        num_gpus: all that train.
        num_tokens: of a micro-batch on one of the GPUs that divide a sequence.
    """
    tensor, pipeline = megatron.tensor_parallel, megatron.pipeline_parallel
    experts = expert_weights(sizes)
    own = (sizes.num_weights - experts) // (tensor * pipeline)
    own += experts // (megatron.expert_parallel * pipeline)
    optimizer = RESIDENT_BYTES * sizes.num_weights // num_gpus
    costs = token_bytes(sizes)
    # A pipeline of p keeps up to p micro-batches on its first GPUs, of a p-th of the layers each.
    kept = costs.kept * num_tokens // tensor
    working = max(costs.working * num_tokens // tensor, head_bytes(sizes) // tensor)
    return optimizer + 2 * own, (_SHARD_BYTES - 2) * own, kept + working
