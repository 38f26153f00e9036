"""What a stage is trained with, and what it tells while it runs."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from longloom.errors import DataError
from longloom.records import Context, Example, RolloutGroup, SamplingParams
from longloom.rewards import ScoreFunction
from longloom.rollout import Agent
from longloom.training.attempts import roll_out
from longloom.training.engine import TrainEngine

ProgressFunction = Callable[[str, int, int], None]
"""Told what is being done beside the steps, how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What one step produced."""

    step: int
    """1 .. num_steps within the stage."""
    groups: tuple[RolloutGroup, ...]
    """All groups of the step with their rewards, those left out of the update included; none in
    supervised fine-tuning."""
    metrics: Mapping[str, float]
    """`room/name_unit` figures."""


class StepListener(Protocol):
    """Told after every step, just before its checkpoint is written.

    So a run killed in between has logged a step that it will do again: whoever resumes a stage
    discards what was logged after `last_step`.
    """

    def __call__(self, result: StepResult) -> None:
        """Log or show the step."""


def show_nothing(description: str, num_done: int, num_total: int) -> None:
    """Receive progress that nobody shows."""


class AskedStage(Protocol):
    """What measuring and validation need of a stage, wherever its rollouts are made."""

    @property
    def examples(self) -> Sequence[Example]:
        """Training examples; those outside the stage's lengths are left out."""

    @property
    def contexts(self) -> Collection[str]:
        """Ids of the contexts that are there."""

    @property
    def seed(self) -> int:
        """Names the random streams, with stage and step."""

    @property
    def folder(self) -> Path:
        """The stage's folder."""

    @property
    def model_id(self) -> str:
        """Names the starting weights; empty where the folder belongs to one model anyway."""

    @property
    def on_progress(self) -> ProgressFunction:
        """Told how far measuring is."""

    def roll_out(
        self,
        examples: Sequence[Example],
        *,
        num_rollouts: int,
        params: SamplingParams,
        policy_version: int,
        key: str,
    ) -> tuple[RolloutGroup, ...]:
        """Return one scored group per example, in order; see `attempts.roll_out`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageInputs:
    """The live parts a stage is trained with in this process; an `AskedStage`."""

    engine: TrainEngine
    """Holds the policy, already loaded with the stage's starting weights."""
    agent: Agent
    """Turns examples into rollouts."""
    score: ScoreFunction
    """Turns rollouts into rewards."""
    examples: Sequence[Example]
    """Training examples; those outside the stage's lengths are left out."""
    contexts: Mapping[str, Context]
    """Their contexts by id, those of the validation examples too."""
    seed: int
    """Names the random streams, with stage and step."""
    folder: Path
    """The stage's folder: `step-000007/` while it runs, `final/` when it is done."""
    validation: Sequence[Example] = ()
    """Held-out examples for validation during training."""
    model_id: str = ""
    """Names the starting weights, so that what was measured with others is not taken for theirs;
    empty where the folder belongs to one model anyway."""
    on_progress: ProgressFunction = show_nothing
    """Told how far measuring before the first step is."""

    def roll_out(
        self,
        examples: Sequence[Example],
        *,
        num_rollouts: int,
        params: SamplingParams,
        policy_version: int,
        key: str,
    ) -> tuple[RolloutGroup, ...]:
        """Return one scored group per example, in order; see `attempts.roll_out`."""
        return roll_out(
            self.agent,
            self.engine.sampler,
            self.score,
            [(example, self.contexts[example.context_id]) for example in examples],
            num_rollouts=num_rollouts,
            params=params,
            policy_version=policy_version,
            key=key,
        )


def check_contexts(examples: Sequence[Example], contexts: Collection[str]) -> None:
    """Check that every example's context is there.

    Raises:
        DataError: one is missing.
    """
    for example in examples:
        if example.context_id not in contexts:
            raise DataError(
                f"example {example.example_id} refers to context {example.context_id}, which is "
                "missing; expected it among the contexts; synthesise the examples again"
            )
