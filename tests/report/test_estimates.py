import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.evaluation.statistics import pass_at_k
from longloom.records import TaskType
from longloom.report.estimates import (
    accuracy,
    best_of_k,
    difference,
    percent,
    signed_points,
)


def test_best_of_two_of_three_ratios_by_hand() -> None:
    # draws (0, .5), (0, 1), (.5, 1): best .5, 1, 1
    assert best_of_k([1.0, 0.0, 0.5], 2) == pytest.approx(2.5 / 3)


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=9), st.data())
def test_best_of_k_is_pass_at_k_for_right_and_wrong(
    rewards: list[float], draw: st.DataObject
) -> None:
    k = draw.draw(st.integers(1, len(rewards)))
    assert best_of_k(rewards, k) == pytest.approx(pass_at_k(len(rewards), int(sum(rewards)), k))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_best_of_one_is_the_mean_and_best_of_all_the_maximum(rewards: list[float]) -> None:
    assert best_of_k(rewards, 1) == pytest.approx(sum(rewards) / len(rewards))
    assert best_of_k(rewards, len(rewards)) == pytest.approx(max(rewards))


def test_accuracy_is_the_mean_over_questions_of_one_task(cell_maker) -> None:
    cell = cell_maker(
        "base",
        "stage-1",
        "single_pass",
        {TaskType.NUMERICAL: [(1.0, 0.0), (1.0, 1.0)], TaskType.MULTI_HOP: [(0.0, 0.0)]},
    )
    numerical = accuracy(cell, task="numerical")
    assert numerical is not None
    assert numerical.value == pytest.approx(0.75)
    assert numerical.num_questions == 2
    assert accuracy(cell).value == pytest.approx(0.5)
    assert accuracy(cell, k=2).value == pytest.approx(2 / 3)


def test_there_is_no_estimate_without_questions_or_with_too_few_tries(cell_maker) -> None:
    cell = cell_maker("base", "stage-1", "single_pass", {TaskType.NUMERICAL: [(1.0, 0.0)]})
    assert accuracy(None) is None
    assert accuracy(cell, k=8) is None
    assert accuracy(cell, task="multi_hop") is None


def test_difference_is_paired_over_shared_questions(cell_maker) -> None:
    task = TaskType.NUMERICAL
    before = cell_maker("base", "stage-1", "single_pass", {task: [(0.0,), (1.0,)]})
    after = cell_maker("stage-3", "stage-1", "single_pass", {task: [(1.0,), (1.0,), (1.0,)]})
    change = difference(before, after)
    assert change is not None
    assert (change.value, change.num_questions) == (0.5, 2)
    assert difference(before, None) is None
    other_suite = cell_maker("stage-3", "stage-2", "single_pass", {task: [(1.0,)]})
    assert difference(before, other_suite) is None


def test_figures_are_written_with_one_decimal_and_a_real_minus_sign() -> None:
    assert percent(0.4167) == "41.7"
    assert signed_points(0.0321) == "+3.2"
    assert signed_points(-0.0321) == "\N{MINUS SIGN}3.2"
    assert signed_points(-0.0001) == "0.0"
