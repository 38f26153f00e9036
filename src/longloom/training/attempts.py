"""Roll out examples with a stage's agent and score what comes back."""

from collections.abc import Sequence

from longloom.records import Example, RolloutGroup, SamplingParams
from longloom.rewards import score_all
from longloom.rollout import Attempt, TokenChat, run_attempts
from longloom.training.stage_inputs import StageInputs


def roll_out(
    inputs: StageInputs,
    examples: Sequence[Example],
    *,
    num_rollouts: int,
    params: SamplingParams,
    policy_version: int,
    key: str,
) -> tuple[RolloutGroup, ...]:
    """Return one scored group per example, in order; all attempts run at once.

    The random stream of an attempt is named by `key`, the example and the rollout's index: within
    one key an example may be rolled out once.

    Raises:
        RewardError: a judge was needed and could not be asked.
    """
    attempts = [
        Attempt(
            example=example,
            context=inputs.contexts[example.context_id],
            rollout_index=index,
            policy_version=policy_version,
            params=params,
            key=f"{key}/{example.example_id}/{index}",
        )
        for example in examples
        for index in range(num_rollouts)
    ]
    rollouts = run_attempts(inputs.agent, attempts, sampler=TokenChat(inputs.engine.sampler))
    rewards = score_all(inputs.score, rollouts, [attempt.example for attempt in attempts])
    groups = []
    for position, example in enumerate(examples):
        own = slice(position * num_rollouts, (position + 1) * num_rollouts)
        groups.append(
            RolloutGroup(
                example=example, rollouts=tuple(rollouts[own]), rewards=tuple(rewards[own])
            )
        )
    return tuple(groups)
