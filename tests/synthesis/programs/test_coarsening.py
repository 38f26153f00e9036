"""The ladder says less at each rung, and stops where the answer would change."""

import pytest

from longloom.synthesis.programs.coarsening import band_around, coarsen, date_rungs, ladder
from longloom.synthesis.programs.graph import Described, Follow, Named, Only
from longloom.synthesis.programs.predicates import Equals, InBand, InMonth, InYears, Role
from synthesis.small_world import MEMOS, stated


def test_date_rungs_go_from_month_to_decade() -> None:
    fact = stated("Memo 3", "created", "2018-03-05", "date")
    name = "memo.created"
    assert date_rungs(fact) == (
        InMonth(name, "2018-03"),
        InYears(name, 2018, 1),
        InYears(name, 2015, 5),
        InYears(name, 2010, 10),
    )
    assert date_rungs(stated("Memo 3", "created", "soon", "date")) == ()


@pytest.mark.parametrize(
    ("value", "band"),
    [
        ("12345", ("10000", "20000")),
        ("20000", ("20000", "30000")),
        ("-150", ("-200", "-100")),
        ("9", None),
        ("many", None),
    ],
)
def test_band_is_one_digit_wide(value: str, band: tuple[str, str] | None) -> None:
    assert band_around(value) == band


def test_name_may_be_said_by_its_role_in_another_document() -> None:
    fact = MEMOS.facts_of("Memo 3", "memo.author")[0]
    exact, role = ladder(fact, MEMOS)
    assert exact == Equals("memo.author", "Ada")
    assert role == Role("memo.author", Only(Follow(Named("Memo 1"), "memo.author")))


def test_coarsest_rung_that_keeps_the_answer_is_taken() -> None:
    fact = MEMOS.facts_of("Memo 3", "memo.created")[0]
    program = coarsen(
        lambda chosen: Only(Described("memo", chosen)), [ladder(fact, MEMOS)], MEMOS, "Memo 3"
    )
    # All three are of the 2010s; Memo 3 alone is of their second half.
    assert program == Only(Described("memo", (InYears("memo.created", 2015, 5),)))


def test_number_becomes_a_band_only_if_nothing_else_lies_in_it() -> None:
    fact = MEMOS.facts_of("Memo 2", "memo.pages")[0]
    assert ladder(fact, MEMOS)[1] == InBand("memo.pages", "40", "50")
