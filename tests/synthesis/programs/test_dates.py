"""Distances of dates, and worlds with one date moved."""

import pytest

from longloom.synthesis.programs.comparison import LEAST, Compare
from longloom.synthesis.programs.dates import DaysBetween, Had, MonthsBetween, YearsBetween
from longloom.synthesis.programs.graph import Described, Follow, Named, Values
from longloom.synthesis.programs.graph_sets import Count
from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.predicates import Equals, InYears
from synthesis.small_world import MEMOS, stated, world_of

FIRST = Follow(Named("Memo 1"), "memo.created")
SECOND = Follow(Named("Memo 2"), "memo.created")


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        # 2011-03-05 to 2013-07-20.
        (YearsBetween(SECOND, FIRST), "2"),
        (MonthsBetween(FIRST, SECOND), "28"),
        (DaysBetween(FIRST, SECOND), str(2 * 365 + 1 + 27 + 30 + 31 + 30 + 19)),
    ],
)
def test_distance_of_two_dates(program: Program, expected: str) -> None:
    assert program.execute(MEMOS).only_answer == expected


def test_july_2022_to_august_2023_is_13_months() -> None:
    world = world_of(
        stated("a", "day", "2022-07-31", "date"), stated("b", "day", "2023-08-01", "date")
    )
    ends = [Follow(Named(name), "memo.day") for name in "ab"]
    assert MonthsBetween(*ends).execute(world).only_answer == "13"


def test_imprecise_or_missing_dates_have_no_distance() -> None:
    world = world_of(stated("a", "day", "2022", "date"), stated("b", "day", "2023-02-30", "date"))
    ends = [Follow(Named(name), "memo.day") for name in "ab"]
    assert not DaysBetween(*ends).execute(world).answers
    assert not MonthsBetween(*ends).execute(world).answers
    assert YearsBetween(*ends).execute(world).only_answer == "1"
    assert not YearsBetween(ends[0], Follow(Named("c"), "memo.day")).execute(world).answers


def test_moved_date_changes_the_comparison_and_stated_facts_are_the_evidence() -> None:
    earliest = Compare(Values(("Memo 1", "Memo 2")), "memo.created", LEAST)
    moved = Had(Named("Memo 1"), "memo.created", 3, earliest)
    execution = moved.execute(MEMOS)
    assert execution.only_answer == "Memo 2"
    assert {fact.value for fact in execution.evidence} == {"2011-03-05", "2013-07-20"}
    assert all(fact in MEMOS.facts for fact in execution.evidence)


def test_moved_date_is_seen_by_look_ups_by_value_too() -> None:
    in_2014 = Count(Described("memo", (InYears("memo.created", 2014, 1),)))
    assert not in_2014.execute(MEMOS).answers
    assert Had(Named("Memo 1"), "memo.created", 3, in_2014).execute(MEMOS).only_answer == "1"
    exact = Described("memo", (Equals("memo.created", "2014-03-05"),))
    assert Had(Named("Memo 1"), "memo.created", 3, exact).execute(MEMOS).only_answer == "Memo 1"


def test_nothing_is_moved_of_what_is_not_stated() -> None:
    earliest = Compare(Values(("Memo 1", "Memo 2")), "memo.created", LEAST)
    assert not Had(Named("Memo 9"), "memo.created", 3, earliest).execute(MEMOS).answers
