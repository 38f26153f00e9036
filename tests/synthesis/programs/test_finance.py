from decimal import Decimal

import pytest

from longloom.synthesis.programs.finance import (
    Compounded,
    Coupons,
    Discounted,
    EffectiveRate,
    InterestBetween,
    LevelPayment,
    MonthlyRate,
    Share,
    StraightLine,
    num_months,
)
from longloom.synthesis.programs.numeric import Rounded, Stated
from longloom.synthesis.programs.numeric_arithmetic import Plus
from longloom.synthesis.programs.world import World

EMPTY = World({})


def usd(value):
    return Stated(value, "USD")


def percent(value):
    return Stated(value, "%")


def test_issuance_fee_and_first_year_of_semi_annual_interest():
    # 0.9% of 600 million is 5.4 million; two payments of 2.25% are 27 million.
    principal = usd("600000000")
    cost = Plus(Share(principal, percent("0.9")), Coupons(principal, percent("4.5"), 2, 2))
    assert Rounded(cost, 6, 1, "money").execute(EMPTY).only_answer == "$32.4 million"


def test_extension_from_july_2022_to_august_2023_is_13_months():
    # 9% of 8 million is 720,000 a year, 60,000 a month, 780,000 in 13; a 2.5% fee is 200,000.
    principal = usd("8000000")
    interest = InterestBetween(principal, percent("9"), "2022-07", "2023-08", 0)
    cost = Plus(Share(principal, percent("2.5")), interest)
    assert Rounded(cost, 0, 0, "money").execute(EMPTY).only_answer == "$980,000"


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        ("2022-07", "2023-08", 13),
        ("2022-07-15", "2023-08-14", 12),
        ("2022-07-15", "2023-08-15", 13),
        ("2022-12", "2023-01", 1),
        ("2022-13", "2023-01", None),
    ],
)
def test_months_are_counted_whole(start, end, months):
    assert num_months(start, end) == months


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (Compounded(usd("1000"), percent("10"), 2, 4), "1215.50625"),
        (Discounted(usd("1210"), percent("10"), 2), "1000"),
        (EffectiveRate(percent("10"), 2), "10.25"),
        (StraightLine(usd("1200"), 5, 12), "700"),
        (LevelPayment(usd("1000"), percent("12"), 12, 1), "1010"),
        # Payments p with p / 1.1 + p / 1.21 = 210: p = 210 * 1.21 / 2.1.
        (LevelPayment(usd("210"), percent("10"), 1, 2), "121"),
        (MonthlyRate(percent("12.682503013196972")), "1"),
    ],
)
def test_formulas_give_what_is_worked_by_hand(node, expected):
    assert round(Decimal(node.execute(EMPTY).only_answer), 8) == Decimal(expected)


@pytest.mark.parametrize(
    "node",
    [
        Coupons(usd("1"), usd("5"), 2, 2),
        Coupons(usd("1"), percent("5"), 0, 2),
        LevelPayment(usd("1"), percent("0"), 12, 12),
        Compounded(usd("1"), percent("5"), 12, 10**9),
        InterestBetween(usd("1"), percent("5"), "2023-08", "2022-07", 0),
        StraightLine(usd("1"), 13, 12),
    ],
)
def test_terms_that_make_no_sense_give_nothing(node):
    assert not node.execute(EMPTY).answers
