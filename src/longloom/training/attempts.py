"""Roll out examples with a stage's agent and score what comes back."""

from collections.abc import Sequence

from longloom.models.protocols import Sampler
from longloom.records import Context, Example, RolloutGroup, SamplingParams
from longloom.rewards import ScoreFunction, score_all
from longloom.rollout import Agent, Attempt, TokenChat, run_attempts


def roll_out(
    agent: Agent,
    sampler: Sampler,
    score: ScoreFunction,
    asked: Sequence[tuple[Example, Context]],
    *,
    num_rollouts: int,
    params: SamplingParams,
    policy_version: int,
    key: str,
) -> tuple[RolloutGroup, ...]:
    """Return one scored group per example, in order; all attempts run at once.

    Args:
        agent: answers.
        sampler: draws from the policy.
        score: gives rewards.
        asked: examples with their contexts.
        num_rollouts: attempts per example.
        params: how answers are drawn.
        policy_version: optimizer steps the policy has taken.
        key: names the random streams.

    The random stream of an attempt is named by `key`, the example and the rollout's index: within
    one key an example may be rolled out once.

    Raises:
        RewardError: a judge was needed and could not be asked.
    """
    attempts = [
        Attempt(
            example=example,
            context=context,
            rollout_index=index,
            policy_version=policy_version,
            params=params,
            key=f"{key}/{example.example_id}/{index}",
        )
        for example, context in asked
        for index in range(num_rollouts)
    ]
    rollouts = run_attempts(agent, attempts, sampler=TokenChat(sampler))
    rewards = score_all(score, rollouts, [attempt.example for attempt in attempts])
    groups = []
    for position, (example, _) in enumerate(asked):
        own = slice(position * num_rollouts, (position + 1) * num_rollouts)
        groups.append(
            RolloutGroup(
                example=example, rollouts=tuple(rollouts[own]), rewards=tuple(rewards[own])
            )
        )
    return tuple(groups)
