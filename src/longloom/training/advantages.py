"""Turn the rewards of a batch into one advantage per rollout.

Four ways, all centred on the mean of the rollout's own group; they differ in what they divide by:

    task_std    std over all rewards of the same task in the batch   (QwenLong-L1.5, Eq. 7)
    group_std   std over the rewards of the group                    (GRPO; QwenLong-L1.5, Eq. 3)
    batch_std   std over all rewards of the batch                    (the paper's "Batch-std" arm)
    mean_only   nothing                                              (MemAgent)

All standard deviations are unbiased (n - 1), as in the authors' fragment. Departures from it: a
group whose rewards are all equal gets exactly 0, although its floating-point mean may differ from
its rewards by a rounding error that division by epsilon would blow up; a group of one rollout is
such a group (the fragment subtracts a mean of 0); a single-sample task gives 0 instead of a
division by epsilon.

A multi-turn rollout is one entry here: its advantage is computed before it is expanded to calls.
"""

from typing import assert_never

import torch
from jaxtyping import Float, Int
from torch import Tensor

from longloom.training.advantage_config import AdvantageConfig


def compute_advantages(
    config: AdvantageConfig,
    rewards: Float[Tensor, " B"],
    group_ids: Int[Tensor, " B"],
    task_ids: Int[Tensor, " B"],
) -> Float[Tensor, " B"]:
    """Return the advantages of a batch as `config.kind` asks.

    Args:
        config: What to divide by, and epsilon.
        rewards: One reward per rollout.
        group_ids: Equal for rollouts of the same prompt; any integers.
        task_ids: Equal for rollouts of the same task type; any integers.
    """
    match config.kind:
        case "batch_std":
            return batch_std_advantages(rewards, group_ids, epsilon=config.epsilon)
        case "group_std":
            return group_mean_std_advantages(rewards, group_ids, epsilon=config.epsilon)
        case "mean_only":
            return mean_only_advantages(rewards, group_ids)
        case "task_std":
            return task_std_advantages(rewards, group_ids, task_ids, epsilon=config.epsilon)
        case _:
            assert_never(config.kind)


def group_mean_std_advantages(
    rewards: Float[Tensor, " B"], group_ids: Int[Tensor, " B"], *, epsilon: float = 1e-6
) -> Float[Tensor, " B"]:
    """Return (reward - group mean) / (group std + epsilon); QwenLong-L1.5, Eq. 3."""
    return mean_only_advantages(rewards, group_ids) / (_std_within(rewards, group_ids) + epsilon)


def task_std_advantages(
    rewards: Float[Tensor, " B"],
    group_ids: Int[Tensor, " B"],
    task_ids: Int[Tensor, " B"],
    *,
    epsilon: float = 1e-6,
) -> Float[Tensor, " B"]:
    """Return (reward - group mean) / (task std + epsilon); QwenLong-L1.5, section 4.2, Eq. 7.

    The std is over all rewards of the same task in the batch, around the task's mean.
    """
    return mean_only_advantages(rewards, group_ids) / (_std_within(rewards, task_ids) + epsilon)


def batch_std_advantages(
    rewards: Float[Tensor, " B"], group_ids: Int[Tensor, " B"], *, epsilon: float = 1e-6
) -> Float[Tensor, " B"]:
    """Return (reward - group mean) / (std over the whole batch + epsilon)."""
    one_class = torch.zeros_like(group_ids)
    return mean_only_advantages(rewards, group_ids) / (_std_within(rewards, one_class) + epsilon)


def mean_only_advantages(
    rewards: Float[Tensor, " B"], group_ids: Int[Tensor, " B"]
) -> Float[Tensor, " B"]:
    """Return reward - group mean (MemAgent); exactly 0 in groups of equal rewards."""
    group_of, num_groups = _numbered(group_ids)
    centred = rewards - _mean_by_class(rewards, group_of, num_groups)[group_of]
    lowest = rewards.new_full((num_groups,), torch.inf)
    highest = rewards.new_full((num_groups,), -torch.inf)
    lowest = lowest.scatter_reduce(0, group_of, rewards, "amin")
    highest = highest.scatter_reduce(0, group_of, rewards, "amax")
    return torch.where((lowest == highest)[group_of], torch.zeros_like(centred), centred)


def _std_within(rewards: Float[Tensor, " B"], class_ids: Int[Tensor, " B"]) -> Float[Tensor, " B"]:
    """Return, for each entry, the unbiased std of its class; 0 for a class of one."""
    class_of, num_classes = _numbered(class_ids)
    deviations = rewards - _mean_by_class(rewards, class_of, num_classes)[class_of]
    squares = rewards.new_zeros(num_classes).index_add(0, class_of, deviations.square())
    counts = torch.bincount(class_of, minlength=num_classes)
    return (squares / (counts - 1).clamp(min=1)).sqrt()[class_of]


def _mean_by_class(rewards: Tensor, class_of: Tensor, num_classes: int) -> Tensor:
    sums = rewards.new_zeros(num_classes).index_add(0, class_of, rewards)
    return sums / torch.bincount(class_of, minlength=num_classes)


def _numbered(class_ids: Tensor) -> tuple[Tensor, int]:
    values, class_of = torch.unique(class_ids, return_inverse=True)
    return class_of, len(values)
