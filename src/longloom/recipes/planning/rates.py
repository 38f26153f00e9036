"""How fast a device does each kind of work, from what its maker states.

    pass over a prompt    operations / (peak x mfu_prefill)
    training              operations of forward and backward pass / (peak x mfu_training)
    one decoding step     L x layer_step_seconds
                          + max(operations / (peak x mfu_prefill), bytes / (bandwidth x mbu_decode))
    optimizer             28 bytes per trained weight / (bandwidth x mbu_decode)

A decoding step reads the weights once, the cached prompt of each group once, the cached answer of
each row, and the local engine's scores: fp32, four times, of every query head with every key. A
server, assumed for several GPUs, reads a prompt for each row, keeps no scores, and has its own
`served_layer_step_seconds`.
"""

from dataclasses import dataclass
from typing import Protocol

from longloom.engines.model_sizes import ModelSizes
from longloom.recipes.planning.assumptions import PlanAssumptions
from longloom.recipes.planning.devices import Accelerator
from longloom.recipes.planning.operations import Number, Operations, answer_operations, trained

_SCORE_BYTES = 16
"""Of one score: written and read as fp32, and its softmax too."""
_OPTIMIZER_BYTES = 28
"""AdamW reads weight, gradient and two moments and writes all but the gradient, in fp32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingLoad:
    """One decoding step of one copy of the network, on average."""

    rows: Number
    """Rows that draw a token."""
    groups: Number
    """Different prompts among them."""
    prompt_tokens: Number
    """T."""
    own_tokens: Number
    """Tokens that a row has drawn so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSeconds:
    """What one decoding step takes."""

    overhead: Number
    """However little there is to do."""
    weights: Number
    """Reading the weights, where that binds."""
    rows: Number
    """What grows with the rows: caches, or arithmetic where that binds."""

    @property
    def fixed(self) -> Number:
        """What does not grow with the rows."""
        return self.overhead + self.weights


class Rates(Protocol):
    """Seconds of work on one device."""

    def prefill_seconds(self, work: Operations, num_passes: Number = 0.0) -> Number:
        """Return the time of so many passes over prompts with these operations in all."""

    def training_seconds(self, forward: Operations, num_passes: Number = 0.0) -> Number:
        """Return the time of forward and backward passes; the operations are those forward."""

    def step_seconds(self, load: DecodingLoad) -> StepSeconds:
        """Return the time of one decoding step."""

    def optimizer_seconds(self, num_trained: Number) -> Number:
        """Return the time of one optimizer step over so many weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedRates:
    """A GPU as its maker states it, and assumed fractions of that."""

    accelerator: Accelerator
    """The GPU."""
    assumed: PlanAssumptions
    """Which fractions are reached."""
    sizes: ModelSizes
    """The network."""
    weight_bytes: int = 2
    """Of one number of the network."""
    tensor_parallel: int = 1
    """GPUs that share one copy of the network in rollouts."""
    has_adapters: bool = False
    """Whether adapters are trained, not the weights."""
    recomputes_layers: bool = True
    """Whether layers are computed again going back."""
    is_served: bool = False
    """Whether a server draws, not the local engine."""

    def prefill_seconds(self, work: Operations, num_passes: Number = 0.0) -> Number:
        """See `Rates`; passes are so large that their number does not matter."""
        return work.total / (self.accelerator.peak_flops * self.assumed.mfu_prefill)

    def training_seconds(self, forward: Operations, num_passes: Number = 0.0) -> Number:
        """See `Rates`; passes are so large that their number does not matter."""
        both = trained(
            forward, has_adapters=self.has_adapters, recomputes_layers=self.recomputes_layers
        )
        return both.total / (self.accelerator.peak_flops * self.assumed.mfu_training)

    def optimizer_seconds(self, num_trained: Number) -> Number:
        """See `Rates`."""
        return num_trained * _OPTIMIZER_BYTES / self._bandwidth

    def step_seconds(self, load: DecodingLoad) -> StepSeconds:
        """See `Rates`."""
        assumed = self.assumed
        layer = assumed.served_layer_step_seconds if self.is_served else assumed.layer_step_seconds
        overhead = self.sizes.num_layers * layer
        weights = self._weights_read(load.rows) * self.weight_bytes / self._bandwidth
        caches = self._cache_bytes(load) / self._bandwidth
        each = answer_operations(self.sizes, load.prompt_tokens + load.own_tokens, 1)
        arithmetic = self.prefill_seconds(each.times(load.rows))
        share = self.tensor_parallel
        if arithmetic > weights + caches:
            return StepSeconds(overhead=overhead, weights=0.0, rows=arithmetic / share)
        return StepSeconds(overhead=overhead, weights=weights / share, rows=caches / share)

    @property
    def _bandwidth(self) -> Number:
        return self.accelerator.bandwidth_bytes * self.assumed.mbu_decode

    def _weights_read(self, rows: Number) -> Number:
        """Return the weights that a step reads: of experts those that some row is sent to."""
        sizes = self.sizes
        embedded = 0 if sizes.is_tied else sizes.embedding_weights  # looked up row by row
        if not sizes.num_experts:
            return sizes.num_weights - embedded
        share = sizes.mlp_width / sizes.stored_mlp_width
        used = 1 - (1 - share) ** max(rows, 1.0)
        experts = 3 * sizes.num_layers * sizes.hidden_size * sizes.stored_mlp_width
        return float(sizes.num_weights - embedded - (1 - used) * experts)

    def _cache_bytes(self, load: DecodingLoad) -> Number:
        sizes = self.sizes
        token_bytes = 2 * sizes.key_width * self.weight_bytes
        seen = load.rows * (load.prompt_tokens + load.own_tokens)
        if self.is_served:
            return sizes.num_layers * seen * token_bytes
        cached = load.groups * load.prompt_tokens + load.rows * load.own_tokens
        scores = seen * sizes.num_heads
        return sizes.num_layers * (cached * token_bytes + scores * _SCORE_BYTES)
