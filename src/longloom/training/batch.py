"""From scored rollout groups to the updates of one step.

Advantages are computed once, per rollout and over all groups of the step, before rollouts are
expanded to calls and before the batch is cut into updates. So neither a long document nor a small
mini-batch changes the statistics. Each update's denominators count the tokens and sequences of its
own calls.

A rollout that failed keeps its reward of 0 in every mean and its calls in every denominator, but
they give no gradient: what broke it was the machine or a limit, not what was sampled before.

While negatives are off (AEPO), what a task loses is defined by its groups: a group with a reward
below its mean has one above it, so only a task whose groups all have equal rewards, or whose better
rollouts all failed, gives no gradient. That task's tokens still count in an `all_tokens`
denominator, and `training/kept_fraction_TASK` and `training/learning_tasks` show it.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from jaxtyping import Bool
from torch import Tensor

from longloom.records import RolloutGroup, TrainingSequence, Turn
from longloom.training.advantages import compute_advantages
from longloom.training.calls import Call, calls_of, denominators_of
from longloom.training.entropy_control import (
    AepoState,
    batch_entropy,
    entropy_bounds_nats,
    mask_negatives,
    update_latch,
)
from longloom.training.filters import filter_groups
from longloom.training.loss_config import LossDenominators
from longloom.training.stage import TrainingConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniBatch:
    """What one optimizer step learns from."""

    sequences: tuple[TrainingSequence, ...]
    """Calls with a gradient; never empty."""
    places: tuple[int, ...]
    """Of each sequence, its place among all calls with tokens of the step."""
    denominators: LossDenominators
    """Sizes of the mini-batch as the loss counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedBatch:
    """What one step learns from."""

    updates: tuple[MiniBatch, ...]
    """In order; those without a gradient are left out, so none means that the step is skipped."""
    aepo: AepoState
    """The latch after this batch."""
    metrics: Mapping[str, float]
    """`training/...` figures of the batch."""


def prepare_batch(
    config: TrainingConfig, groups: Sequence[RolloutGroup], aepo: AepoState, *, key: str = ""
) -> PreparedBatch:
    """Turn scored groups into the updates of one step (method of section 4, Eq. 4, 7-11).

    A batch without a single response token, because every rollout failed, teaches nothing and
    leaves the latch as it is. `key` names the order in which groups are dealt to several updates.
    """
    entropies = [turn.entropies for group in groups for turn in _turns_of(group)]
    if not any(entropies):
        kept = torch.zeros(sum(len(group.rollouts) for group in groups), dtype=torch.bool)
        return PreparedBatch(updates=(), aepo=aepo, metrics=_kept_metrics(groups, kept))
    entropy_nats = batch_entropy(entropies, config.aepo.aggregation)
    aepo = update_latch(aepo, entropy_nats, config.aepo)
    # Statistics see all groups; only then are some of them left out of the update.
    advantages = _advantages(config, groups)
    in_update = _in_update(config, groups)
    kept = in_update.clone()
    kept[in_update] = mask_negatives(advantages[in_update], aepo)
    calls = calls_of(
        groups, advantages, kept=kept, in_update=in_update, clipping=config.negative_clipping
    )
    updates = tuple(_mini_batches(config, calls, key))
    return PreparedBatch(
        updates=updates,
        aepo=aepo,
        metrics={
            **_entropy_metrics(config, aepo, entropy_nats),
            **_kept_metrics(groups, kept),
            **_learning_metrics(config, calls),
            "training/dropped_rollouts": float((~in_update).sum()),
            "training/updates": float(len(updates)),
        },
    )


def _mini_batches(config: TrainingConfig, calls: Sequence[Call], key: str) -> Iterator[MiniBatch]:
    """Yield the updates: whole groups, dealt in a shuffled order, in nearly equal numbers."""
    order = sorted({call.group_index for call in calls})
    num_updates = config.updates_per_batch
    if num_updates > 1:
        random.Random(f"{key}/updates").shuffle(order)
    for index in range(num_updates):
        start, end = (len(order) * edge // num_updates for edge in (index, index + 1))
        place = {group: position for position, group in enumerate(order[start:end])}
        own = [call for call in calls if call.group_index in place]
        own.sort(key=lambda call: place[call.group_index])
        learned = [call for call in own if _has_gradient(config, call)]
        if learned:
            yield MiniBatch(
                sequences=tuple(call.sequence for call in learned),
                places=tuple(call.place for call in learned),
                denominators=denominators_of(own, config.aepo),
            )


def _has_gradient(config: TrainingConfig, call: Call) -> bool:
    """Return whether a call is learned from: with a KL term every one that is counted is.

    Those of failed rollouts never are.
    """
    if call.has_failed:
        return False
    is_counted = call.is_kept or config.aepo.denominator == "all_tokens"
    return (config.loss.kl_coefficient > 0 and is_counted) or any(call.sequence.advantages)


def _in_update(config: TrainingConfig, groups: Sequence[RolloutGroup]) -> Bool[Tensor, " B"]:
    """Return which rollouts belong to a group that the group filter keeps."""
    kept_groups = {id(group) for group in filter_groups(config.group_filter, groups).kept}
    return torch.tensor([id(group) in kept_groups for group in groups for _ in group.rollouts])


def _entropy_metrics(
    config: TrainingConfig, aepo: AepoState, entropy_nats: float
) -> dict[str, float]:
    metrics = {
        "training/entropy_nats": entropy_nats,
        "training/negatives_on": float(aepo.negatives_on),
    }
    if config.aepo.enabled and aepo.first_entropy_nats is not None:
        low, high = entropy_bounds_nats(config.aepo, aepo.first_entropy_nats)
        metrics |= {"training/entropy_low_nats": low, "training/entropy_high_nats": high}
    return metrics


def _kept_metrics(groups: Sequence[RolloutGroup], kept: Bool[Tensor, " B"]) -> dict[str, float]:
    """Return the share of rollouts that neither a filter nor a mask removed, by task too."""
    kept_by_task: dict[str, list[bool]] = defaultdict(list)
    kept_by_group = torch.split(kept, [len(group.rollouts) for group in groups])
    for group, rows in zip(groups, kept_by_group, strict=True):
        kept_by_task[group.example.task_type] += rows.tolist()
    metrics = {
        f"training/kept_fraction_{task}": fmean(rows) for task, rows in sorted(kept_by_task.items())
    }
    return {"training/kept_fraction": fmean(kept.tolist()), **metrics}


def _learning_metrics(config: TrainingConfig, calls: Sequence[Call]) -> dict[str, float]:
    learning = [call for call in calls if _has_gradient(config, call)]
    metrics = {
        "training/learning_sequences": float(len(learning)),
        "training/learning_tasks": float(len({call.task_type for call in learning})),
    }
    if config.negative_clipping.mode != "off":
        clipped = sum(call.num_clipped_tokens for call in calls)
        left = sum(value < 0 for call in calls for value in call.sequence.advantages)
        metrics["training/clipped_negatives_fraction"] = clipped / max(1, clipped + left)
    return metrics


def _advantages(config: TrainingConfig, groups: Sequence[RolloutGroup]) -> Tensor:
    """Return one advantage per rollout [B]; task statistics see zero-variance groups too."""
    tasks = sorted({group.example.task_type for group in groups})
    rewards, group_ids, task_ids = [], [], []
    for index, group in enumerate(groups):
        rewards += [reward.value for reward in group.rewards]
        group_ids += [index] * len(group.rewards)
        task_ids += [tasks.index(group.example.task_type)] * len(group.rewards)
    return compute_advantages(
        config.advantage,
        torch.tensor(rewards, dtype=torch.float32),
        torch.tensor(group_ids, dtype=torch.int64),
        torch.tensor(task_ids, dtype=torch.int64),
    )


def _turns_of(group: RolloutGroup) -> Iterator[Turn]:
    for rollout in group.rollouts:
        yield from rollout.turns
