"""From scored rollout groups to the sequences of one update.

Advantages are computed per rollout, before rollouts are expanded to calls, and every call of a
rollout carries its rollout's advantage (QwenLong-L1.5, section 2.3). So a long document does not
weigh more in the statistics. Denominators count the tokens and sequences of all calls.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import torch
from jaxtyping import Bool
from torch import Tensor

from longloom.records import Rollout, RolloutGroup, TrainingSequence, Turn
from longloom.training.advantages import compute_advantages
from longloom.training.entropy_control import (
    AepoState,
    batch_entropy,
    denominator_tokens,
    entropy_bounds_nats,
    mask_negatives,
    update_latch,
)
from longloom.training.filters import filter_groups
from longloom.training.losses import LossDenominators
from longloom.training.negative_clipping import negative_keep_mask
from longloom.training.stage import TrainingConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedBatch:
    """What one step learns from."""

    sequences: tuple[TrainingSequence, ...]
    """Calls with a gradient; empty if the step must be skipped."""
    denominators: LossDenominators
    """Sizes of the batch as the loss counts them."""
    aepo: AepoState
    """The latch after this batch."""
    metrics: Mapping[str, float]
    """`training/...` figures of the batch."""


def prepare_batch(
    config: TrainingConfig, groups: Sequence[RolloutGroup], aepo: AepoState
) -> PreparedBatch:
    """Turn scored groups into the sequences of one update (method of section 4, Eq. 4, 7-11).

    A batch without a single response token, because every rollout failed, teaches nothing and
    leaves the latch as it is.
    """
    entropies = [turn.entropies for group in groups for turn in _turns_of(group)]
    if not any(entropies):
        return PreparedBatch(
            sequences=(),
            denominators=LossDenominators(num_tokens=1, num_sequences=1),
            aepo=aepo,
            metrics=_batch_metrics(groups, [[False] * len(group.rollouts) for group in groups]),
        )
    entropy_nats = batch_entropy(entropies, config.aepo.aggregation)
    aepo = update_latch(aepo, entropy_nats, config.aepo)
    # Statistics see all groups; only then are some of them left out of the update.
    advantages = _advantages(config, groups)
    in_update = _in_update(config, groups)
    kept = mask_negatives(advantages, aepo) & in_update
    sequences, num_calls = _sequences(config, groups, advantages, kept=kept, in_update=in_update)
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    num_tokens = torch.tensor([_num_response_tokens(rollout) for rollout in rollouts])
    kept_by_group = torch.split(kept, [len(group.rollouts) for group in groups])
    return PreparedBatch(
        sequences=sequences,
        denominators=LossDenominators(
            num_tokens=denominator_tokens(num_tokens[in_update], kept[in_update], config.aepo),
            num_sequences=max(1, num_calls),
        ),
        aepo=aepo,
        metrics={
            **_entropy_metrics(config, aepo, entropy_nats),
            **_batch_metrics(groups, [rows.tolist() for rows in kept_by_group]),
            "training/dropped_rollouts": float((~in_update).sum()),
            "training/learning_sequences": float(len(sequences)),
        },
    )


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


def _batch_metrics(
    groups: Sequence[RolloutGroup], kept_by_group: Sequence[Sequence[bool]]
) -> dict[str, float]:
    """Return the share of rollouts that neither a filter nor a mask removed, by task too."""
    kept_by_task: dict[str, list[bool]] = defaultdict(list)
    for group, kept in zip(groups, kept_by_group, strict=True):
        kept_by_task[group.example.task_type] += kept
    metrics = {
        f"training/kept_fraction_{task}": fmean(kept) for task, kept in sorted(kept_by_task.items())
    }
    everything = [value for kept in kept_by_task.values() for value in kept]
    return {"training/kept_fraction": fmean(everything), **metrics}


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


def _num_response_tokens(rollout: Rollout) -> int:
    return sum(len(turn.response_ids) for turn in rollout.turns)


def _sequences(
    config: TrainingConfig,
    groups: Sequence[RolloutGroup],
    advantages: Tensor,
    *,
    kept: Tensor,
    in_update: Tensor,
) -> tuple[tuple[TrainingSequence, ...], int]:
    """Return the calls with a gradient, and the number of calls in the update.

    With a KL term every call has a gradient, whatever its advantage.
    """
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    weights = torch.where(kept, advantages, torch.zeros_like(advantages)).tolist()
    pairs = [
        (turn, weight)
        for rollout, weight, counts in zip(rollouts, weights, in_update.tolist(), strict=True)
        if counts
        for turn in rollout.turns
    ]
    sequences = _clip_negatives(
        config, [_to_sequence(turn, weight) for turn, weight in pairs], pairs
    )
    if config.loss.kl_coefficient == 0:
        sequences = [sequence for sequence in sequences if any(sequence.advantages)]
    return tuple(sequences), len(pairs)


def _to_sequence(turn: Turn, advantage: float) -> TrainingSequence:
    return TrainingSequence(
        prompt_ids=turn.prompt_ids,
        response_ids=turn.response_ids,
        rollout_logprobs=turn.rollout_logprobs,
        advantages=(advantage,) * len(turn.response_ids),
    )


def _clip_negatives(
    config: TrainingConfig,
    sequences: Sequence[TrainingSequence],
    pairs: Sequence[tuple[Turn, float]],
) -> list[TrainingSequence]:
    if config.negative_clipping.mode == "off" or not pairs:
        return list(sequences)
    lengths = torch.tensor([len(turn.response_ids) for turn, _ in pairs])
    sequence_ids = torch.repeat_interleave(torch.arange(len(pairs)), lengths)
    entropies = torch.tensor([entropy for turn, _ in pairs for entropy in turn.entropies])
    advantages = torch.tensor([value for sequence in sequences for value in sequence.advantages])
    keep = negative_keep_mask(entropies, advantages, sequence_ids, config.negative_clipping)
    masked = torch.where(keep, advantages, torch.zeros_like(advantages))
    rows = torch.split(masked, lengths.tolist())
    return [
        replace(sequence, advantages=tuple(values.tolist()))
        for sequence, values in zip(sequences, rows, strict=True)
    ]
