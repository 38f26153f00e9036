"""A penalty that grows over the last tokens before the length limit.

QwenLong-L1, Eq. 7 (DAPO's overlong shaping). QwenLong-L1.5 does not name it, so it is off.
"""

from dataclasses import replace
from typing import Self

from pydantic import Field, model_validator

from longloom.config import FrozenConfig
from longloom.errors import ConfigError
from longloom.records import Reward


class OverlongConfig(FrozenConfig):
    """How long answers are penalised."""

    enabled: bool = False
    """Whether the penalty applies."""
    max_response_tokens: int | None = Field(default=None, ge=1)
    """L_max, Eq. 7. None is the limit of the stage's own answers (10,000 in QwenLong-L1's script);
    a number beyond that limit is refused, for no answer would reach it."""
    buffer_tokens: int = Field(default=1_000, ge=1)
    """L_cache, Eq. 7: the penalty grows over this many tokens up to L_max."""
    penalty: float = Field(default=1.0, ge=0)
    """The full penalty, at L_max and beyond."""

    @model_validator(mode="after")
    def _buffer_fits(self) -> Self:
        longest = self.max_response_tokens
        if longest is not None and self.buffer_tokens > longest:
            raise ValueError(
                f"buffer_tokens is {self.buffer_tokens} and max_response_tokens is "
                f"{longest}; expected a buffer within the limit; lower the buffer"
            )
        return self

    def for_limit(self, limit_tokens: int) -> Self:
        """Return the penalty of answers that are cut at `limit_tokens`, with a number for L_max.

        Raises:
            ConfigError: L_max is beyond the limit, or the buffer does not fit in it.
        """
        longest = self.max_response_tokens
        if not self.enabled or longest == limit_tokens:
            return self
        if longest is not None and longest > limit_tokens:
            raise ConfigError(
                f"reward.overlong.max_response_tokens is {longest}, but answers are cut at "
                f"{limit_tokens} tokens, so none would get the whole penalty; leave it out (null: "
                "the stage's own limit) or lower it"
            )
        return self.replace(max_response_tokens=longest or limit_tokens)


def overlong_penalty(num_response_tokens: int, config: OverlongConfig) -> float:
    """Return what is added to the reward: 0 down to `-penalty` (QwenLong-L1, Eq. 7).

    Raises:
        ConfigError: L_max is None; `OverlongConfig.for_limit` gives it a number.
    """
    if not config.enabled:
        return 0.0
    if config.max_response_tokens is None:
        raise ConfigError(
            "reward.overlong.max_response_tokens is null; expected a number, or the settings of a "
            "stage (`OverlongConfig.for_limit`)"
        )
    excess_tokens = num_response_tokens - (config.max_response_tokens - config.buffer_tokens)
    excess_fraction = min(max(excess_tokens, 0) / config.buffer_tokens, 1.0)
    return -excess_fraction * config.penalty if excess_fraction else 0.0


def with_overlong_penalty(
    reward: Reward, num_response_tokens: int, config: OverlongConfig
) -> Reward:
    """Return `reward` with the penalty added and recorded as part `overlong`, if it applies."""
    if not config.enabled:
        return reward
    penalty = overlong_penalty(num_response_tokens, config)
    return replace(
        reward,
        value=reward.value + penalty,
        reward_parts={**reward.reward_parts, "overlong": penalty},
    )
