"""Choose the examples of a stage: by length, by earlier failure, by difficulty.

Three choices, each a function:
length bands (QwenLong-L1, Eq. 9): stage k takes L_{k-1} < length <= L_k;
retrospective sampling (QwenLong-L1, Eq. 10): bring back earlier examples, the harder the likelier;
difficulty bins (QwenLong-L1.5, section 4.2): before training, equal numbers from the bins of
pass@k, per task.

Random choices are keyed by (seed, example id), so the order of the examples does not matter.
"""

import math
import random
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from longloom.config import FrozenConfig
from longloom.errors import ConfigError, DataError
from longloom.training.shares import batch_counts


class RetrospectiveConfig(FrozenConfig):
    """Which examples of earlier stages come back."""

    kind: Literal["hardest_first", "inverse_reward", "off", "zero_accuracy"] = "zero_accuracy"
    """Lowest mean reward first; drawn with weight 1 / mean reward (QwenLong-L1, Eq. 10); none;
    only those never solved (what QwenLong-L1 did)."""
    max_examples: int | None = Field(default=None, ge=0)
    """At most this many come back; None is no limit."""
    epsilon: float = Field(default=1 / 16, gt=0)
    """Mean rewards below it count as it. Inferred: half of one success in the paper's G = 8."""


def in_length_band(num_prompt_tokens: int, *, lower_tokens: int, upper_tokens: int) -> bool:
    """Return whether `lower_tokens < num_prompt_tokens <= upper_tokens`."""
    return lower_tokens < num_prompt_tokens <= upper_tokens


def retrospective_weights(
    mean_reward_by_example: Mapping[str, float], *, epsilon: float
) -> dict[str, float]:
    """Return the probability of each example: diff = 1 / mean reward, scaled to sum to 1.

    QwenLong-L1, Eq. 10; a mean reward below `epsilon` counts as `epsilon`, for 1 / 0.
    """
    weights = {
        example_id: 1 / max(reward, epsilon)
        for example_id, reward in mean_reward_by_example.items()
    }
    total = math.fsum(weights.values())
    return {example_id: weight / total for example_id, weight in weights.items()}


def sample_retrospective(
    config: RetrospectiveConfig, mean_reward_by_example: Mapping[str, float], *, seed: int
) -> list[str]:
    """Return the ids of earlier examples that come back, without repeats.

    Args:
        config: How they are chosen and how many.
        mean_reward_by_example: Mean reward of each earlier example's group.
        seed: Breaks ties and draws.
    """
    candidates = {
        example_id: reward
        for example_id, reward in mean_reward_by_example.items()
        if reward <= 0 or config.kind != "zero_accuracy"
    }
    if config.kind == "off" or not candidates:
        return []
    luck = {example_id: _uniform(seed, example_id) for example_id in candidates}
    if config.kind != "inverse_reward":
        ordered = sorted(candidates, key=lambda i: (candidates[i], luck[i], i))
    else:
        # Sorting by log(u) / weight draws without replacement in proportion to the weights.
        weights = retrospective_weights(candidates, epsilon=config.epsilon)
        ordered = sorted(candidates, key=lambda i: (-math.log(luck[i]) / weights[i], i))
    return ordered[: config.max_examples]


def difficulty_bin(pass_rate: float, num_bins: int) -> int:
    """Return the bin of a pass rate in [0, 1]: equal widths, 1.0 in the last.

    Raises:
        DataError: the rate is not within [0, 1].
    """
    if not 0 <= pass_rate <= 1:
        raise DataError(f"pass rate is {pass_rate}; expected 0 to 1; measure it again")
    return min(int(pass_rate * num_bins), num_bins - 1)


def draw_from_bins(
    pass_rate_by_example: Mapping[str, float],
    *,
    num_bins: int,
    num_examples: int | None = None,
    max_per_bin: int | None = None,
    seed: int,
) -> list[str]:
    """Return example ids, as equal numbers from the bins as they allow.

    QwenLong-L1.5, section 4.2; call it once per task. The paper prints neither k nor the bins.

    Args:
        pass_rate_by_example: What each example scored, 0 to 1.
        num_bins: Bins of equal width.
        num_examples: How many to draw. A bin gives an equal share of them or all it has, and the
            others share the rest. None is strictly equal numbers: every bin that is not empty
            gives as many as the smallest of them holds.
        max_per_bin: At most this many of a bin.
        seed: Draws.

    Raises:
        ConfigError: `num_bins` is below 1.
        DataError: a pass rate is not within [0, 1].
    """
    if num_bins < 1:
        raise ConfigError(f"num_bins is {num_bins}; expected at least 1")
    bins: list[list[str]] = [[] for _ in range(num_bins)]
    for example_id in sorted(pass_rate_by_example):
        bins[difficulty_bin(pass_rate_by_example[example_id], num_bins)].append(example_id)
    filled = {str(index): members for index, members in enumerate(bins) if members}
    sizes = {name: len(members) for name, members in filled.items()}
    if not sizes:
        return []
    if num_examples is None:
        sizes = dict.fromkeys(sizes, min(sizes.values()))
        num_examples = sum(sizes.values())
    if max_per_bin is not None:
        sizes = {name: min(size, max_per_bin) for name, size in sizes.items()}
    counts = batch_counts(min(num_examples, sum(sizes.values())), dict.fromkeys(sizes, 1.0), sizes)
    chosen: list[str] = []
    for name, members in filled.items():
        chosen += sorted(members, key=lambda i: (_uniform(seed, i), i))[: counts[name]]
    return chosen


def _uniform(seed: int, example_id: str) -> float:
    """Return a number in (0, 1] that depends on seed and id alone."""
    return 1.0 - random.Random(f"{seed}/{example_id}").random()
