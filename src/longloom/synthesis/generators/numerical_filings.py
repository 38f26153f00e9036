"""Numerical questions on filings: between companies, over years, and what would have been.

Every question names company, line and period of each amount, as the filings call them.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from random import Random
from types import MappingProxyType

from longloom.synthesis.generators import filing_shares
from longloom.synthesis.generators.draft import Setting
from longloom.synthesis.generators.filing_lines import FilingLines, Line
from longloom.synthesis.generators.filing_words import (
    amount_form,
    change_words,
    crowd_words,
    over_periods,
    over_subjects,
    run_words,
    threshold_words,
)
from longloom.synthesis.generators.numerical_drafts import (
    COUNT,
    Proposal,
    Shape,
    is_clear,
    percent,
    pure,
    threshold_between,
)
from longloom.synthesis.programs.numeric import NumberOf, Stated, flat
from longloom.synthesis.programs.numeric_aggregates import (
    Aggregate,
    CountBeyond,
    CountChanges,
    FirstBeyond,
    Leader,
    Nth,
    RankOf,
)
from longloom.synthesis.programs.numeric_arithmetic import (
    AnnualGrowth,
    Difference,
    Grown,
    PercentChange,
    Plus,
    Ratio,
)

_Draw = Callable[[FilingLines, Random], Proposal | None]
_NEGATIVE = "(negative if it fell)"


def shapes(setting: Setting) -> dict[str, Shape]:
    """Return the shapes that the filings of a context can be asked in."""
    lines = FilingLines(setting)
    if not lines.lines:
        return {}
    draws = {**_SHAPES, **filing_shares.SHAPES}
    return {name: _bound(draws[name], lines) for name in sorted(draws)}


def _bound(draw: _Draw, lines: FilingLines) -> Shape:
    return lambda rng: draw(lines, rng)


def _positive(lines: Sequence[Line]) -> bool:
    return all(line.value > 0 for line in lines)


def _gap(lines: FilingLines, rng: Random) -> Proposal | None:
    pair = lines.crowd(rng, 2)
    if pair is None or not _positive(pair[:2]):
        return None
    high, low = sorted(pair[:2], key=lambda line: -line.value)
    return Proposal(
        program=Difference(high.number, low.number),
        question=f"By how much did {high.noun} exceed {low.noun}?",
        form=amount_form(high.value - low.value, (high, low)),
        ability="comparison",
    )


def _times(lines: FilingLines, rng: Random) -> Proposal | None:
    pair = lines.crowd(rng, 2)
    if pair is None or not _positive(pair[:2]):
        return None
    high, low = sorted(pair[:2], key=lambda line: -line.value)
    if high.value > 500 * low.value or high.value < low.value * Decimal("1.05"):
        return None
    return Proposal(
        program=Ratio(high.number, low.number),
        question=f"What is the ratio of {high.noun} to {low.noun}?",
        form=pure(high.value / low.value),
        ability="comparison",
    )


def _change(lines: FilingLines, rng: Random) -> Proposal | None:
    run = lines.run(rng, 2)
    if run is None or not _positive(run) or run[0].fact.unit == "%":
        return None
    first, last = run[0], run[-1]
    return Proposal(
        program=PercentChange(first.number, last.number),
        question=(
            f'By what percentage did {first.owner} "{first.label}" change from the figure '
            f"{first.period} to the figure {last.period} {_NEGATIVE}?"
        ),
        form=percent((last.value / first.value - 1) * 100),
        ability="temporal",
    )


def _two_changes(lines: FilingLines, rng: Random) -> tuple[list[Line], list[Line]] | None:
    run = lines.run(rng, 2)
    if run is None:
        return None
    others = [
        other
        for other in lines.runs_of(run[0].fact.relation, run[0].duration)
        if other[0].fact.subject != run[0].fact.subject and other[0].fact.unit == run[0].fact.unit
    ]
    if not others:
        return None
    other = rng.choice(others)
    if run[0].fact.unit == "%" or not _positive([*run, *other]):
        return None
    return run[-2:], other[-2:]


def _change_gap(lines: FilingLines, rng: Random) -> Proposal | None:
    pair = _two_changes(lines, rng)
    if pair is None:
        return None
    changes = [(run[1].value / run[0].value - 1) * 100 for run in pair]
    high, low = pair if changes[0] > changes[1] else pair[::-1]
    return Proposal(
        program=Difference(
            PercentChange(high[0].number, high[1].number),
            PercentChange(low[0].number, low[1].number),
        ),
        question=(
            f"Compute by what percentage {change_words(high)}, and by what percentage "
            f"{change_words(low)}. By how many percentage points is the first above the second?"
        ),
        form=percent(abs(changes[0] - changes[1]), "percentage points"),
        ability="comparison",
        num_hops=3,
    )


def _at_others_rate(lines: FilingLines, rng: Random) -> Proposal | None:
    pair = _two_changes(lines, rng)
    if pair is None:
        return None
    run, other = pair
    factor = other[1].value / other[0].value
    if not Decimal("0.3") < factor < 4:
        return None
    return Proposal(
        program=Grown(run[0].number, PercentChange(other[0].number, other[1].number), 1),
        question=(
            f"Suppose that {run[0].noun} had then changed over one year by the same percentage as "
            f'{other[0].owner} "{other[0].label}" changed from the figure {other[0].period} to the '
            f"figure {other[1].period}. What would it have been one year later?"
        ),
        form=amount_form(run[0].value * factor, run),
        ability="counterfactual",
        num_hops=3,
        misreadings=(run[1].number, other[1].number, other[0].number),
    )


def _growth(lines: FilingLines, rng: Random) -> Proposal | None:
    run = lines.run(rng, 3)
    if run is None or not _positive(run) or run[0].fact.unit == "%":
        return None
    first, last, years = run[0], run[-1], len(run) - 1
    rate = (last.value / first.value) ** (1 / Decimal(years)) - 1
    return Proposal(
        program=AnnualGrowth(first.number, last.number, years),
        question=(
            f'What was the compound annual growth rate of {first.owner} "{first.label}" over the '
            f"{years} years from the figure {first.period} to the figure {last.period} "
            "(negative if it fell)?"
        ),
        form=percent(rate * 100),
        ability="temporal",
    )


def _over_years(function: str, wording: str) -> _Draw:
    def draw(lines: FilingLines, rng: Random) -> Proposal | None:
        run = lines.run(rng, 3 if function != "total" else 2, flows=function == "total")
        if run is None or run[0].fact.unit in ("%", "USD/share"):
            return None
        if function == "total" and run[0].fact.unit == "shares":
            return None
        steps = [after.value - before.value for before, after in pairwise(run)]
        if "_" in function and (not _positive(run) or (max(steps) <= 0)):
            return None
        return Proposal(
            program=Aggregate(function, over_periods(run)),
            question=f"{wording} {run_words(run)}?",
            form=amount_form(run[-1].value, run),
            ability="temporal",
        )

    return draw


def _over_companies(function: str, wording: str, least: int) -> _Draw:
    def draw(lines: FilingLines, rng: Random) -> Proposal | None:
        crowd = lines.crowd(rng, least)
        if crowd is None or crowd[0].fact.unit in ("%", "USD/share", "shares"):
            return None
        return Proposal(
            program=Aggregate(function, over_subjects(crowd)),
            question=f"{wording} {crowd_words(crowd)}?",
            form=amount_form(max(line.value for line in crowd), crowd),
            misreadings=tuple(line.number for line in crowd),
        )

    return draw


def _nth_gap(lines: FilingLines, rng: Random) -> Proposal | None:
    crowd = lines.crowd(rng, 3)
    if crowd is None or not _positive(crowd) or not is_clear([line.value for line in crowd]):
        return None
    numbers = over_subjects(crowd)
    ordered = sorted((line.value for line in crowd), reverse=True)
    if ordered[1] > 500 * ordered[-1]:
        return None
    return Proposal(
        program=Ratio(Nth("largest", 2, numbers), Nth("smallest", 1, numbers)),
        question=(
            f"Consider {crowd_words(crowd)}. What is the ratio of the second largest of them to "
            "the smallest?"
        ),
        form=pure(ordered[1] / ordered[-1]),
        ability="ordering",
        num_hops=3,
    )


def _leader(lines: FilingLines, rng: Random) -> Proposal | None:
    crowd = lines.crowd(rng, 3)
    if crowd is None or not is_clear([line.value for line in crowd]):
        return None
    place = rng.randint(1, min(3, len(crowd)))
    word = ("largest", "second largest", "third largest")[place - 1]
    return Proposal(
        program=Leader("largest", place, over_subjects(crowd)),
        question=f"Consider {crowd_words(crowd)}. Which company has the {word} figure?",
        form=None,
        ability="ordering",
        request="Answer with the company's name.",
    )


def _leaders_other(lines: FilingLines, rng: Random) -> Proposal | None:
    crowd = lines.crowd(rng, 2)
    if crowd is None or not is_clear([line.value for line in crowd]):
        return None
    order = rng.choice(("largest", "smallest"))
    ordered = sorted(crowd, key=lambda line: line.value, reverse=order == "largest")
    options = [
        line
        for line in lines.statement(ordered[0])
        if line.fact.relation != ordered[0].fact.relation
        and abs(line.value) >= 100
        and all(lines.same(other, line.fact.relation) for other in crowd)
    ]
    if not options:
        return None
    target = rng.choice(options)
    fact = target.fact
    node = NumberOf(
        Leader(order, 1, over_subjects(crowd)),
        fact.relation,
        fact.unit,
        fact.period_start,
        fact.period_end,
        flat(fact),
    )
    return Proposal(
        program=node,
        question=(
            f"Consider {crowd_words(crowd)}. For the company with the {order} figure, what is its "
            f'"{target.label}" {target.prefix} the same date?'
        ),
        form=amount_form(target.value, [target]),
        may_be_shown=True,
    )


def _rank(lines: FilingLines, rng: Random) -> Proposal | None:
    crowd = lines.crowd(rng, 4)
    if crowd is None or not is_clear([line.value for line in crowd]):
        return None
    asked = rng.choice(crowd)
    return Proposal(
        program=RankOf("largest", asked.fact.subject, over_subjects(crowd)),
        question=(
            f"Rank {crowd_words(crowd)} from the largest figure (rank 1) to the smallest. Which "
            f"rank does {asked.fact.subject} have?"
        ),
        form=COUNT,
        ability="ordering",
    )


def _count_above(lines: FilingLines, rng: Random) -> Proposal | None:
    crowd = lines.crowd(rng, 4)
    if crowd is None:
        return None
    ordered = sorted(line.value for line in crowd)
    cut = rng.randrange(len(ordered) - 1)
    threshold = threshold_between(ordered[cut], ordered[cut + 1])
    if threshold is None or threshold <= 0:
        return None
    words = threshold_words(threshold, crowd[0].fact.unit)
    return Proposal(
        program=CountBeyond("above", f"{threshold:f}", over_subjects(crowd)),
        question=f"Consider {crowd_words(crowd)}. How many of these figures are above {words}?",
        form=COUNT,
    )


def _first_above(lines: FilingLines, rng: Random) -> Proposal | None:
    run = lines.run(rng, 3)
    if run is None or not _positive(run):
        return None
    for place in rng.sample(range(1, len(run)), len(run) - 1):
        before = max(line.value for line in run[:place])
        threshold = threshold_between(before, run[place].value)
        if threshold is not None and run[place].value > before:
            words = threshold_words(threshold, run[0].fact.unit)
            is_flow = run[0].duration == "year"
            moments, fell = ("fiscal years", "did it end") if is_flow else ("dates", "is it")
            return Proposal(
                program=FirstBeyond("above", f"{threshold:f}", over_periods(run)),
                question=(
                    f"Consider {run_words(run)}. Take the earliest of these {moments} with a "
                    f"figure above {words}: in which calendar year {fell}?"
                ),
                form=None,
                ability="comparison",
                request="Answer with the year.",
            )
    return None


def _num_rises(lines: FilingLines, rng: Random) -> Proposal | None:
    run = lines.run(rng, 3)
    if run is None or not is_clear([line.value for line in run]):
        return None
    way = rng.choice(("rises", "falls"))
    word = "higher" if way == "rises" else "lower"
    return Proposal(
        program=CountChanges(way, over_periods(run)),
        question=(
            f"Consider {run_words(run)}. How many times was the figure {word} than the one before?"
        ),
        form=COUNT,
        ability="temporal",
    )


def _what_if(lines: FilingLines, rng: Random) -> Proposal | None:
    run = lines.run(rng, 2)
    if run is None or not _positive(run) or run[0].fact.unit in ("%", "USD/share"):
        return None
    before, after = run[-2], run[-1]
    rate = rng.choice(("2.5", "4", "6", "7.5", "8", "12", "15", "-3", "-5"))
    grown = Grown(before.number, Stated(rate, "%"), 1)
    value = before.value * (1 + Decimal(rate) / 100)
    is_above = value > after.value
    if abs(value - after.value) < after.value / 50:
        return None
    verb = "grown" if not rate.startswith("-") else "shrunk"
    program = Difference(grown, after.number) if is_above else Difference(after.number, grown)
    relation = "higher" if is_above else "lower"
    return Proposal(
        program=program,
        question=(
            f"Suppose {before.noun} had {verb} by {rate.lstrip('-')}% over the following year. How "
            f"much {relation} would the result have been than the actual figure {after.period}?"
        ),
        form=amount_form(abs(value - after.value), run),
        ability="counterfactual",
        num_hops=3,
    )


def _grown(lines: FilingLines, rng: Random) -> Proposal | None:
    line = rng.choice(lines.lines)
    if (
        line.value <= 0
        or line.fact.unit in ("%", "USD/share")
        or line.duration not in ("year", "instant")
    ):
        return None
    rate, years = rng.choice(("3", "4.5", "5", "6", "8", "10")), rng.randint(2, 4)
    return Proposal(
        program=Grown(line.number, Stated(rate, "%"), years),
        question=(
            f"If {line.noun} were to grow by {rate}% a year, compounded, for {years} years, what "
            "would it be then?"
        ),
        form=amount_form(line.value, [line]),
        ability="counterfactual",
    )


def _gap_change(lines: FilingLines, rng: Random) -> Proposal | None:
    pair = _two_changes(lines, rng)
    if pair is None:
        return None
    high, low = sorted(pair, key=lambda run: -run[1].value)
    before, after = high[0].value - low[0].value, high[1].value - low[1].value
    if before <= 0 or after <= 0:
        return None
    return Proposal(
        program=PercentChange(
            Difference(high[0].number, low[0].number), Difference(high[1].number, low[1].number)
        ),
        question=(
            f"By how much did {high[0].noun} exceed {low[0].noun}, and by how much did "
            f"{high[1].noun} exceed {low[1].noun}? By what percentage is the second of these two "
            "differences above the first (negative if it is below)?"
        ),
        form=percent((after / before - 1) * 100),
        ability="temporal",
        num_hops=4,
    )


def _sum_of_two(lines: FilingLines, rng: Random) -> Proposal | None:
    pair = lines.crowd(rng, 2)
    if pair is None or pair[0].fact.unit != "USD":
        return None
    one, other = pair[:2]
    target = rng.choice([line for line in lines.statement(one) if line.fact.unit == "USD"])
    if target is one or target.fact.relation == one.fact.relation:
        return None
    return Proposal(
        program=Difference(Plus(one.number, other.number), target.number),
        question=(
            f"Add {one.noun} to {other.noun}, then subtract {target.noun}. What is the result?"
        ),
        form=amount_form(max(abs(one.value), abs(other.value)), (one, other, target)),
        num_hops=3,
    )


_SHAPES: MappingProxyType[str, _Draw] = MappingProxyType(
    {
        "at_others_rate": _at_others_rate,
        "average_change": _over_years(
            "average_change", "What was the average change from one year to the next in"
        ),
        "change": _change,
        "change_gap": _change_gap,
        "count_above": _count_above,
        "first_above": _first_above,
        "gap": _gap,
        "gap_change": _gap_change,
        "grown": _grown,
        "growth": _growth,
        "largest_rise": _over_years(
            "largest_rise", "What was the largest increase from one year to the next in"
        ),
        "leader": _leader,
        "leaders_other": _leaders_other,
        "mean_companies": _over_companies("mean", "What is the mean of", 2),
        "mean_years": _over_years("mean", "What is the mean of"),
        "median_companies": _over_companies("median", "What is the median of", 3),
        "nth_gap": _nth_gap,
        "num_rises": _num_rises,
        "rank": _rank,
        "spread_companies": _over_companies(
            "spread", "What is the difference between the largest and the smallest of", 3
        ),
        "sum_of_two": _sum_of_two,
        "times": _times,
        "total_companies": _over_companies("total", "What is the sum of", 2),
        "total_years": _over_years("total", "What is the sum of"),
        "what_if": _what_if,
    }
)
