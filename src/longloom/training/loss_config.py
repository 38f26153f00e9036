"""Settings of the losses, and what they divide by; see `losses`.

Apart from what reads it, so that settings are known without loading torch.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from longloom.config import FrozenConfig


class LossConfig(FrozenConfig):
    """The policy-gradient loss."""

    aggregation: Literal["sequence_mean", "token_mean"] = "token_mean"
    """Mean over all tokens (Eq. 4), or over sequences of their token means (GRPO)."""
    clip_low: float = Field(default=0.2, ge=0, lt=1)
    """The ratio is clipped below 1 - clip_low; idle on-policy. 0.2 is QwenLong-L1's."""
    clip_high: float = Field(default=0.2, ge=0)
    """The ratio is clipped above 1 + clip_high; idle on-policy. 0.2 is QwenLong-L1's."""
    kl_coefficient: float = Field(default=0.0, ge=0)
    """Weight of the k3 estimate of KL(policy || reference); the paper uses 0."""
    importance_cap: float | None = Field(default=None, gt=0)
    """Truncated importance sampling: cap of trainer over sampler probability; None is off."""


class SupervisedLossConfig(FrozenConfig):
    """The loss of supervised fine-tuning: the mean negative log-likelihood of the response tokens.

    QwenLong-L1, Eq. 11. It has no settings: the mean is over all tokens of the batch.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class LossDenominators:
    """Sizes of the whole batch, whatever part of it a call sees."""

    num_tokens: int
    """Response tokens that a token mean divides by."""
    num_sequences: int
    """Sequences that a sequence mean divides by."""
