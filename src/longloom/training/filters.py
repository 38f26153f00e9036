"""Which groups a step learns from, and which examples the next stage keeps.

Dynamic sampling (DAPO; used by QwenLong-L1, not named in QwenLong-L1.5) drops groups whose rewards
are all equal: their advantages are 0 and they only dilute a token mean. The filter between stages
follows method section 12.3: with rewards measured under the next stage's limits, drop what is
always right and, by choice, what is always wrong.

A failed rollout has a reward of 0 and counts like any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from pydantic import Field

from longloom.config import FrozenConfig
from longloom.records import RolloutGroup


class GroupFilterConfig(FrozenConfig):
    """Which groups a step learns from."""

    drop_zero_variance: bool = False
    """Leave out groups whose rewards are all equal. Off: QwenLong-L1.5 does not name it."""


class StageTransitionConfig(FrozenConfig):
    """Which examples go on to the next stage."""

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


def mean_reward(group: RolloutGroup) -> float:
    """Return the mean reward of a group."""
    return fmean(reward.value for reward in group.rewards)


def has_reward_variance(group: RolloutGroup) -> bool:
    """Return whether the rewards of a group differ."""
    return len({reward.value for reward in group.rewards}) > 1


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
