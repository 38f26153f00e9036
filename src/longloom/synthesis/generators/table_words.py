"""How cells and columns of tables are put into words, forms of answers and thresholds."""

from collections.abc import Sequence
from decimal import Decimal
from random import Random

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.numerical_drafts import (
    Form,
    is_clear,
    threshold_between,
)
from longloom.synthesis.generators.table_cells import Measured, TableCells

MAX_EVIDENCE = 60
"""Cells that a question may rest on."""


def cell_form(column: Measured, value: Decimal, *, more: int = 0) -> Form:
    """Return the form of an amount like those of a column; `more` decimals where it is a mean."""
    first = column.first
    scale = first.scale if first.scale in (3, 6, 9) else 0
    scaled = abs(value.scaleb(-scale))
    least = 2 - scaled.adjusted() if more and scaled else 0
    num_decimals = max(0, min(4, max(column.num_decimals + more, least)))
    words = {3: "thousands of ", 6: "millions of ", 9: "billions of "}.get(scale, "")
    unit = {"USD": "US dollars", "%": "percent"}.get(first.unit, first.unit)
    return Form((words + unit).strip().removesuffix(" of"), scale, num_decimals)


def cell_words(fact: Fact, place: str) -> str:
    """Name a cell by column, row, period and table."""
    period = f" in {fact.period_end}" if fact.period_end else ""
    return f'the "{fact.label}" of {fact.subject}{period} in {place}'


def mean_of(values: Sequence[Decimal]) -> Decimal:
    """Return the mean of some numbers."""
    return sum(values, Decimal(0)) / len(values)


def whole_column(cells: TableCells, rng: Random) -> Measured | None:
    """Draw a whole column, if there is one."""
    return rng.choice(cells.whole) if cells.whole else None


def middle_threshold(column: Measured, rng: Random) -> Decimal | None:
    """Draw a round number that clearly parts the middle of a column; None if scaled."""
    if column.first.scale:
        return None
    ordered = sorted(set(column.values))
    places = [*range(len(ordered) // 5, len(ordered) * 4 // 5)]
    rng.shuffle(places)
    for place in places[:6]:
        if place + 1 < len(ordered):
            threshold = threshold_between(ordered[place], ordered[place + 1])
            if threshold is not None:
                return threshold
    return None


def stands_out(values: Sequence[Decimal], place: int) -> bool:
    """Whether the number at a place is clearly apart from those before and after it."""
    ordered = sorted(values, reverse=True)
    return is_clear(ordered[max(0, place - 2) : place + 1])
