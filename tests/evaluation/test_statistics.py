from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.errors import DataError
from longloom.evaluation.statistics import (
    bootstrap_mean,
    mean_by_question,
    paired_bootstrap,
    pass_at_k,
    wilson_interval,
)


@given(num_tries=st.integers(1, 7), correct_share=st.floats(0, 1), k_share=st.floats(0, 1))
def test_pass_at_k_is_the_share_of_subsets_with_a_right_try(
    num_tries: int, correct_share: float, k_share: float
) -> None:
    num_correct = round(correct_share * num_tries)
    k = max(1, round(k_share * num_tries))
    tries = [position < num_correct for position in range(num_tries)]
    subsets = list(combinations(tries, k))
    expected = sum(any(subset) for subset in subsets) / len(subsets)
    assert pass_at_k(num_tries, num_correct, k) == pytest.approx(expected)


def test_pass_at_one_is_the_share_of_right_tries() -> None:
    assert pass_at_k(8, 2, 1) == pytest.approx(0.25)


@pytest.mark.parametrize("counts", [(4, 1, 5), (4, 5, 1), (4, 1, 0), (4, -1, 1)])
def test_impossible_counts_are_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(DataError):
        pass_at_k(*counts)


def test_bootstrap_interval_is_the_normal_one_on_many_questions() -> None:
    draws = np.random.default_rng(0).normal(2.0, 3.0, 900)
    values = {f"q{position}": float(value) for position, value in enumerate(draws)}
    estimate = bootstrap_mean(values, seed=1)
    margin = 1.96 * draws.std() / 30
    assert estimate.value == pytest.approx(draws.mean())
    assert estimate.low == pytest.approx(draws.mean() - margin, abs=0.02)
    assert estimate.high == pytest.approx(draws.mean() + margin, abs=0.02)
    assert estimate.num_questions == 900


def test_bootstrap_repeats_by_seed_and_ignores_the_order() -> None:
    values = {f"q{position}": position**1.5 for position in range(30)}
    backwards = dict(reversed(values.items()))
    assert bootstrap_mean(values, seed=3) == bootstrap_mean(backwards, seed=3)
    assert bootstrap_mean(values, seed=3) != bootstrap_mean(values, seed=4)


def test_wider_confidence_gives_a_wider_interval() -> None:
    values = {str(position): float(position % 3) for position in range(50)}
    narrow = bootstrap_mean(values, seed=0, confidence=0.5)
    wide = bootstrap_mean(values, seed=0, confidence=0.99)
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


def test_constant_gain_has_no_uncertainty_when_paired() -> None:
    baseline = {"a": 0.0, "b": 0.5, "c": 0.25}
    candidate = {question: value + 0.5 for question, value in baseline.items()}
    estimate = paired_bootstrap(baseline, candidate, seed=0)
    assert (estimate.value, estimate.low, estimate.high) == (0.5, 0.5, 0.5)


def test_results_on_other_questions_are_not_paired() -> None:
    with pytest.raises(DataError, match="2 questions, for example 'b'"):
        paired_bootstrap({"a": 1.0, "b": 1.0}, {"a": 1.0, "c": 1.0}, seed=0)


@pytest.mark.parametrize("values", [{}, {"a": float("nan")}])
def test_no_question_and_no_number_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(DataError):
        bootstrap_mean(values, seed=0)


def test_wilson_interval_of_textbook_counts() -> None:
    # 10 of 20 at z = 1.95996: centre 0.5, margin z sqrt(1/80 + z^2/1600) / (1 + z^2/20)
    # = 1.95996 * 0.122069 / 1.192073 = 0.200702.
    estimate = wilson_interval(10, 20)
    assert estimate.value == 0.5
    assert estimate.low == pytest.approx(0.29930, abs=1e-5)
    assert estimate.high == pytest.approx(0.70070, abs=1e-5)


@given(num_trials=st.integers(1, 500), share=st.floats(0, 1))
def test_wilson_interval_holds_the_share_and_mirrors(num_trials: int, share: float) -> None:
    num_successes = round(share * num_trials)
    estimate = wilson_interval(num_successes, num_trials)
    mirrored = wilson_interval(num_trials - num_successes, num_trials)
    assert 0.0 <= estimate.low <= estimate.value <= estimate.high <= 1.0
    assert estimate.low == pytest.approx(1.0 - mirrored.high)


def test_wilson_interval_needs_trials() -> None:
    with pytest.raises(DataError, match="0 successes in 0 trials"):
        wilson_interval(0, 0)


def test_tries_at_a_question_are_averaged_first() -> None:
    assert mean_by_question([("a", 1.0), ("b", 0.0), ("a", 0.0)]) == {"a": 0.5, "b": 0.0}
