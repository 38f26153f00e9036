"""Show a run while it goes on: a line per step, a bar while something takes its time."""

import math
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from longloom.cli.console import progress
from longloom.runlog.closing import ClosesOnExit

if TYPE_CHECKING:
    from longloom.recipes.evaluation_jobs import EvaluationJob
    from longloom.training.loop import StepResult

_TASK_COLUMNS = {
    "multiple_choice": "choice",
    "multi_hop": "hops",
    "reading_comprehension": "read",
    "dialogue_memory": "talk",
    "numerical": "number",
}
"""Reward by task: short headings."""
HEADING = (
    f"{'stage':<8}  {'step':>7}  reward  "
    + "  ".join(f"{name:>6}" for name in _TASK_COLUMNS.values())
    + "  entropy  neg  tokens  seconds"
)
"""Over the lines of `training_line`."""


SFT_HEADING = f"{'stage':<8}  {'step':>7}     loss   epoch  answer tokens  seconds"
"""Over the lines of `sft_line`."""


def sft_line(stage: str, num_steps: int, result: "StepResult") -> str:
    """Return one aligned line of a step of supervised fine-tuning."""
    metrics = result.metrics
    columns = (
        f"{stage:<8.8}",
        f"{f'{result.step}/{num_steps}':>7}",
        f"{metrics['training/nll_nats']:7.4f}",
        # verl's trainer does not tell these.
        f"{metrics.get('training/epoch', math.nan):6.2f}",
        f"{metrics.get('training/response_tokens', math.nan):13,.0f}",
        f"{metrics.get('training/step_seconds', math.nan):7.1f}",
    )
    return "  ".join(columns)


def training_line(stage: str, num_steps: int, result: "StepResult") -> str:
    """Return one aligned line of a training step, under 100 columns."""
    metrics = result.metrics
    entropy_nats = metrics.get("training/entropy_nats")  # there is none where all rollouts failed
    rewards = [metrics.get(f"reward/{task}") for task in _TASK_COLUMNS]
    columns = (
        f"{stage:<8.8}",
        f"{f'{result.step}/{num_steps}':>7}",
        f"{metrics['reward/mean']:6.3f}",
        *("     -" if reward is None else f"{reward:6.3f}" for reward in rewards),
        "      -" if entropy_nats is None else f"{entropy_nats:7.4f}",
        {None: "  -", 1.0: " on"}.get(metrics.get("training/negatives_on"), "off"),
        f"{metrics['rollout/response_tokens']:6.1f}",
        f"{metrics['training/step_seconds']:7.1f}",
    )
    return "  ".join(columns)


class RunConsole(ClosesOnExit):
    """Prints what a run tells (see `recipes.pipeline.RunListener`)."""

    def __init__(self) -> None:
        self._bar = ExitStack()
        self._described = ""
        self._advance: Callable[[int], None] = lambda num_done: None
        self._stage = ""

    def close(self) -> None:
        """Take the progress bar away."""
        self._bar.close()

    def on_progress(self, description: str, num_done: int, num_total: int) -> None:
        """Show how far a part of the work is; a new part replaces the one shown."""
        if description != self._described:
            self._bar.close()
            self._described = description
            self._advance = self._bar.enter_context(progress(description, num_total))
        self._advance(num_done)
        if num_done >= num_total:
            self._bar.close()
            self._described = ""

    def on_step(self, stage: str, num_steps: int, result: "StepResult") -> None:
        """Print one line, under a heading where a stage begins."""
        is_sft = "training/nll_nats" in result.metrics
        if stage != self._stage:
            print(f"\n{SFT_HEADING if is_sft else HEADING}")
            self._stage = stage
        line = (sft_line if is_sft else training_line)(stage, num_steps, result)
        print(line, flush=True)
        if sys.stderr.isatty():
            self.on_progress(f"training {stage}", result.step, num_steps)

    def on_cell(self, job: "EvaluationJob", mean_reward: float) -> None:
        """Print one line for a finished evaluation cell."""
        agent = job.agent.replace("_", " ")
        columns = f"{job.checkpoint:<8}  {job.suite:<10}  {agent:<11}"
        print(f"evaluated  {columns}  reward {mean_reward:.3f}", flush=True)

    def on_message(self, message: str) -> None:
        """Print one line."""
        print(message, flush=True)
