"""Estimates with their uncertainty: pass@k, bootstrap and Wilson intervals.

Questions are the unit everywhere: several tries at a question are averaged first, because tries
at one question are not independent.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from longloom.errors import DataError

_SEED = 0
_MOST_DRAWN = 20_000_000
"""Values that a bootstrap of `resampled_mean` draws at most."""
_FEWEST_RESAMPLES = 1_000
_RESAMPLED_AT_A_TIME = 1 << 22
"""Bounds the memory of the bootstrap to 64 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its confidence interval."""

    value: float
    """The estimate from all questions."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""
    num_questions: int
    """Questions (for Wilson's interval: trials) it rests on."""


def pass_at_k(num_tries: int, num_correct: int, k: int) -> float:
    """Return the unbiased estimate that at least one of `k` tries is right.

    1 - C(n - c, k) / C(n, k) with n tries of which c are right (Chen et al., arXiv 2107.03374).

    Raises:
        DataError: `k` is above the number of tries, or the counts contradict each other.
    """
    if not 1 <= k <= num_tries:
        raise DataError(f"pass@{k} needs at least {k} tries and k of at least 1, got {num_tries}")
    if not 0 <= num_correct <= num_tries:
        raise DataError(f"{num_correct} of {num_tries} tries cannot be right")
    return 1.0 - math.comb(num_tries - num_correct, k) / math.comb(num_tries, k)


def bootstrap_mean(
    value_by_question: Mapping[str, float],
    *,
    seed: int,
    confidence: float = 0.95,
    num_resamples: int = 10_000,
) -> Estimate:
    """Return the mean over questions with its percentile bootstrap interval.

    The order of the questions does not matter.

    Raises:
        DataError: there is no question, or a value is not finite.
    """
    values = _values(value_by_question, sorted(value_by_question))
    means = _resampled_means(values, seed=seed, num_resamples=num_resamples)
    return _percentile_estimate(values, means, confidence)


def bootstrap_mean_of_means(
    groups: Sequence[Mapping[str, float]],
    *,
    seed: int,
    confidence: float = 0.95,
    num_resamples: int = 10_000,
) -> Estimate:
    """Return the plain mean of the means of groups with its percentile bootstrap interval.

    Questions are resampled within their group, so that every group keeps its weight (the average
    over datasets of LongBench's QA, QwenLong-L1.5, Table 12).

    Raises:
        DataError: there is no group, one is empty, or a value is not finite.
    """
    if not groups:
        raise DataError("there are no groups to average; expected at least one")
    values = [_values(group, sorted(group)) for group in groups]
    means = [
        _resampled_means(own, seed=seed + number, num_resamples=num_resamples)
        for number, own in enumerate(values)
    ]
    centres = np.array([own.mean() for own in values])
    found = _percentile_estimate(centres, np.mean(means, axis=0), confidence)
    return replace(found, num_questions=sum(len(own) for own in values))


def paired_bootstrap(
    baseline_by_question: Mapping[str, float],
    candidate_by_question: Mapping[str, float],
    *,
    seed: int,
    confidence: float = 0.95,
    num_resamples: int = 10_000,
) -> Estimate:
    """Return the mean of candidate minus baseline with its percentile bootstrap interval.

    Questions are resampled with both their values, so that what is hard for both cancels.

    Raises:
        DataError: the questions differ, there is none, or a value is not finite.
    """
    unpaired = set(baseline_by_question) ^ set(candidate_by_question)
    if unpaired:
        raise DataError(
            f"{len(unpaired)} questions, for example {min(unpaired)!r}, are in one of the two "
            "results only; compare results on the same questions"
        )
    questions = sorted(baseline_by_question)
    differences = _values(candidate_by_question, questions) - _values(
        baseline_by_question, questions
    )
    means = _resampled_means(differences, seed=seed, num_resamples=num_resamples)
    return _percentile_estimate(differences, means, confidence)


def wilson_interval(num_successes: float, num_trials: int, *, confidence: float = 0.95) -> Estimate:
    """Return a proportion with Wilson's score interval, which is sound near 0 and 1 too.

    `num_successes` may be the sum of scores within [0, 1]: their variance is never above that of
    right and wrong with the same mean, so the interval is then on the safe side.

    Raises:
        DataError: there is no trial, or there are more successes than trials.
    """
    if num_trials < 1 or not 0 <= num_successes <= num_trials:
        raise DataError(f"{num_successes} successes in {num_trials} trials is not a proportion")
    z = NormalDist().inv_cdf((1.0 + confidence) / 2.0)
    share = num_successes / num_trials
    scale = 1.0 + z * z / num_trials
    centre = (share + z * z / (2 * num_trials)) / scale
    spread = share * (1.0 - share) / num_trials + z * z / (4 * num_trials**2)
    margin = z * math.sqrt(spread) / scale
    # At 0 and 1 the ends are exact; rounding must not exclude the share itself.
    low = 0.0 if num_successes == 0 else centre - margin
    high = 1.0 if num_successes == num_trials else centre + margin
    return Estimate(value=share, low=low, high=high, num_questions=num_trials)


def resampled_mean(
    values: Mapping[str, float], group_of: Mapping[str, str] | None = None
) -> Estimate:
    """Return the mean over questions, or the mean of the means of their groups, with its interval.

    The seed is fixed, and large sets are resampled less often.

    Args:
        values: by question.
        group_of: the group of each question; one without a group counts nowhere.

    Raises:
        DataError: there is no question that counts.
    """
    num_resamples = resamples_for(len(values))
    if group_of is None:
        return bootstrap_mean(values, seed=_SEED, num_resamples=num_resamples)
    groups: dict[str, dict[str, float]] = {}
    for question, value in values.items():
        if group := group_of.get(question):
            groups.setdefault(group, {})[question] = value
    return bootstrap_mean_of_means(
        [groups[name] for name in sorted(groups)], seed=_SEED, num_resamples=num_resamples
    )


def resamples_for(num_questions: int) -> int:
    """Return how often a set of questions is resampled: 10,000 times, large ones less often."""
    return max(_FEWEST_RESAMPLES, min(10_000, _MOST_DRAWN // max(1, num_questions)))


def widened_if_alike(found: Estimate) -> Estimate:
    """Return Wilson's interval where all questions score alike: resampling tells nothing then."""
    if found.low < found.high:
        return found
    return wilson_interval(found.value * found.num_questions, found.num_questions)


def mean_by_question(values: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Return the mean over each question's tries."""
    tries: dict[str, list[float]] = {}
    for question, value in values:
        tries.setdefault(question, []).append(value)
    return {question: math.fsum(found) / len(found) for question, found in tries.items()}


def _values(value_by_question: Mapping[str, float], questions: Sequence[str]) -> np.ndarray:
    if not questions:
        raise DataError("there are no questions to average; expected at least one")
    values = np.array([value_by_question[question] for question in questions], dtype=np.float64)
    if not np.isfinite(values).all():
        question = questions[int(np.argmin(np.isfinite(values)))]
        raise DataError(f"question {question!r} has the value {value_by_question[question]}")
    return values


def _resampled_means(values: np.ndarray, *, seed: int, num_resamples: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    batch = max(1, _RESAMPLED_AT_A_TIME // len(values))
    means = [
        values[
            generator.integers(0, len(values), (min(batch, num_resamples - done), len(values)))
        ].mean(axis=1)
        for done in range(0, num_resamples, batch)
    ]
    return np.concatenate(means)


def _percentile_estimate(values: np.ndarray, means: np.ndarray, confidence: float) -> Estimate:
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return Estimate(
        value=float(values.mean()), low=float(low), high=float(high), num_questions=len(values)
    )
