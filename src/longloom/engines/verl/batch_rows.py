"""Between the rows that verl keeps of a batch, one a call of the model, and our rollout groups.

verl names a row `{uid}_{session}_{turn}`: the prompt's id, the rollout within its group and the
call within the rollout. Rows appended to fill a batch have ids of their own and belong to nobody.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from longloom.errors import EngineError
from longloom.records import Example, FinishReason, Reward, Rollout, RolloutGroup, Turn
from longloom.training.batch import MiniBatch
from longloom.training.loss_config import LossConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """One row: a call of the model."""

    key: str
    """Its name."""
    response_ids: tuple[int, ...]
    """What was sampled; empty if the rollout failed before it called the model."""
    finish_reason: FinishReason
    """Why the call ended."""
    error: str
    """Why its rollout failed, or empty."""
    reward: Reward | None
    """The score of its rollout; None where verl keeps it with another call."""

    @property
    def uid(self) -> str:
        """The id of its prompt."""
        return self.key.rsplit("_", 2)[0]

    @property
    def session(self) -> int:
        """Its rollout within the group."""
        return int(self.key.rsplit("_", 2)[1])

    @property
    def turn(self) -> int:
        """Its place within the rollout."""
        return int(self.key.rsplit("_", 2)[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedRows:
    """Rows as rollout groups."""

    groups: tuple[RolloutGroup, ...]
    """One per prompt, in the order asked for; without the prompts' tokens and texts."""
    keys: tuple[str, ...]
    """The row of every call with tokens: groups, rollouts and turns in their order."""


def group_rows(
    example_by_uid: Mapping[str, Example],
    rows: Sequence[CallRow],
    *,
    num_rollouts: int,
    policy_version: int,
) -> GroupedRows:
    """Return the groups of some prompts.

    Args:
        example_by_uid: the example asked under each id, in order.
        rows: all calls, in any order.
        num_rollouts: attempts per prompt.
        policy_version: optimizer steps the policy had taken.

    Raises:
        EngineError: a rollout is missing or has no score: its worker was lost.
    """
    calls: dict[tuple[str, int], list[CallRow]] = defaultdict(list)
    for row in rows:
        calls[row.uid, row.session].append(row)
    groups: list[RolloutGroup] = []
    keys: list[str] = []
    for uid, example in example_by_uid.items():
        rollouts, rewards = [], []
        for session in range(num_rollouts):
            own = sorted(calls[uid, session], key=lambda row: row.turn)
            reward = next((row.reward for row in own if row.reward is not None), None)
            if reward is None:
                raise EngineError(
                    f"rollout {session} of example {example.example_id} came back with {len(own)} "
                    "calls and no score; expected one: a worker was lost, its log says why; run "
                    "the same command again, which resumes from the last checkpoint"
                )
            rollouts.append(_rollout(example, session, policy_version, own))
            rewards.append(reward)
            keys += [row.key for row in own if row.response_ids]
        groups.append(
            RolloutGroup(example=example, rollouts=tuple(rollouts), rewards=tuple(rewards))
        )
    return GroupedRows(groups=tuple(groups), keys=tuple(keys))


def _rollout(
    example: Example, session: int, policy_version: int, rows: Sequence[CallRow]
) -> Rollout:
    return Rollout(
        example_id=example.example_id,
        rollout_index=session,
        policy_version=policy_version,
        turns=tuple(
            Turn(
                prompt_ids=(),
                response_ids=row.response_ids,
                rollout_logprobs=(),
                entropies=(),
                finish_reason=row.finish_reason,
                prompt_text="",
                response_text="",
            )
            for row in rows
            if row.response_ids
        ),
        final_text="",
        error=next((row.error for row in rows if row.error), ""),
    )


def with_turns(
    groups: Sequence[RolloutGroup], change: Callable[[Turn, int], Turn]
) -> tuple[RolloutGroup, ...]:
    """Return groups with every turn changed; `change` gets it and its place among all turns."""
    places = count()
    return tuple(
        replace(
            group,
            rollouts=tuple(
                replace(rollout, turns=tuple(change(turn, next(places)) for turn in rollout.turns))
                for rollout in group.rollouts
            ),
        )
        for group in groups
    )


def advantages_for_verl(mini_batch: MiniBatch, loss: LossConfig) -> list[tuple[float, ...]]:
    """Return the advantages of each sequence as verl's loss must see them.

    verl divides a token mean by the tokens of the rows that it is sent; ours are divided by
    `denominators.num_tokens`, which may count calls without a gradient too. The loss is linear in
    the advantages, clipping included, so the quotient goes into them, exactly. A mean over
    sequences has its denominator from the trainer.
    """
    factor = 1.0
    if loss.aggregation == "token_mean":
        num_sent = sum(len(sequence.response_ids) for sequence in mini_batch.sequences)
        factor = num_sent / mini_batch.denominators.num_tokens
    return [
        tuple(value * factor for value in sequence.advantages) for sequence in mini_batch.sequences
    ]
