"""Settings of the clipping of negative gradients; see `negative_clipping`.

Apart from what reads it, so that settings are known without loading torch.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from longloom.config import FrozenConfig


class NegativeClippingConfig(FrozenConfig):
    """Which negative tokens give no gradient."""

    mode: Literal["off", "sequence", "token"] = "off"
    """Whether entropy is judged per token (H), per sequence (mean H), or not at all."""
    side: Literal["high", "low"] = "high"
    """Drop what lies above the threshold, or below it."""
    threshold_kind: Literal["absolute_nats", "quantile"] = "quantile"
    """What `threshold` means."""
    threshold: float = Field(default=0.8, ge=0)
    """tau of Eq. 9-10: nats, or the quantile of the negatives' entropies that is used as tau.

    Inferred: 0.8 drops the top fifth, the share of tokens that Wang et al. call high-entropy.
    """

    @model_validator(mode="after")
    def _quantile_is_a_fraction(self) -> Self:
        if self.threshold_kind == "quantile" and self.threshold > 1:
            raise ValueError(
                f"threshold is {self.threshold} with threshold_kind quantile; expected 0 to 1; "
                "set threshold_kind=absolute_nats to give nats"
            )
        return self
