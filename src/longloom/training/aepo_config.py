"""Settings of AEPO; see `entropy_control`.

Apart from what reads it, so that settings are known without loading torch.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from longloom.config import FrozenConfig

EntropyAggregation = Literal["sequence_mean", "token_mean"]


class AepoConfig(FrozenConfig):
    """When rollouts with negative advantages are left out of the update."""

    enabled: bool = True
    """Off: negatives always count."""
    entropy_high: float = Field(default=0.27, gt=0)
    """H_high, Eq. 11. Not printed in the paper; 0.27 nats is read off Fig. 11, stage 1."""
    entropy_low: float = Field(default=0.135, ge=0)
    """H_low, Eq. 11. Not printed in the paper; 0.135 nats is read off Fig. 11."""
    bounds: Literal["absolute_nats", "multiple_of_first"] = "absolute_nats"
    """Whether the bounds are nats or multiples of the first step's batch entropy."""
    aggregation: EntropyAggregation = "sequence_mean"
    """Eq. 11 takes the mean over sequences of their token means; `token_mean` is verl's."""
    denominator: Literal["all_tokens", "kept_tokens"] = "all_tokens"
    """What a token-mean loss divides by: all tokens (Eq. 8), or those of the rollouts that the
    latch keeps. That is near to the fragment, which leaves out rows with a zero advantage or a
    zero reward too; here kept rollouts of advantage 0, and those of reward 0 while negatives are
    on, still count."""

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> Self:
        if self.entropy_low >= self.entropy_high:
            raise ValueError(
                f"entropy_low is {self.entropy_low} and entropy_high is {self.entropy_high}; "
                "expected entropy_low < entropy_high; raise entropy_high or lower entropy_low"
            )
        return self
