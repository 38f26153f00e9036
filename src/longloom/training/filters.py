"""Which groups a step learns from, and which examples the next stage keeps.

Dynamic sampling (DAPO; used by QwenLong-L1, not named in QwenLong-L1.5) drops groups whose rewards
are all equal: their advantages are 0 and they only dilute a token mean. The filter between stages
follows method section 12.3: with rewards measured under the next stage's limits, drop what is
always right and, by choice, what is always wrong.

Both look at rewards before any length penalty, as QwenLong-L1's script does (metric `acc`): answers
that are all right, some of them long, teach length alone. A failed rollout has a reward of 0 and
counts like any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from pydantic import Field, NonNegativeInt

from longloom.config import FrozenConfig
from longloom.records import Reward, RolloutGroup


class GroupFilterConfig(FrozenConfig):
    """Which groups a step learns from."""

    drop_zero_variance: bool = False
    """Leave out groups whose rewards are all equal. Off: QwenLong-L1.5 does not name it."""
    max_refills: NonNegativeInt = 9
    """Further generation rounds that replace the groups left out; QwenLong-L1's script stops after
    10 rounds in all. 0 goes on with fewer groups."""
    when_short: Literal["error", "train"] = "train"
    """What happens if the batch is not full by then: QwenLong-L1's script stops with an error, or
    the step learns from what there is."""


class StageTransitionConfig(FrozenConfig):
    """Which examples go on to the next stage."""

    enabled: bool = False
    """Whether examples are filtered by what the starting model scores on them."""
    too_easy_mean_reward: float = Field(default=1.0, gt=0)
    """Examples with at least this mean reward are dropped; 1.0 is "always right"."""
    keep_zero_accuracy: bool = True
    """Keep examples that no rollout scored on; QwenLong-L1 keeps them as the hardest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilteredGroups:
    """What a group filter kept and what it dropped."""

    kept: tuple[RolloutGroup, ...]
    """Groups to learn from, in order."""
    dropped: tuple[RolloutGroup, ...]
    """Groups without a learning signal, in order; counted, and still logged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTransition:
    """Where each example goes; ids in the order given."""

    kept: tuple[str, ...]
    """Examples of the next stage."""
    too_easy: tuple[str, ...]
    """Dropped: always right."""
    too_hard: tuple[str, ...]
    """Dropped: never right, when those are not kept."""


def unpenalised_reward(reward: Reward) -> float:
    """Return a reward without its length penalty."""
    penalty = reward.reward_parts.get("overlong", 0.0)
    # Exactly 0 or 1 again: 0.9 + 0.1 rounds. Rounded alike whether penalised or not.
    return round(reward.value - penalty, 9)


def mean_reward(group: RolloutGroup) -> float:
    """Return the mean reward of a group, without length penalties."""
    return fmean(unpenalised_reward(reward) for reward in group.rewards)


def has_reward_variance(group: RolloutGroup) -> bool:
    """Return whether the rewards of a group differ, without length penalties."""
    return len({unpenalised_reward(reward) for reward in group.rewards}) > 1


def filter_groups(config: GroupFilterConfig, groups: Sequence[RolloutGroup]) -> FilteredGroups:
    """Return the groups to learn from; QwenLong-L1, section 2.3 (dynamic sampling)."""
    if not config.drop_zero_variance:
        return FilteredGroups(kept=tuple(groups), dropped=())
    return FilteredGroups(
        kept=tuple(group for group in groups if has_reward_variance(group)),
        dropped=tuple(group for group in groups if not has_reward_variance(group)),
    )


def filter_for_next_stage(
    config: StageTransitionConfig, mean_reward_by_example: Mapping[str, float]
) -> StageTransition:
    """Return which examples the next stage keeps (QwenLong-L1.5, section 4.1).

    Args:
        config: What is too easy or too hard; the paper prints no thresholds.
        mean_reward_by_example: Mean reward of several rollouts per example id, made by the
            current model under the next stage's length limits.
    """
    kept: list[str] = []
    too_easy: list[str] = []
    too_hard: list[str] = []
    for example_id, reward in mean_reward_by_example.items():
        if reward >= config.too_easy_mean_reward:
            too_easy.append(example_id)
        elif reward <= 0 and not config.keep_zero_accuracy:
            too_hard.append(example_id)
        else:
            kept.append(example_id)
    return StageTransition(kept=tuple(kept), too_easy=tuple(too_easy), too_hard=tuple(too_hard))
