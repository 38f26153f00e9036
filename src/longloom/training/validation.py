"""Ask the policy held-out questions while it is trained.

The questions are the same every time, chosen by (seed, example id); so are the random streams, but
for the step. Nothing of the training depends on it, so a killed and resumed run measures the same.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

from pydantic import Field, NonNegativeInt, PositiveInt

from longloom.config import FrozenConfig
from longloom.errors import DataError
from longloom.records import Example, SamplingParams
from longloom.training.filters import mean_reward
from longloom.training.stage_inputs import AskedStage


class ValidationConfig(FrozenConfig):
    """How held-out questions are asked during training."""

    every_steps: NonNegativeInt = 0
    """Steps between two validations, and one after the last step; 0 turns it off."""
    num_examples: PositiveInt = 100
    """Held-out examples asked; all if there are fewer."""
    num_rollouts: PositiveInt = 1
    """Attempts per example."""
    temperature: float = Field(default=0.0, ge=0)
    """0 takes the most probable token; QwenLong-L1's script samples at 0.7."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Nucleus of sampled answers."""

    def is_due(self, step: int, num_steps: int) -> bool:
        """Return whether the policy is validated after `step` of `num_steps` steps."""
        return bool(self.every_steps) and (step % self.every_steps == 0 or step == num_steps)


def validation_examples(
    config: ValidationConfig, examples: Sequence[Example], *, max_prompt_tokens: int, seed: int
) -> tuple[Example, ...]:
    """Return the held-out examples of a stage: those that fit its prompts, drawn by id.

    Raises:
        DataError: validation is on and no example fits.
    """
    if not config.every_steps:
        return ()
    if not examples:
        raise DataError(
            f"validation.every_steps is {config.every_steps}, but there are no held-out examples; "
            "give rows with split=test or a file as rows.validation_file, or set "
            "training.validation.every_steps=0"
        )
    fitting = [example for example in examples if example.num_prompt_tokens <= max_prompt_tokens]
    if not fitting:
        raise DataError(
            f"validation.every_steps is {config.every_steps}, but none of {len(examples)} held-out "
            f"examples has a prompt of up to {max_prompt_tokens} tokens; give such examples, or "
            "set validation.every_steps=0"
        )
    ordered = sorted(fitting, key=lambda e: (_luck(seed, e.example_id), e.example_id))
    return tuple(ordered[: config.num_examples])


def validate(
    config: ValidationConfig,
    inputs: AskedStage,
    examples: Sequence[Example],
    *,
    max_response_tokens: int,
    step: int,
    key: str,
) -> dict[str, float]:
    """Return `validation/...` figures of the policy after `step` steps.

    Rewards are without length penalties.

    Raises:
        RewardError: a judge was needed and could not be asked.
    """
    groups = inputs.roll_out(
        examples,
        num_rollouts=config.num_rollouts,
        params=SamplingParams(
            temperature=config.temperature,
            top_p=config.top_p,
            max_new_tokens=max_response_tokens,
        ),
        policy_version=step,
        key=f"{key}/validation/{step}",
    )
    rewards_by_task: dict[str, list[float]] = defaultdict(list)
    for group in groups:
        rewards_by_task[str(group.example.task_type)].append(mean_reward(group))
    failed = [bool(rollout.error) for group in groups for rollout in group.rollouts]
    return {
        "validation/reward_mean": fmean(mean_reward(group) for group in groups),
        "validation/failed_fraction": fmean(failed),
        **{
            f"validation/reward_{task}": fmean(rewards)
            for task, rewards in sorted(rewards_by_task.items())
        },
    }


def _luck(seed: int, example_id: str) -> float:
    return random.Random(f"{seed}/validation/{example_id}").random()
