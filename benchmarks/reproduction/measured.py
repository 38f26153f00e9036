"""What the runs of all seeds measured, and intervals over the seeds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from ablations.estimates import Interval, student_interval

from longloom.evaluation.cells import EvaluationCell
from longloom.report.run_contents import RunContents

DOCUMENTS = "windows-8"
"""The suite that the memory agent reads."""
NUM_LENGTHS = 3
"""Suites of whole contexts: one for the lengths of each stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One checkpoint of one seed; shares of 1."""

    by_task: Mapping[str, float]
    """Accuracy over the held-out questions of all lengths, task by task."""
    by_length: Mapping[str, float]
    """Accuracy by suite, each the questions of one stage's lengths."""
    agent: float
    """Documents of 8 windows answered rightly by the memory agent."""
    num_questions: int
    """Questions of all lengths together."""
    num_documents: int
    """Documents."""

    @property
    def mean(self) -> float:
        """Mean over the tasks."""
        return fmean(self.by_task.values())


Figure = Callable[[Measured], float]
"""One number of a checkpoint."""


def mean_of(measured: Measured) -> float:
    """Return the mean over the tasks."""
    return measured.mean


def agent_of(measured: Measured) -> float:
    """Return the accuracy of the memory agent."""
    return measured.agent


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """All checkpoints of all finished seeds."""

    by_checkpoint: Mapping[str, Sequence[Measured]]
    """The seeds in ascending order."""
    seeds: tuple[int, ...]
    """Which."""
    cpu_seconds: tuple[float, ...]
    """What each of them took, all calls together."""

    def interval(self, checkpoint: str, figure: Figure) -> Interval:
        """Return the mean over the seeds, with Student's interval."""
        return student_interval([figure(found) for found in self.by_checkpoint[checkpoint]])

    def change(self, to: str, since: str, figure: Figure) -> Interval:
        """Return the mean difference of two checkpoints of one seed, with Student's interval."""
        pairs = zip(self.by_checkpoint[to], self.by_checkpoint[since], strict=True)
        return student_interval([figure(after) - figure(before) for after, before in pairs])


def measured_of(run: RunContents, checkpoint: str) -> Measured | None:
    """Return what a run measured of a checkpoint, or None if it has not measured all of it."""
    documents = run.cell(checkpoint, DOCUMENTS, "memory")
    suites = {
        cell.suite: cell
        for cell in run.cells
        if (cell.checkpoint, cell.agent) == (checkpoint, "single_pass")
    }
    if documents is None or len(suites) < NUM_LENGTHS:
        return None
    rewards_by_task: dict[str, list[float]] = {}
    for cell in suites.values():
        for score in cell.scores:
            rewards_by_task.setdefault(score.task_type, []).append(score.mean_reward)
    return Measured(
        by_task={task: fmean(found) for task, found in sorted(rewards_by_task.items())},
        by_length={suite: _mean_reward(cell) for suite, cell in sorted(suites.items())},
        agent=_mean_reward(documents),
        num_questions=sum(len(cell.scores) for cell in suites.values()),
        num_documents=len(documents.scores),
    )


def _mean_reward(cell: EvaluationCell) -> float:
    return fmean(score.mean_reward for score in cell.scores)
