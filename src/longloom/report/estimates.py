"""Figures of evaluation cells with their 95% intervals; questions are the unit.

Every interval of a page is drawn with the same seed, so a report written twice is the same file.
"""

import math
from collections.abc import Mapping, Sequence

from longloom.evaluation.cells import EvaluationCell
from longloom.evaluation.statistics import Estimate, bootstrap_mean, paired_bootstrap

_SEED = 0
_NUM_RESAMPLES = 4_000


def best_of_k(rewards: Sequence[float], k: int) -> float:
    """Return the expected best reward of `k` attempts drawn from these without putting back.

    With rewards of 0 and 1 this is the unbiased pass@k; a task that is scored by a ratio keeps
    its ratios. The i-th smallest of n rewards is the best of C(i - 1, k - 1) of the C(n, k) draws.

    Args:
        rewards: rewards of all attempts at one question.
        k: attempts, at most as many as there are rewards.
    """
    num_draws = math.comb(len(rewards), k)
    return math.fsum(
        reward * math.comb(rank, k - 1) / num_draws for rank, reward in enumerate(sorted(rewards))
    )


def values_by_question(cell: EvaluationCell, *, task: str = "", k: int = 1) -> dict[str, float]:
    """Return pass@`k` of every question of `cell`; of one task, if given."""
    return {
        score.example_id: best_of_k(score.rewards, k)
        for score in cell.scores
        if task in ("", score.task_type)
    }


def accuracy(cell: EvaluationCell | None, *, task: str = "", k: int = 1) -> Estimate | None:
    """Return mean pass@`k`, or None without such questions or with fewer than `k` attempts."""
    if cell is None or cell.num_samples < k:
        return None
    values = values_by_question(cell, task=task, k=k)
    if not values:
        return None
    return bootstrap_mean(values, seed=_SEED, num_resamples=_NUM_RESAMPLES)


def difference(
    baseline: EvaluationCell | None, candidate: EvaluationCell | None, *, task: str = ""
) -> Estimate | None:
    """Return candidate minus baseline over the questions they share; None if there are none."""
    if baseline is None or candidate is None:
        return None
    before = values_by_question(baseline, task=task)
    after = values_by_question(candidate, task=task)
    shared = before.keys() & after.keys()
    if not shared:
        return None
    return paired_bootstrap(
        _only(before, shared), _only(after, shared), seed=_SEED, num_resamples=_NUM_RESAMPLES
    )


def _only(values: Mapping[str, float], questions: set[str]) -> dict[str, float]:
    return {question: values[question] for question in questions}


def percent(value: float) -> str:
    """Return a share as percent with one decimal, without a sign for it: `41.7`."""
    return f"{100 * value:.1f}"


def signed_points(value: float) -> str:
    """Return a difference of shares in percentage points: `+3.2`, with a real minus sign."""
    text = f"{100 * value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "\N{MINUS SIGN}")
