import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.errors import ConfigError, DataError
from longloom.training.shares import checked_weights, nested_counts, refill_counts

EQUAL = {"a": 1.0, "b": 1.0, "c": 1.0}


def test_categories_share_the_part_of_their_task():
    # Of 10, tasks get 5 and 5; task a has x and y, of weights 3 and 1; task b has y alone.
    counts = nested_counts(
        10,
        {"a": 1.0, "b": 1.0},
        {"x": 3.0, "y": 1.0},
        {("a", "x"): 50, ("a", "y"): 50, ("b", "y"): 50},
    )
    # 5 * 3/4 = 3.75 and 1.25: floored to 3 and 1, the one left to the larger weight.
    assert counts == {("a", "x"): 4, ("a", "y"): 1, ("b", "y"): 5}


def test_a_category_of_weight_zero_is_left_out_and_its_task_keeps_its_share():
    counts = nested_counts(
        4,
        {"a": 1.0, "b": 1.0},
        {"x": 0.0, "y": 1.0},
        {("a", "x"): 9, ("a", "y"): 9, ("b", "y"): 9},
    )
    assert counts == {("a", "x"): 0, ("a", "y"): 2, ("b", "y"): 2}


def test_a_task_whose_categories_all_have_weight_zero_is_refused():
    with pytest.raises(ConfigError, match=r"task_weights\.a is 1\.0"):
        nested_counts(2, {"a": 1.0, "b": 1.0}, {"x": 0.0, "y": 1.0}, {("a", "x"): 9, ("b", "y"): 9})


def test_only_examples_with_weight_count_towards_a_batch():
    with pytest.raises(DataError, match="3 examples for a batch of 4"):
        nested_counts(4, {"a": 1.0}, {"x": 0.0, "y": 1.0}, {("a", "x"): 9, ("a", "y"): 3})


def test_all_weights_zero_are_refused():
    with pytest.raises(ConfigError, match="is 0 for every name"):
        checked_weights("category_weights", {"a": 0.0}, ["a"])


def test_refill_asks_each_kind_for_what_it_lacks():
    asked = refill_counts(
        {"a": 2, "b": 2, "c": 2}, {"a": 2, "b": 0, "c": 1}, EQUAL, {"a": 9, "b": 9, "c": 9}
    )
    assert asked == {"a": 0, "b": 2, "c": 1}


def test_kinds_without_further_examples_leave_their_places_to_the_others():
    asked = refill_counts(
        {"a": 2, "b": 2, "c": 2}, {"a": 2, "b": 0, "c": 2}, EQUAL, {"a": 9, "b": 0, "c": 1}
    )
    assert asked == {"a": 1, "b": 0, "c": 1}


def test_places_that_others_took_are_not_asked_for_again():
    # b lacks 2, but a stood in for one of them: one place is free.
    asked = refill_counts({"a": 2, "b": 2}, {"a": 3, "b": 0}, EQUAL, {"a": 9, "b": 9})
    assert asked == {"a": 0, "b": 1}


def test_what_nobody_has_is_left_out():
    assert refill_counts({"a": 2, "b": 2}, {"a": 0, "b": 1}, EQUAL, {"a": 1, "b": 0}) == {
        "a": 1,
        "b": 0,
    }


@given(
    counts=st.lists(st.integers(0, 6), min_size=3, max_size=3),
    kept=st.lists(st.integers(0, 8), min_size=3, max_size=3),
    available=st.lists(st.integers(0, 6), min_size=3, max_size=3),
)
def test_refill_asks_for_exactly_what_lacks_if_it_is_there(counts, kept, available):
    def named(numbers):
        return dict(zip("abc", numbers, strict=True))

    asked = refill_counts(named(counts), named(kept), EQUAL, named(available))
    lacking = max(0, sum(counts) - sum(kept))
    assert sum(asked.values()) == min(lacking, sum(available))
    assert all(0 <= asked[name] <= named(available)[name] for name in "abc")
