"""How a stage is divided among the GPUs of a cluster: what `plan_layout` decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Offload = Literal["always", "between_phases", "none"]
"""Where weights and optimizer are: in the main memory even while training (FSDP2's offload policy),
there while the model samples, or on the GPU all the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLengths:
    """The longest rows of a stage, and how many there are."""

    prompt_tokens: int
    """Longest prompt of one call of the model."""
    response_tokens: int
    """Longest answer of one call."""
    num_prompts: int = 128
    """P, prompts of a step."""
    group_size: int = 8
    """G, answers to each."""
    samples: bool = True
    """Whether the stage samples; supervised fine-tuning does not."""

    @property
    def row_tokens(self) -> int:
        """The longest row."""
        return self.prompt_tokens + self.response_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class MegatronLayout:
    """Megatron's degrees; their product, experts' apart, divides the GPUs."""

    tensor_parallel: int
    """GPUs that divide each matrix."""
    pipeline_parallel: int
    """Groups of GPUs with a share of the layers each."""
    context_parallel: int
    """GPUs that divide a sequence."""
    expert_parallel: int
    """GPUs that divide the experts of a layer; 1 in a dense network."""

    @property
    def num_gpus_of_a_copy(self) -> int:
        """GPUs that work on the same micro-batch."""
        return self.tensor_parallel * self.pipeline_parallel * self.context_parallel


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterLayout:
    """How a stage is divided, and why."""

    num_nodes: int
    """Nodes."""
    gpus_per_node: int
    """GPUs of each that train."""
    sequence_parallel: int
    """GPUs that divide a sequence in training: Ulysses, or Megatron's context parallelism."""
    update_tokens_per_gpu: int
    """Most tokens that one GPU has of an update's micro-batch."""
    logprob_tokens_per_gpu: int
    """The same where nothing is learned."""
    offload: Offload
    """Where weights and optimizer are."""
    rollout_tensor_parallel: int
    """GPUs that hold one copy of the network for rollouts."""
    rollout_memory_fraction: float
    """Part of a GPU's memory that the sampling server takes, weights included."""
    max_batched_tokens: int
    """Tokens of one pass over prompts."""
    max_sequences: int
    """Sequences that one copy samples at once."""
    num_workers: int
    """Processes that run agents, and as many that score."""
    megatron: MegatronLayout | None
    """Megatron's degrees; None with FSDP2."""
    update_bytes: int
    """Planned peak of each GPU in an update; 0 on a CPU, where it is not planned."""
    cache_tokens: int
    """Planned tokens in the caches of one copy; 0 on a CPU."""
    reasons: Mapping[str, str]
    """For each of these numbers by its name, the arithmetic behind it."""

    @property
    def num_gpus(self) -> int:
        """All GPUs that train and sample."""
        return self.num_nodes * self.gpus_per_node

    @property
    def data_parallel(self) -> int:
        """Parts into which the rows of an update are divided."""
        copy = self.megatron.num_gpus_of_a_copy if self.megatron else self.sequence_parallel
        return self.num_gpus // copy
