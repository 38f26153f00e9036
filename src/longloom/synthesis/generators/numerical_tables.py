"""Numerical questions on tables: rows, whole columns, groups, and tables side by side.

Columns and rows are called as the table calls them, in quotation marks.
"""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random
from types import MappingProxyType

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators import table_groups, table_pairs
from longloom.synthesis.generators.draft import Setting
from longloom.synthesis.generators.numerical_drafts import (
    COUNT,
    Proposal,
    Shape,
    is_clear,
    listed,
    percent,
    pure,
    threshold_between,
)
from longloom.synthesis.generators.table_cells import (
    Measured,
    TableCells,
    is_total_row,
    number_of,
)
from longloom.synthesis.generators.table_words import (
    cell_form,
    cell_words,
    mean_of,
    middle_threshold,
    stands_out,
    whole_column,
)
from longloom.synthesis.programs.numeric import flat
from longloom.synthesis.programs.numeric_aggregates import (
    Aggregate,
    CountBeyond,
    FirstBeyond,
    Leader,
    RankOf,
)
from longloom.synthesis.programs.numeric_arithmetic import (
    AnnualGrowth,
    Difference,
    PercentChange,
    PercentOf,
    Ratio,
)
from longloom.synthesis.programs.numeric_series import (
    OverPeriods,
    OverSubjects,
    interval,
)

_Draw = Callable[[TableCells, Random], Proposal | None]
_PLACES = ("", "second ", "third ")


def shapes(setting: Setting) -> dict[str, Shape]:
    """Return the shapes that the tables of a context can be asked in."""
    cells = TableCells(setting)
    if not cells.columns:
        return {}
    return {
        name: _bound(draw, cells)
        for name, draw in (_SHAPES | table_groups.SHAPES | table_pairs.SHAPES).items()
    }


def _bound(draw: _Draw, cells: TableCells) -> Shape:
    return lambda rng: draw(cells, rng)


_CHANGES = re.compile(r"\b(?:change|growth|increase|decrease|variance)\b", re.IGNORECASE)
"""Columns of differences: a ratio of two percentages of growth says nothing."""


def _two_rows(cells: TableCells, rng: Random) -> tuple[Measured, Fact, Fact] | None:
    column = rng.choice(cells.columns)
    facts = [fact for fact in column.facts if not is_total_row(fact)]
    if len(facts) < 2 or _CHANGES.search(column.first.label):
        return None
    pair = sorted(rng.sample(facts, 2), key=lambda fact: -Decimal(fact.value))
    if Decimal(pair[1].value) <= 0 or not is_clear([Decimal(fact.value) for fact in pair]):
        return None
    return column, pair[0], pair[1]


def _gap(cells: TableCells, rng: Random) -> Proposal | None:
    drawn = _two_rows(cells, rng)
    if drawn is None:
        return None
    column, high, low = drawn
    gap = Decimal(high.value) - Decimal(low.value)
    return Proposal(
        program=Difference(number_of(high), number_of(low)),
        question=f"By how much does {cell_words(high, column.place)} exceed that of {low.subject}?",
        form=cell_form(column, gap),
        ability="comparison",
    )


def _times(cells: TableCells, rng: Random) -> Proposal | None:
    drawn = _two_rows(cells, rng)
    if drawn is None:
        return None
    column, high, low = drawn
    times = Decimal(high.value) / Decimal(low.value)
    if not Decimal("1.05") < times < 500:
        return None
    return Proposal(
        program=Ratio(number_of(high), number_of(low)),
        question=f"What is the ratio of {cell_words(high, column.place)} to that of {low.subject}?",
        form=pure(times),
        ability="comparison",
    )


def _rows_mean(cells: TableCells, rng: Random) -> Proposal | None:
    column = rng.choice(cells.columns)
    single = [fact for fact in column.facts if not is_total_row(fact)]
    if len(single) < 6:
        return None
    facts = rng.sample(single, rng.randint(3, 5))
    first = facts[0]
    rows = tuple(fact.subject for fact in facts)
    periods = tuple(interval(fact) for fact in facts)
    return Proposal(
        program=Aggregate(
            "mean", OverSubjects(rows, first.relation, first.unit, flat(first), periods)
        ),
        question=(
            f"In {column.place}, what is the mean of {column.noun} over these rows: {listed(rows)}?"
        ),
        form=cell_form(column, mean_of([Decimal(fact.value) for fact in facts]), more=1),
        num_hops=3,
    )


def _over_column(function: str, wording: str) -> _Draw:
    def draw(cells: TableCells, rng: Random) -> Proposal | None:
        column = whole_column(cells, rng)
        if column is None or (function == "total" and not column.is_summable):
            return None
        if function == "total" and len(column.facts) > 25:
            return None
        return Proposal(
            program=Aggregate(function, column.column),
            question=f"In {column.place}, what is {wording} {column.noun} over all rows?",
            form=cell_form(
                column, mean_of(column.values), more=int(function in ("mean", "median"))
            ),
        )

    return draw


def _leader(cells: TableCells, rng: Random) -> Proposal | None:
    column = whole_column(cells, rng)
    place = rng.randint(1, 3)
    if column is None or not stands_out(column.values, place):
        return None
    return Proposal(
        program=Leader("largest", place, column.column),
        question=(
            f"In {column.place}, which row has the {_PLACES[place - 1]}largest number in "
            f"{column.noun}?"
        ),
        form=None,
        request="Answer with the name of the row.",
        ability="ordering",
    )


def _count_above(cells: TableCells, rng: Random) -> Proposal | None:
    column = whole_column(cells, rng)
    threshold = None if column is None else middle_threshold(column, rng)
    if column is None or threshold is None:
        return None
    side = rng.choice(("above", "below"))
    return Proposal(
        program=CountBeyond(side, f"{threshold:f}", column.column),
        question=(
            f"In {column.place}, how many rows have a number {side} {threshold:,f} in "
            f"{column.noun}?"
        ),
        form=COUNT,
    )


def _rank(cells: TableCells, rng: Random) -> Proposal | None:
    column = whole_column(cells, rng)
    if column is None:
        return None
    asked = rng.choice(column.facts)
    value = Decimal(asked.value)
    if (
        any(other != value and not is_clear([value, other]) for other in column.values)
        or column.values.count(value) > 1
    ):
        return None
    return Proposal(
        program=RankOf("largest", asked.subject, column.column),
        question=(
            f"Sort the rows of {column.place} by {column.noun}, the largest number first. On which "
            f"rank is {asked.subject}?"
        ),
        form=COUNT,
        ability="ordering",
    )


def _row_share(cells: TableCells, rng: Random) -> Proposal | None:
    column = whole_column(cells, rng)
    if column is None or not column.is_summable or min(column.values) < 0:
        return None
    if len(column.facts) > 30:
        return None
    asked = rng.choice(column.facts)
    total = sum(column.values, Decimal(0))
    if total <= 0 or Decimal(asked.value) * 200 < total:
        return None
    return Proposal(
        program=PercentOf(number_of(asked), Aggregate("total", column.column)),
        question=(
            f"In {column.place}, what percentage of the sum of {column.noun} over all rows is "
            f"the figure for {asked.subject}?"
        ),
        form=percent(Decimal(asked.value) / total * 100),
        num_hops=3,
    )


def _series(cells: TableCells, rng: Random) -> list[Fact]:
    if not cells.series:
        return []
    facts = rng.choice(cells.series)
    first = rng.randrange(len(facts) - 2)
    chosen = facts[first : first + rng.randint(3, 8)]
    return chosen if all(Decimal(fact.value) > 0 for fact in chosen) else []


def _years_node(facts: Sequence[Fact]) -> OverPeriods:
    first = facts[0]
    periods = tuple(interval(fact) for fact in facts)
    return OverPeriods(first.subject, first.relation, first.unit, flat(first), periods)


def _years_change(cells: TableCells, rng: Random) -> Proposal | None:
    facts = _series(cells, rng)
    if not facts:
        return None
    first, last = facts[0], facts[-1]
    years = int(last.period_end) - int(first.period_end)
    place = cells.place_of[first.qualifiers[0][1]]
    factor = Decimal(last.value) / Decimal(first.value)
    is_growth = rng.random() < 0.5
    if is_growth:
        rate = factor ** (1 / Decimal(years)) - 1
        program: AnnualGrowth | PercentChange = AnnualGrowth(
            number_of(first), number_of(last), years
        )
        asked = "What is the compound annual growth rate of"
    else:
        rate, program = factor - 1, PercentChange(number_of(first), number_of(last))
        asked = "What is the percentage change of"
    return Proposal(
        program=program,
        question=(
            f'{asked} the "{first.label}" of {first.subject} in {place} from {first.period_end} to '
            f"{last.period_end} (negative if it fell)?"
        ),
        form=percent(rate * 100),
        ability="temporal",
    )


def _years_first(cells: TableCells, rng: Random) -> Proposal | None:
    facts = _series(cells, rng)
    if not facts:
        return None
    place = cells.place_of[facts[0].qualifiers[0][1]]
    for cut in range(1, len(facts)):
        before = max(Decimal(fact.value) for fact in facts[:cut])
        after = Decimal(facts[cut].value)
        threshold = threshold_between(before, after) if after > before else None
        if threshold is not None:
            return Proposal(
                program=FirstBeyond("above", f"{threshold:f}", _years_node(facts)),
                question=(
                    f"In {place}, in which of the years {facts[0].period_end} to "
                    f'{facts[-1].period_end} was the "{facts[0].label}" of {facts[0].subject} '
                    f"first above {threshold:,f}?"
                ),
                form=None,
                ability="comparison",
                request="Answer with the year.",
            )
    return None


_SHAPES: MappingProxyType[str, _Draw] = MappingProxyType(
    {
        "count_above": _count_above,
        "gap": _gap,
        "leader": _leader,
        "mean": _over_column("mean", "the mean of"),
        "median": _over_column("median", "the median of"),
        "rank": _rank,
        "row_share": _row_share,
        "rows_mean": _rows_mean,
        "spread": _over_column("spread", "the difference between the largest and smallest of"),
        "times": _times,
        "total": _over_column("total", "the sum of"),
        "years_change": _years_change,
        "years_first": _years_first,
    }
)
