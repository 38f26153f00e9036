"""From rollouts with advantages to the calls of the model that an update learns from.

A rollout of several turns becomes one sequence per call, each with its rollout's advantage
(QwenLong-L1.5, section 2.3). What a mask removed has advantage 0, and so have the calls of a
rollout that failed: a good memory update is not to blame for a sampler that broke down after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from longloom.records import RolloutGroup, TrainingSequence, Turn
from longloom.training.aepo_config import AepoConfig
from longloom.training.entropy_control import denominator_tokens
from longloom.training.loss_config import LossDenominators
from longloom.training.negative_clipping import negative_keep_mask
from longloom.training.negative_clipping_config import NegativeClippingConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the model in an update."""

    group_index: int
    """Its group among all groups of the step."""
    task_type: str
    """Its task."""
    is_kept: bool
    """Whether entropy control keeps its rollout."""
    sequence: TrainingSequence
    """What is learned; its advantages are 0 where a mask removed them."""
    place: int
    """Its place among all calls with tokens of the step, groups and rollouts in their order."""
    has_failed: bool = False
    """Whether its rollout failed later: it counts, but gives no gradient."""
    num_clipped_tokens: int = 0
    """Negative tokens that negative clipping removed."""


def calls_of(
    groups: Sequence[RolloutGroup],
    advantages: Float[Tensor, " B"],
    *,
    kept: Bool[Tensor, " B"],
    in_update: Bool[Tensor, " B"],
    clipping: NegativeClippingConfig,
) -> list[Call]:
    """Return the calls of all rollouts in the update, in order; those without tokens are left out.

    Args:
        groups: All groups of the step.
        advantages: One per rollout.
        kept: Rollouts that entropy control keeps; the others get advantage 0.
        in_update: Rollouts whose group is in the update.
        clipping: Which negative tokens are masked; quantiles are of the whole batch.
    """
    rows = [
        (index, group.example.task_type, rollout)
        for index, group in enumerate(groups)
        for rollout in group.rollouts
    ]
    weights = torch.where(kept, advantages, torch.zeros_like(advantages)).tolist()
    calls, turns = [], []
    place = 0
    columns = zip(rows, weights, kept.tolist(), in_update.tolist(), strict=True)
    for (index, task, rollout), weight, is_kept, counts in columns:
        spoken = [turn for turn in rollout.turns if turn.response_ids]
        for number, turn in enumerate(spoken if counts else (), start=place):
            turns.append(turn)
            calls.append(
                Call(
                    group_index=index,
                    task_type=str(task),
                    is_kept=is_kept,
                    has_failed=bool(rollout.error),
                    sequence=_to_sequence(turn, 0.0 if rollout.error else weight),
                    place=number,
                )
            )
        place += len(spoken)
    return _clip_negatives(calls, turns, clipping)


def denominators_of(calls: Sequence[Call], config: AepoConfig) -> LossDenominators:
    """Return what the loss of these calls divides by: all of them, or those kept (Eq. 8)."""
    num_tokens = torch.tensor([len(call.sequence.response_ids) for call in calls])
    kept = torch.tensor([call.is_kept for call in calls], dtype=torch.bool)
    num_sequences = int(kept.sum()) if config.denominator == "kept_tokens" else len(calls)
    return LossDenominators(
        num_tokens=denominator_tokens(num_tokens.to(torch.int64), kept, config),
        num_sequences=max(1, num_sequences),
    )


def _to_sequence(turn: Turn, advantage: float) -> TrainingSequence:
    return TrainingSequence(
        prompt_ids=turn.prompt_ids,
        response_ids=turn.response_ids,
        rollout_logprobs=turn.rollout_logprobs,
        advantages=(advantage,) * len(turn.response_ids),
    )


def _clip_negatives(
    calls: list[Call], turns: Sequence[Turn], config: NegativeClippingConfig
) -> list[Call]:
    if config.mode == "off" or not calls:
        return calls
    lengths = torch.tensor([len(turn.response_ids) for turn in turns])
    sequence_ids = torch.repeat_interleave(torch.arange(len(turns)), lengths)
    entropies = torch.tensor([entropy for turn in turns for entropy in turn.entropies])
    advantages = torch.tensor([value for call in calls for value in call.sequence.advantages])
    keep = negative_keep_mask(entropies, advantages, sequence_ids, config)
    masked = torch.where(keep, advantages, torch.zeros_like(advantages))
    rows = zip(
        calls,
        torch.split(masked, lengths.tolist()),
        torch.split(~keep, lengths.tolist()),
        strict=True,
    )
    return [
        replace(
            call,
            sequence=replace(call.sequence, advantages=tuple(values.tolist())),
            num_clipped_tokens=int(clipped.sum()),
        )
        for call, values, clipped in rows
    ]
