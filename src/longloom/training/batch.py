"""From scored rollout groups to the sequences of one update.

Advantages are computed per rollout, before rollouts are expanded to calls, and every call of a
rollout carries its rollout's advantage (QwenLong-L1.5, section 2.3). So a long document does not
weigh more in the statistics. Denominators count the tokens and sequences of all calls.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from longloom.records import Rollout, RolloutGroup, TrainingSequence, Turn
from longloom.training.advantages import compute_advantages
from longloom.training.entropy_control import (
    AepoState,
    batch_entropy,
    denominator_tokens,
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
    """Turn scored groups into the sequences of one update (method of section 4, Eq. 4, 7-11)."""
    everything = [turn for group in groups for turn in _turns_of(group)]
    entropy_nats = batch_entropy([turn.entropies for turn in everything], config.aepo.aggregation)
    aepo = update_latch(aepo, entropy_nats, config.aepo)
    kept_groups = filter_groups(config.group_filter, groups).kept
    rollouts = [rollout for group in kept_groups for rollout in group.rollouts]
    advantages = _advantages(config, kept_groups)
    kept = mask_negatives(advantages, aepo)
    num_tokens = torch.tensor(
        [_num_response_tokens(rollout) for rollout in rollouts], dtype=torch.int64
    )
    weights = torch.where(kept, advantages, torch.zeros_like(advantages)).tolist()
    pairs = [
        (turn, weight)
        for rollout, weight in zip(rollouts, weights, strict=True)
        for turn in rollout.turns
    ]
    sequences = _clip_negatives(
        config, [_to_sequence(turn, weight) for turn, weight in pairs], pairs
    )
    learning = tuple(sequence for sequence in sequences if any(sequence.advantages))
    return PreparedBatch(
        sequences=learning,
        denominators=LossDenominators(
            num_tokens=denominator_tokens(num_tokens, kept, config.aepo),
            num_sequences=max(1, len(pairs)),
        ),
        aepo=aepo,
        metrics={
            "training/entropy_nats": entropy_nats,
            "training/negatives_on": float(aepo.negatives_on),
            "training/kept_fraction": float(kept.float().mean()) if len(kept) else 0.0,
            "training/dropped_groups": float(len(groups) - len(kept_groups)),
            "training/learning_sequences": float(len(learning)),
        },
    )


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
        TrainingSequence(
            prompt_ids=sequence.prompt_ids,
            response_ids=sequence.response_ids,
            rollout_logprobs=sequence.rollout_logprobs,
            advantages=tuple(values.tolist()),
        )
        for sequence, values in zip(sequences, rows, strict=True)
    ]
