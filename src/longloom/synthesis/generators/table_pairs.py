"""Numerical questions on columns side by side, of one table or of several."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random
from types import MappingProxyType

from longloom.synthesis.generators.numerical_drafts import (
    Proposal,
    is_clear,
    listed,
    percent,
)
from longloom.synthesis.generators.table_cells import Measured, TableCells, number_of
from longloom.synthesis.generators.table_words import (
    MAX_EVIDENCE,
    cell_form,
    cell_words,
    mean_of,
    stands_out,
    whole_column,
)
from longloom.synthesis.programs.numeric import NumberOf, flat
from longloom.synthesis.programs.numeric_aggregates import (
    Aggregate,
    Leader,
    Nth,
    WeightedMean,
)
from longloom.synthesis.programs.numeric_arithmetic import (
    Difference,
    PercentOf,
)
from longloom.synthesis.programs.numeric_series import (
    OverTables,
    interval,
)

_Draw = Callable[[TableCells, Random], Proposal | None]


def _tables(cells: TableCells, rng: Random, least: int) -> tuple[list[Measured], str] | None:
    """Draw columns of the same name in several tables, and a row they share."""
    fitting = [many for many in cells.alike if len({one.table for one in many}) >= least]
    if not fitting:
        return None
    many = list({one.table: one for one in rng.choice(fitting)}.values())
    chosen = rng.sample(many, rng.randint(least, min(len(many), max(least, 5))))
    shared = [row for row in chosen[0].by_row if all(row in one.by_row for one in chosen)]
    return (chosen, rng.choice(shared)) if shared else None


def _tables_words(chosen: Sequence[Measured]) -> str:
    return "the tables " + listed([f'"{one.table}"' for one in chosen])


def _over_tables(chosen: Sequence[Measured], row: str) -> OverTables:
    first = chosen[0].by_row[row]
    tables = tuple(one.table for one in chosen)
    return OverTables(row, first.relation, first.unit, interval(first), tables)


def _tables_gap(cells: TableCells, rng: Random) -> Proposal | None:
    drawn = _tables(cells, rng, 2)
    if drawn is None:
        return None
    chosen, row = drawn
    high, low = sorted(chosen[:2], key=lambda one: -Decimal(one.by_row[row].value))
    values = [Decimal(one.by_row[row].value) for one in (high, low)]
    if values[1] <= 0 or values[0] == values[1]:
        return None
    return Proposal(
        program=PercentOf(number_of(low.by_row[row]), number_of(high.by_row[row])),
        question=(
            f"What percentage of {cell_words(high.by_row[row], high.place)} is "
            f"{cell_words(low.by_row[row], low.place)}?"
        ),
        form=percent(values[1] / values[0] * 100),
        ability="comparison",
    )


def _tables_aggregate(function: str, wording: str) -> _Draw:
    def draw(cells: TableCells, rng: Random) -> Proposal | None:
        drawn = _tables(cells, rng, 3)
        if drawn is None:
            return None
        chosen, row = drawn
        label = chosen[0].first.label
        values = [Decimal(one.by_row[row].value) for one in chosen]
        return Proposal(
            program=Aggregate(function, _over_tables(chosen, row)),
            question=(f'What is {wording} the "{label}" of {row} over {_tables_words(chosen)}?'),
            form=cell_form(chosen[0], mean_of(values), more=int(function == "mean")),
            num_hops=3,
        )

    return draw


def _tables_leader(cells: TableCells, rng: Random) -> Proposal | None:
    drawn = _tables(cells, rng, 3)
    if drawn is None:
        return None
    chosen, row = drawn
    values = [Decimal(one.by_row[row].value) for one in chosen]
    order = rng.choice(("largest", "smallest"))
    if not is_clear(sorted(values, reverse=order == "largest")[:2]):
        return None
    return Proposal(
        program=Leader(order, 1, _over_tables(chosen, row)),
        question=(
            f'Which of {_tables_words(chosen)} gives the {order} "{chosen[0].first.label}" for '
            f"{row}?"
        ),
        form=None,
        request="Answer with the title of the table.",
        ability="ordering",
    )


def _maxima_gap(cells: TableCells, rng: Random) -> Proposal | None:
    whole = [
        [one for one in many if one.is_whole and len(one.facts) <= MAX_EVIDENCE // 2]
        for many in cells.alike
    ]
    fitting = [many for many in whole if len({one.table for one in many}) > 1]
    if not fitting:
        return None
    one, other = rng.sample(rng.choice(fitting), 2)
    order = rng.choice(("largest", "smallest"))
    pick = max if order == "largest" else min
    high, low = sorted((one, other), key=lambda column: -pick(column.values))
    return Proposal(
        program=Difference(Nth(order, 1, high.column), Nth(order, 1, low.column)),
        question=(
            f"By how much does the {order} number in {high.noun} of {high.place} exceed the "
            f"{order} number in the same column of {low.place}?"
        ),
        form=cell_form(high, pick(high.values) - pick(low.values)),
        ability="comparison",
        num_hops=3,
    )


def _leader_elsewhere(cells: TableCells, rng: Random) -> Proposal | None:
    column = whole_column(cells, rng)
    if column is None or not stands_out(column.values, 1):
        return None
    return _other_of_leader(column, cells.joined(column), rng)


def _other_of_leader(column: Measured, others: Sequence[Measured], rng: Random) -> Proposal | None:
    leader = column.facts[column.values.index(max(column.values))].subject
    fitting = [one for one in others if leader in one.by_row and one.first.period_end == ""]
    if not fitting:
        return None
    other = rng.choice(fitting)
    fact = other.by_row[leader]
    digits = fact.value.lstrip("-0.").replace(".", "")
    if len(digits) < 3:
        return None
    program = NumberOf(
        Leader("largest", 1, column.column), fact.relation, fact.unit, "", "", flat(fact)
    )
    where = "its" if other.table == column.table else "the"
    place = "" if other.table == column.table else f" of the same row in {other.place}"
    return Proposal(
        program=program,
        question=(
            f"Find the row of {column.place} with the largest number in {column.noun}. What is "
            f'{where} "{fact.label}"{place}?'
        ),
        form=cell_form(other, Decimal(fact.value)),
        may_be_shown=True,
    )


def _leaders_other(cells: TableCells, rng: Random) -> Proposal | None:
    column = whole_column(cells, rng)
    if column is None or not stands_out(column.values, 1):
        return None
    others = [one for one in cells.by_table[column.table] if one.first.label != column.first.label]
    return _other_of_leader(column, others, rng)


def _weighted(cells: TableCells, rng: Random) -> Proposal | None:
    column = whole_column(cells, rng)
    if column is None or column.is_summable or len(column.facts) > MAX_EVIDENCE // 2:
        return None
    weights = [
        one
        for one in (*cells.by_table[column.table], *cells.joined(column))
        if one.is_summable and one.by_row.keys() == column.by_row.keys() and min(one.values) > 0
    ]
    if not weights:
        return None
    weight = rng.choice(weights)
    other = "" if weight.table == column.table else f" of {weight.place}"
    return Proposal(
        program=WeightedMean(column.column, weight.column),
        question=(
            f"In {column.place}, what is the mean of {column.noun} over all rows if each row is "
            f'weighted by its "{weight.first.label}"{other}?'
        ),
        form=cell_form(column, mean_of(column.values), more=1),
        num_hops=3,
        misreadings=(Aggregate("mean", column.column), Aggregate("median", column.column)),
    )


SHAPES: MappingProxyType[str, _Draw] = MappingProxyType(
    {
        "leader_elsewhere": _leader_elsewhere,
        "leaders_other": _leaders_other,
        "maxima_gap": _maxima_gap,
        "tables_gap": _tables_gap,
        "tables_leader": _tables_leader,
        "tables_mean": _tables_aggregate("mean", "the mean of"),
        "tables_spread": _tables_aggregate(
            "spread", "the difference between the largest and the smallest value of"
        ),
        "weighted": _weighted,
    }
)
"""The shapes of this module by name."""
