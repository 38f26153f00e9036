"""Take GRPO steps with the local engine and write what they cost.

    python -m grpo_steps.our_steps PLAN.json RESULT.json

A step is what the training loop does but for its checkpoint: rollouts by the engine's sampler
through the single-pass agent, rewards, advantages, one update. The first step warms up and is not
counted. Unshared, every answer has a prompt of its own: the same work for an engine that shares
nothing, by the same code.
"""

import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from grpo_steps.children import StepPlan, read_plan
from grpo_steps.made_prompts import QUESTION, MadePrompt, fingerprint, read_prompts
from grpo_steps.process_memory import MemoryMeter
from longloom.engines.local import LocalEngine
from longloom.engines.local_config import LocalEngineConfig
from longloom.records import (
    Context,
    Example,
    Reward,
    RewardRule,
    Rollout,
    RolloutGroup,
    SamplingParams,
    Split,
    TaskType,
)
from longloom.rewards import score_all
from longloom.rollout import Attempt, SinglePassAgent, TokenChat, run_attempts
from longloom.training.advantage_config import AdvantageConfig
from longloom.training.aepo_config import AepoConfig
from longloom.training.batch import prepare_batch
from longloom.training.entropy_control import AepoState
from longloom.training.stage import TrainingConfig
from longloom.training.updates import take_updates

LEARNING_RATE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFigures:
    """What one step cost."""

    wall_seconds: float
    """From the first request to the updated weights."""
    cpu_seconds: float
    """The same in CPU time of this process."""
    rollout_wall_seconds: float
    """Rollouts and rewards."""
    rollout_cpu_seconds: float
    """The same in CPU time."""
    answer_tokens: float
    """Mean length of the answers."""
    sampler_gap_nats: float
    """Mean distance of the sampler's log-probabilities from the trainer's."""


class Steps:
    """Takes the steps of a plan."""

    def __init__(self, plan: StepPlan) -> None:
        """Load the model."""
        self.plan = plan
        self.engine = LocalEngine(
            Path(plan.model),
            config=LocalEngineConfig(
                device=plan.device,
                dtype=plan.dtype,
                gradient_checkpointing="on" if plan.gradient_checkpointing else "off",
            ),
        )
        self.training = TrainingConfig(
            num_steps=plan.num_steps,
            group_size=plan.group_size,
            max_prompt_tokens=plan.prompt_tokens,
            max_response_tokens=plan.response_tokens,
            temperature=1.0,
            top_p=1.0,
            learning_rate=LEARNING_RATE,
            advantage=AdvantageConfig(kind="group_std"),
            aepo=AepoConfig(enabled=False),
        )
        self.digests: set[str] = set()

    def take(self, step: int, prompts: Sequence[MadePrompt]) -> StepFigures:
        """Take one step on one prompt for every answer of the group."""
        begin = self.now()
        group = self._rolled_out(step, prompts)
        rolled_out = self.now()
        batch = prepare_batch(self.training, [group], AepoState(), key=f"0/benchmark/{step}")
        metrics = take_updates(
            self.engine, self.training, batch.updates, learning_rate=LEARNING_RATE
        )
        end = self.now()
        turns = [rollout.turns[0] for rollout in group.rollouts]
        self.digests |= {fingerprint(turn.prompt_ids) for turn in turns}
        return StepFigures(
            wall_seconds=end[0] - begin[0],
            cpu_seconds=end[1] - begin[1],
            rollout_wall_seconds=rolled_out[0] - begin[0],
            rollout_cpu_seconds=rolled_out[1] - begin[1],
            answer_tokens=statistics.fmean(len(turn.response_ids) for turn in turns),
            sampler_gap_nats=metrics["training/sampler_gap_nats"],
        )

    def now(self) -> tuple[float, float]:
        """Return wall and CPU seconds; waits for the accelerator."""
        if self.plan.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter(), time.process_time()

    def _rolled_out(self, step: int, prompts: Sequence[MadePrompt]) -> RolloutGroup:
        params = SamplingParams(
            temperature=1.0, top_p=1.0, max_new_tokens=self.plan.response_tokens
        )
        example = made_example(self.plan.prompt_tokens)
        attempts = [
            Attempt(
                example=example,
                context=Context(context_id="made", text=prompt.context, parts=()),
                rollout_index=index,
                policy_version=step,
                params=params,
                key=f"0/benchmark/{step}/made/{index}",
            )
            for index, prompt in enumerate(prompts)
        ]
        rollouts = run_attempts(
            SinglePassAgent("plain"), attempts, sampler=TokenChat(self.engine.sampler)
        )
        rewards = score_all(odd_share, rollouts, [example] * len(rollouts))
        return RolloutGroup(example=example, rollouts=tuple(rollouts), rewards=tuple(rewards))


async def odd_share(rollout: Rollout, _example: Example) -> Reward:
    """Return the share of odd tokens, as the other side does."""
    token_ids = rollout.turns[0].response_ids
    value = sum(token % 2 for token in token_ids) / len(token_ids)
    return Reward(value=value, reward_parts={"rule": value}, extracted_answer="")


def made_example(prompt_tokens: int) -> Example:
    """Return the question that every prompt ends with."""
    return Example(
        example_id="made", task_type=TaskType.READING_COMPREHENSION, ability="recall",
        context_id="made", question=QUESTION, answer="the answer",
        reward_rule=RewardRule.COVER_EXACT_MATCH, program="{}", evidence=(),
        num_context_tokens=prompt_tokens, num_prompt_tokens=prompt_tokens, split=Split.TRAIN,
        licences=(), provenance=(),
    )  # fmt: skip


def main() -> None:
    """Take the steps and write the result."""
    plan = read_plan(Path(sys.argv[1]))
    torch.set_num_threads(plan.threads)
    prompts = read_prompts(Path(plan.prompts))
    steps = Steps(plan)
    meter = MemoryMeter(plan.device)
    figures = []
    for step in range(plan.num_steps + 1):
        if plan.shares_prompts:
            chosen = [prompts[step]] * plan.group_size
        else:
            chosen = prompts[step * plan.group_size : (step + 1) * plan.group_size]
        figures.append(steps.take(step, chosen))
    names = StepFigures.__dataclass_fields__
    result = {
        "engine": f"longloom local, torch {torch.__version__}",
        "steps": [{name: getattr(step, name) for name in names} for step in figures[1:]],
        "prompt_digests": sorted(steps.digests),
        **meter.figures(),
    }
    Path(sys.argv[2]).write_text(json.dumps(result), "utf-8")


if __name__ == "__main__":
    main()
