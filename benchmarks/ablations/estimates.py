"""Differences between arms, their intervals, and what they say.

An arm is compared with its baseline question by question and seed by seed: both were trained from
the same streams and asked the same questions from the same streams. The mean difference of one seed
is one observation; its interval over the seeds is Student's. What seeds cannot say, whether other
questions would show the same, is said by a bootstrap over the questions of each task.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from ablations.run_files import RunResult

CONFIDENCE = 0.95
NUM_RESAMPLES = 2_000
_STUDENT_975 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
)  # fmt: skip
"""Quantile 0.975 of Student's t for 1 to 20 degrees of freedom."""

Verdict = Literal["better", "not separated", "worse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean with its interval."""

    mean: float
    """The mean."""
    low: float
    """Lower end; minus infinity for a single observation."""
    high: float
    """Upper end."""
    num_observations: int
    """Observations it rests on."""

    @property
    def verdict(self) -> Verdict:
        """Whether the interval lies above zero, below it, or on both sides."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "not separated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """An arm against its baseline."""

    arm: str
    """The arm."""
    baseline: str
    """What it is compared with."""
    seeds: tuple[int, ...]
    """Seeds that both have."""
    over_seeds: Interval
    """Mean difference of the scores; interval over seeds."""
    over_questions: Interval
    """The same difference; interval over questions."""
    by_task: Mapping[str, Interval]
    """Differences by task; intervals over seeds."""


def student_interval(values: Sequence[float]) -> Interval:
    """Return the mean with Student's 95% interval; infinitely wide for one value.

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("no values for an interval; expected at least one")
    mean, count = fmean(values), len(values)
    if count == 1:
        return Interval(mean=mean, low=-math.inf, high=math.inf, num_observations=1)
    quantile = _STUDENT_975[min(count - 1, len(_STUDENT_975)) - 1]
    margin = quantile * stdev(values) / math.sqrt(count)
    return Interval(mean=mean, low=mean - margin, high=mean + margin, num_observations=count)


def compare(
    arm_runs: Sequence[RunResult],
    baseline_runs: Sequence[RunResult],
    task_by_question: Mapping[str, str],
) -> Comparison | None:
    """Return the paired comparison over the seeds both have; None if there is none.

    Raises:
        ValueError: the runs were asked different questions.
    """
    arm_by_seed = {run.seed: run for run in arm_runs}
    baseline_by_seed = {run.seed: run for run in baseline_runs}
    seeds = tuple(sorted(arm_by_seed.keys() & baseline_by_seed.keys()))
    if not seeds:
        return None
    differences = [
        question_differences(arm_by_seed[seed], baseline_by_seed[seed]) for seed in seeds
    ]
    by_seed = [_means_by_task(found, task_by_question) for found in differences]
    tasks = sorted(by_seed[0])
    return Comparison(
        arm=arm_runs[0].arm,
        baseline=baseline_runs[0].arm,
        seeds=seeds,
        over_seeds=student_interval([fmean(means.values()) for means in by_seed]),
        over_questions=question_interval(differences, task_by_question),
        by_task={task: student_interval([means[task] for means in by_seed]) for task in tasks},
    )


def question_differences(arm: RunResult, baseline: RunResult) -> dict[str, float]:
    """Return arm minus baseline for every question.

    Raises:
        ValueError: the questions differ.
    """
    if arm.reward_by_question.keys() != baseline.reward_by_question.keys():
        raise ValueError(f"{arm.arm} and {baseline.arm} were asked different questions")
    return {
        question: reward - baseline.reward_by_question[question]
        for question, reward in arm.reward_by_question.items()
    }


def question_interval(
    differences: Sequence[Mapping[str, float]], task_by_question: Mapping[str, str]
) -> Interval:
    """Return the mean over tasks, with a bootstrap interval over the questions of each task."""
    values_by_task: dict[str, list[float]] = {}
    for question in sorted(differences[0]):
        mean = fmean(found[question] for found in differences)
        values_by_task.setdefault(task_by_question[question], []).append(mean)
    tasks = sorted(values_by_task)
    rng = random.Random("questions")
    means = sorted(
        fmean(
            fmean(rng.choices(values_by_task[task], k=len(values_by_task[task]))) for task in tasks
        )
        for _ in range(NUM_RESAMPLES)
    )
    tail = round(NUM_RESAMPLES * (1 - CONFIDENCE) / 2)
    return Interval(
        mean=fmean(fmean(values) for values in values_by_task.values()),
        low=means[tail],
        high=means[-tail - 1],
        num_observations=len(differences[0]),
    )


def _means_by_task(
    differences: Mapping[str, float], task_by_question: Mapping[str, str]
) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for question, difference in differences.items():
        values.setdefault(task_by_question[question], []).append(difference)
    return {task: fmean(found) for task, found in values.items()}
