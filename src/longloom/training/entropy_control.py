"""AEPO: learn from failures only while the policy's entropy is in bounds.

Adaptive Entropy-controlled Policy Optimization (QwenLong-L1.5, section 4.4, Eq. 11). It is not
"Agentic Entropy-Balanced Policy Optimization", which has the same initials.

    negatives on  --- batch entropy above the upper bound --->  negatives off
    negatives on  <-- batch entropy below the lower bound ----  negatives off

Between the bounds the mode stays what it was (a latch). While negatives are off, rollouts with a
negative advantage give no gradient, and entropy falls. The authors' printed fragment has no latch
and filters only between its bounds, against the paper's text and Fig. 11; this follows the paper.

When negatives are off and no rollout has a positive advantage, nothing can be learned: the mask
keeps nothing and the caller skips the optimizer step and counts it. Stepping with a zero gradient
would still move the weights by the optimizer's momentum.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from longloom.errors import CheckpointError, ConfigError, DataError, ModelError
from longloom.training.aepo_config import AepoConfig, EntropyAggregation


@dataclass(frozen=True, slots=True, kw_only=True)
class AepoState:
    """The latch and the entropy that relative bounds refer to; part of every checkpoint."""

    negatives_on: bool = True
    """Whether rollouts with negative advantages count."""
    first_entropy_nats: float | None = None
    """Batch entropy of the first step seen; None before it."""

    def to_json(self) -> dict[str, bool | float | None]:
        """Return the state as plain JSON values."""
        return {"negatives_on": self.negatives_on, "first_entropy_nats": self.first_entropy_nats}

    @classmethod
    def from_json(cls, saved: Mapping[str, object]) -> "AepoState":
        """Return the state that `to_json` wrote.

        Raises:
            CheckpointError: a field is missing or has another type.
        """
        negatives_on = saved.get("negatives_on")
        first = saved.get("first_entropy_nats")
        if isinstance(negatives_on, bool) and not isinstance(first, bool):
            if first is None:
                return cls(negatives_on=negatives_on)
            if isinstance(first, int | float):
                return cls(negatives_on=negatives_on, first_entropy_nats=float(first))
        raise CheckpointError(
            f"entropy control state is {dict(saved)!r}; expected negatives_on (bool) and "
            "first_entropy_nats (number or null); resume from an earlier checkpoint"
        )


def batch_entropy(
    entropies: Sequence[Sequence[float] | Tensor], aggregation: EntropyAggregation
) -> float:
    """Return the entropy of a batch in nats (QwenLong-L1.5, Eq. 11).

    Args:
        entropies: One entry per sequence: the full-vocabulary entropy in nats of each response
            token. Sequences without tokens (failed rollouts) have no entropy and are left out.
        aggregation: `sequence_mean` averages token means over sequences (Eq. 11); `token_mean`
            averages over all tokens of the batch.

    Raises:
        DataError: no sequence has a token.
    """
    sequences = [torch.as_tensor(sequence, dtype=torch.float64) for sequence in entropies]
    sequences = [sequence for sequence in sequences if sequence.numel()]
    if not sequences:
        raise DataError(
            f"batch of {len(entropies)} sequences has no response token; expected at least one; "
            "look at Rollout.error for why every rollout failed"
        )
    if aggregation == "sequence_mean":
        return float(torch.stack([sequence.mean() for sequence in sequences]).mean())
    return float(torch.cat(sequences).mean())


def entropy_bounds_nats(config: AepoConfig, first_entropy_nats: float) -> tuple[float, float]:
    """Return the lower and the upper bound in nats.

    Raises:
        ConfigError: the bounds are multiples of a first entropy that is not above 0.
    """
    if config.bounds == "absolute_nats":
        return config.entropy_low, config.entropy_high
    if first_entropy_nats <= 0:
        raise ConfigError(
            f"the first batch entropy is {first_entropy_nats} nats; expected more than 0 for "
            "bounds that are multiples of it; set training.aepo.bounds=absolute_nats (with "
            "entropy_low and entropy_high in nats), or raise training.temperature"
        )
    return config.entropy_low * first_entropy_nats, config.entropy_high * first_entropy_nats


def update_latch(state: AepoState, entropy_nats: float, config: AepoConfig) -> AepoState:
    """Return the state after a batch of this entropy; strict comparisons at both bounds.

    Raises:
        ModelError: the entropy is not a finite number.
        ConfigError: see `entropy_bounds_nats`.
    """
    if not math.isfinite(entropy_nats):
        raise ModelError(
            f"batch entropy is {entropy_nats}; expected a finite number of nats; "
            "the policy's logits are damaged: resume from the last checkpoint, lower the rate"
        )
    first = entropy_nats if state.first_entropy_nats is None else state.first_entropy_nats
    if not config.enabled:
        return AepoState(negatives_on=True, first_entropy_nats=first)
    low, high = entropy_bounds_nats(config, first)
    negatives_on = entropy_nats <= high if state.negatives_on else entropy_nats < low
    return AepoState(negatives_on=negatives_on, first_entropy_nats=first)


def mask_negatives(advantages: Float[Tensor, " B"], state: AepoState) -> Bool[Tensor, " B"]:
    """Return which rollouts count: all, or while negatives are off those not below 0.

    All False means that negatives are off and no advantage is positive: skip the step.
    """
    if state.negatives_on:
        return torch.ones_like(advantages, dtype=torch.bool)
    return (advantages >= 0) & (advantages > 0).any()


def denominator_tokens(
    num_response_tokens: Int[Tensor, " B"], kept: Bool[Tensor, " B"], config: AepoConfig
) -> int:
    """Return the tokens a token-mean loss divides by, at least 1."""
    is_counted = kept if config.denominator == "kept_tokens" else torch.ones_like(kept)
    return max(1, int(num_response_tokens[is_counted].sum()))
