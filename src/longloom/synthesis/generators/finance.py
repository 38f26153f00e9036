"""Dated finance on amounts of filings: the documents give the amounts, the question the terms.

Each typical misreading (a half-year's interest for a year's, a month too few, the fee left out) is
executed too and becomes an option of multiple choice.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

from longloom.records import RewardRule, TaskType
from longloom.synthesis.generators.draft import Draft, Setting
from longloom.synthesis.generators.finance_premises import Amount, Premises, Rate
from longloom.synthesis.generators.numerical_drafts import as_choice, is_apart, numbers_shown
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
)
from longloom.synthesis.programs.numeric import Numeric, Rounded, Stated
from longloom.synthesis.programs.numeric_arithmetic import Difference, Plus

_COUPONS = ("3.2", "3.75", "4.25", "4.5", "4.8", "5.25", "5.5", "6", "6.4", "7.2")
_FEES = ("0.35", "0.5", "0.75", "0.9", "1.25", "1.5", "2")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_CHOICE_SHARE = 0.65
_MAX_MISSES = 10
_MAX_PER_SHAPE = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A question with its program and what misreading it gives."""

    question: str
    program: Numeric
    misreadings: tuple[Numeric, ...]
    is_rate: bool = False
    num_decimals: int = 1


_Draw = Callable[["Premises", Random], _Case | None]


def _stated_rate(rng: Random) -> Rate:
    """Draw a rate that the question states: what filings report are discount rates of leases."""
    percent = rng.choice(_COUPONS)
    return Rate(Stated(percent, "%"), f"{percent}%", True)


def generate(setting: Setting, rng: Random) -> Iterator[Draft]:
    """Yield financial questions of every shape in turn; most with options."""
    premises = Premises(setting)
    if not any(premises.amounts.values()):
        return
    shown = numbers_shown(setting.documents.values())
    misses = dict.fromkeys(_SHAPES, 0)
    made = dict.fromkeys(_SHAPES, 0)
    alive = list(_SHAPES)
    questions: set[str] = set()
    while alive:
        rng.shuffle(alive)
        for name in alive:
            case = _SHAPES[name](premises, rng)
            draft = None
            if case is not None and case.question not in questions:
                draft = _draft(case, setting, shown, rng)
            if draft is None or case is None:
                misses[name] += 1
                continue
            questions.add(case.question)
            misses[name] = 0
            made[name] += 1
            yield draft
        alive = [
            name for name in alive if misses[name] < _MAX_MISSES and made[name] < _MAX_PER_SHAPE
        ]


def _draft(case: _Case, setting: Setting, shown: frozenset[str], rng: Random) -> Draft | None:
    style = "percent" if case.is_rate else "money"
    scale = 0 if case.is_rate else 6
    root = Rounded(case.program, scale, case.num_decimals, style)
    execution = root.execute(setting.world)
    answer = execution.only_answer
    if answer is None or not execution.evidence:
        return None
    digits = "".join(sign for sign in answer if sign.isdigit() or sign == ".")
    if len(digits.strip("0.").replace(".", "")) < 3 or digits.strip("0") in shown:
        return None
    request = _request(case)
    draft = Draft(
        task_type=TaskType.NUMERICAL,
        ability="hypothetical",
        question=f"{case.question} {request}",
        program=root,
        answer=answer,
        reward_rule=RewardRule.NUMERIC,
        num_hops=3,
        min_documents=len({fact.doc_id for fact in execution.evidence}),
    )
    if rng.random() >= _CHOICE_SHARE:
        return draft
    wrong: list[str] = []
    for misreading in case.misreadings:
        option = Rounded(misreading, scale, case.num_decimals, style).execute(setting.world)
        text = option.only_answer
        if text and all(is_apart(text, other) for other in (answer, *wrong)):
            wrong.append(text)
    return as_choice(draft, wrong[:3], rng) if len(wrong) >= 3 else draft


def _request(case: _Case) -> str:
    unit = "percent" if case.is_rate else "millions of US dollars"
    places = {1: "one decimal place", 2: "two decimal places", 4: "four decimal places"}
    return f"Give the answer in {unit}, rounded to {places[case.num_decimals]}."


def _first_year_cost(premises: Premises, rng: Random) -> _Case | None:
    amount, rate = premises.amount(rng, "debt"), _stated_rate(rng)
    if amount is None:
        return None
    percent = rng.choice(_FEES)
    fee = Share(amount.node, Stated(percent, "%"))
    coupons = Coupons(amount.node, rate.node, 2, 2)
    half = Coupons(amount.node, rate.node, 2, 1)
    twice = Coupons(amount.node, rate.node, 1, 2)
    return _Case(
        question=(
            f"Suppose notes were issued with a principal equal to {amount.words}, for an issuance "
            f"fee of {percent}% of the principal, and with semi-annual interest payments at "
            f"an annual coupon of {rate.words}. What do the issuance fee and the interest paid in "
            "the first year come to together?"
        ),
        program=Plus(fee, coupons),
        misreadings=(Plus(fee, half), coupons, Plus(fee, twice), Difference(coupons, fee), half),
    )


def _net_proceeds(premises: Premises, rng: Random) -> _Case | None:
    amount, rate = premises.amount(rng, "debt"), _stated_rate(rng)
    if amount is None:
        return None
    percent, payments = rng.choice(_FEES), rng.choice((4, 12))
    fee = Share(amount.node, Stated(percent, "%"))
    word = {4: "quarterly", 12: "monthly"}[payments]
    paid = Coupons(amount.node, rate.node, payments, 1)
    return _Case(
        question=(
            f"Suppose a loan with a principal equal to {amount.words} is paid out less an "
            f"arrangement fee of {percent}% of the principal, and bears interest, paid "
            f"{word} on the full principal, at an annual rate of {rate.words}. What is left of "
            "the amount paid out after the first interest payment?"
        ),
        program=Difference(Difference(amount.node, fee), paid),
        misreadings=(
            Difference(Difference(amount.node, fee), Coupons(amount.node, rate.node, 1, 1)),
            Difference(amount.node, paid),
            Difference(amount.node, fee),
            Plus(Difference(amount.node, paid), fee),
            Difference(amount.node, Coupons(amount.node, rate.node, 1, 1)),
        ),
    )


def _span(rng: Random) -> tuple[str, str, str]:
    """Draw two months, at least seven apart and never whole years, with their words."""
    year, month = rng.randint(2019, 2025), rng.randrange(12)
    months = rng.choice((7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23))
    last = month + months
    start, end = f"{year}-{month + 1:02}", f"{year + last // 12}-{last % 12 + 1:02}"
    words = f"from {_MONTHS[month]} {year} to {_MONTHS[last % 12]} {year + last // 12}"
    return start, end, words


def _between(
    amount: Amount, rate: Rate, start: str, end: str, extra_months: int = 0
) -> InterestBetween:
    return InterestBetween(amount.node, rate.node, start, end, extra_months)


def _extension(premises: Premises, rng: Random) -> _Case | None:
    amount, rate = premises.amount(rng, "due"), _stated_rate(rng)
    if amount is None:
        return None
    start, end, words = _span(rng)
    year = Share(amount.node, rate.node)
    return _Case(
        question=(
            f"Suppose the repayment of an amount equal to {amount.words} were put off {words} "
            f"(the same day of the month) at simple interest, counted by whole months, at "
            f"an annual rate of {rate.words}. How much interest would be due for the extension?"
        ),
        program=_between(amount, rate, start, end),
        misreadings=(
            _between(amount, rate, start, end, 1),
            _between(amount, rate, start, end, -1),
            year,
            _between(amount, rate, start, end, 12),
        ),
    )


def _extension_with_fee(premises: Premises, rng: Random) -> _Case | None:
    amount, rate = premises.amount(rng, "debt"), _stated_rate(rng)
    if amount is None:
        return None
    start, end, words = _span(rng)
    percent = rng.choice(_FEES)
    fee, interest = Share(amount.node, Stated(percent, "%")), _between(amount, rate, start, end)
    return _Case(
        question=(
            f"Suppose a debt equal to {amount.words} were extended {words} (the same day of the "
            f"month) for an extension fee of {percent}% of the debt and simple interest, "
            f"counted by whole months, at an annual rate of {rate.words}. What would fee and "
            "interest cost together?"
        ),
        program=Plus(fee, interest),
        misreadings=(
            interest,
            Plus(fee, _between(amount, rate, start, end, -1)),
            Plus(fee, Share(amount.node, rate.node)),
            Plus(fee, _between(amount, rate, start, end, 1)),
            Difference(interest, fee),
        ),
    )


def _payment(premises: Premises, rng: Random) -> _Case | None:
    amount, rate = premises.amount(rng, "debt"), _stated_rate(rng)
    if amount is None:
        return None
    years, per_year = rng.choice((3, 5, 7, 10)), rng.choice((4, 12))
    word = {4: "quarter", 12: "month"}[per_year]
    times = years * per_year
    return _Case(
        question=(
            f"Suppose a loan equal to {amount.words} were repaid in equal payments at the end of "
            f"every {word} over {years} years, with interest compounded every {word} at "
            f"a nominal annual rate of {rate.words}. How much would each payment be?"
        ),
        program=LevelPayment(amount.node, rate.node, per_year, times),
        misreadings=(
            LevelPayment(amount.node, rate.node, 1, years),
            Coupons(amount.node, rate.node, per_year, 1),
            StraightLine(amount.node, times - 1, times),
            LevelPayment(amount.node, rate.node, per_year, times - per_year),
        ),
        num_decimals=2,
    )


def _compounding_gain(premises: Premises, rng: Random) -> _Case | None:
    amount, rate = premises.amount(rng, "invested"), _stated_rate(rng)
    if amount is None:
        return None
    years, per_year = rng.randint(2, 5), rng.choice((2, 4, 12))
    word = {2: "semi-annually", 4: "quarterly", 12: "monthly"}[per_year]
    often = Compounded(amount.node, rate.node, per_year, per_year * years)
    simple = Coupons(amount.node, rate.node, 1, years)
    return _Case(
        question=(
            f"Suppose an amount equal to {amount.words} were invested for {years} years, "
            f"compounded {word}, at a nominal annual rate of {rate.words}. How much interest would "
            "it earn in all?"
        ),
        program=Difference(often, amount.node),
        misreadings=(
            simple,
            Difference(
                Compounded(amount.node, rate.node, per_year, per_year * (years - 1)), amount.node
            ),
            Difference(Compounded(amount.node, rate.node, 1, years + 1), amount.node),
            Difference(Compounded(amount.node, rate.node, per_year, years), amount.node),
        ),
    )


def _present_value(premises: Premises, rng: Random) -> _Case | None:
    leased = premises.leased(rng) if rng.random() < 0.3 else None
    amount, rate = leased or (premises.amount(rng, "due"), _stated_rate(rng))
    if amount is None:
        return None
    years = rng.randint(2, 6)
    return _Case(
        question=(
            f"Suppose an amount equal to {amount.words} were due in a single payment in {years} "
            f"years. What would it be worth today, discounted with annual compounding at an "
            f"annual rate of {rate.words}?"
        ),
        program=Discounted(amount.node, rate.node, years),
        misreadings=(
            Discounted(amount.node, rate.node, years - 1),
            Compounded(amount.node, rate.node, 1, years),
            Difference(amount.node, Coupons(amount.node, rate.node, 1, years)),
            Discounted(amount.node, rate.node, years + 1),
        ),
    )


def _written_down(premises: Premises, rng: Random) -> _Case | None:
    amount = premises.amount(rng, "cost")
    if amount is None:
        return None
    start, end, words = _span(rng)
    months = 12 * (int(end[:4]) - int(start[:4])) + int(end[5:]) - int(start[5:])
    years = rng.choice((4, 5, 8, 10))
    return _Case(
        question=(
            f"Suppose a cost equal to {amount.words} were amortised evenly by months over {years} "
            f"years, of which the time {words} (the same day of the month) had gone by. How much "
            "would be left to amortise?"
        ),
        program=StraightLine(amount.node, months, 12 * years),
        misreadings=(
            StraightLine(amount.node, 12 * years - months, 12 * years),
            StraightLine(amount.node, months - 1, 12 * years),
            StraightLine(amount.node, months + 1, 12 * years),
            StraightLine(amount.node, 12, 12 * years),
        ),
    )


def _refinancing(premises: Premises, rng: Random) -> _Case | None:
    amount, rate = premises.amount(rng, "debt"), _stated_rate(rng)
    if amount is None:
        return None
    high = rng.choice(("8.5", "9", "9.6", "10.2", "11"))
    before, years = Stated(high, "%"), rng.randint(2, 4)
    dear, cheap = (Coupons(amount.node, node, 2, 2 * years) for node in (before, rate.node))
    return _Case(
        question=(
            f"Suppose a debt equal to {amount.words} bore interest at {high}% a year, paid "
            f"semi-annually, and, with the same principal, its annual rate were cut to "
            f"{rate.words}. How much less interest would be paid over {years} years?"
        ),
        program=Difference(dear, cheap),
        misreadings=(
            Difference(
                Coupons(amount.node, before, 2, years), Coupons(amount.node, rate.node, 2, years)
            ),
            Difference(Coupons(amount.node, before, 1, 1), Coupons(amount.node, rate.node, 1, 1)),
            Difference(
                Coupons(amount.node, before, 1, 2 * years),
                Coupons(amount.node, rate.node, 1, 2 * years),
            ),
            cheap,
            dear,
        ),
    )


def _effective(premises: Premises, rng: Random) -> _Case | None:
    rate = premises.reported_rate(rng)
    if rate is None:
        return None
    per_year = rng.choice((2, 4, 12))
    word = {2: "semi-annually", 4: "quarterly", 12: "monthly"}[per_year]
    return _Case(
        question=(
            f"Take {rate.words} as a nominal annual rate compounded {word}. What is the effective "
            "annual rate?"
        ),
        program=EffectiveRate(rate.node, per_year),
        misreadings=(),
        is_rate=True,
        num_decimals=4,
    )


def _monthly(premises: Premises, rng: Random) -> _Case | None:
    rate = premises.reported_rate(rng)
    if rate is None:
        return None
    return _Case(
        question=(
            f"Take {rate.words} as an effective annual rate. Which monthly rate compounds to "
            "it over twelve months?"
        ),
        program=MonthlyRate(rate.node),
        misreadings=(),
        is_rate=True,
        num_decimals=4,
    )


_SHAPES: MappingProxyType[str, _Draw] = MappingProxyType(
    {
        "compounding_gain": _compounding_gain,
        "effective": _effective,
        "extension": _extension,
        "extension_with_fee": _extension_with_fee,
        "first_year_cost": _first_year_cost,
        "monthly": _monthly,
        "net_proceeds": _net_proceeds,
        "payment": _payment,
        "present_value": _present_value,
        "refinancing": _refinancing,
        "written_down": _written_down,
    }
)
