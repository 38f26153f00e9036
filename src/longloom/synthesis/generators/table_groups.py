"""Numerical questions on groups of rows: by a shared text, or by a number in another column."""

from collections.abc import Callable
from decimal import Decimal
from random import Random
from types import MappingProxyType

from longloom.synthesis.generators.numerical_drafts import (
    COUNT,
    Proposal,
    is_clear,
    threshold_between,
)
from longloom.synthesis.generators.table_cells import Measured, TableCells
from longloom.synthesis.generators.table_words import (
    MAX_EVIDENCE,
    cell_form,
    mean_of,
    middle_threshold,
)
from longloom.synthesis.programs.numeric_aggregates import (
    Aggregate,
    Count,
    CountBeyond,
    Leader,
)
from longloom.synthesis.programs.numeric_arithmetic import (
    Difference,
)
from longloom.synthesis.programs.numeric_series import (
    WithNumber,
    WithText,
)

_Draw = Callable[[TableCells, Random], Proposal | None]


_Group = tuple[Measured, WithText, str, list[Decimal]]


def _group(cells: TableCells, rng: Random, *, num_groups: int = 1) -> list[_Group]:
    """Draw groups of rows that share a text, with a column of numbers for them."""
    tables = [table for table in cells.texts if cells.by_table.get(table)]
    if not tables:
        return []
    table = rng.choice(tables)
    relation = rng.choice(list(cells.texts[table]))
    groups = cells.texts[table][relation]
    column = rng.choice(cells.by_table[table])
    fitting = [
        text for text, rows in groups.items() if all(row.subject in column.by_row for row in rows)
    ]
    if len(fitting) < num_groups:
        return []
    found = []
    for text in rng.sample(fitting, num_groups):
        rows = groups[text]
        words = f'the rows with "{text}" in the "{rows[0].label}" column'
        values = [Decimal(column.by_row[row.subject].value) for row in rows]
        found.append((column, WithText(column.column, relation, text), words, values))
    return found


def _group_aggregate(function: str, wording: str) -> _Draw:
    def draw(cells: TableCells, rng: Random) -> Proposal | None:
        drawn = _group(cells, rng)
        if not drawn:
            return None
        column, node, words, values = drawn[0]
        if function == "total" and not column.is_summable:
            return None
        return Proposal(
            program=Aggregate(function, node),
            question=f"In {column.place}, what is {wording} {column.noun} over {words}?",
            form=cell_form(column, mean_of(values), more=int(function in ("mean", "median"))),
            num_hops=3,
        )

    return draw


def _group_gap(cells: TableCells, rng: Random) -> Proposal | None:
    drawn = _group(cells, rng, num_groups=2)
    if not drawn or sum(len(values) for *_, values in drawn) > MAX_EVIDENCE // 2:
        return None
    drawn.sort(key=lambda group: -mean_of(group[3]))
    (column, high, high_words, more), (_, low, low_words, less) = drawn
    return Proposal(
        program=Difference(Aggregate("mean", high), Aggregate("mean", low)),
        question=(
            f"In {column.place}, by how much does the mean of {column.noun} over {high_words} "
            f"exceed its mean over {low_words}?"
        ),
        form=cell_form(column, mean_of(more) - mean_of(less), more=1),
        ability="comparison",
        num_hops=4,
    )


def _group_leader(cells: TableCells, rng: Random) -> Proposal | None:
    drawn = _group(cells, rng)
    if not drawn:
        return None
    column, node, words, values = drawn[0]
    order = rng.choice(("largest", "smallest"))
    ordered = sorted(values, reverse=order == "largest")
    if not is_clear(ordered[:2]):
        return None
    return Proposal(
        program=Leader(order, 1, node),
        question=(f"In {column.place}, which of {words} has the {order} number in {column.noun}?"),
        form=None,
        request="Answer with the name of the row.",
        ability="ordering",
    )


def _group_count(cells: TableCells, rng: Random) -> Proposal | None:
    drawn = _group(cells, rng)
    if not drawn:
        return None
    column, node, words, values = drawn[0]
    middle = sorted(set(values))
    for cut in range(len(middle) // 3, len(middle) - 1):
        threshold = None if column.first.scale else threshold_between(middle[cut], middle[cut + 1])
        if threshold is not None:
            return Proposal(
                program=CountBeyond("above", f"{threshold:f}", node),
                question=(
                    f"In {column.place}, how many of {words} have a number above {threshold:,f} "
                    f"in {column.noun}?"
                ),
                form=COUNT,
                num_hops=3,
            )
    return None


def _where(
    column: Measured, other: Measured, rng: Random
) -> tuple[WithNumber, str, list[Decimal]] | None:
    """Draw a condition on another column; None if too few or too many rows meet it."""
    threshold = middle_threshold(other, rng)
    if threshold is None:
        return None
    side = rng.choice(("above", "below"))
    values = [
        Decimal(column.by_row[fact.subject].value)
        for fact in other.facts
        if fact.subject in column.by_row and (Decimal(fact.value) > threshold) == (side == "above")
    ]
    if not 3 <= len(values) <= MAX_EVIDENCE // 2:
        return None
    words = f'"{other.first.label}" {side} {threshold:,f}'
    return WithNumber(column.column, other.column, side, f"{threshold:f}"), words, values


def _where_mean(cells: TableCells, rng: Random) -> Proposal | None:
    column = rng.choice(cells.columns)
    other = rng.choice(cells.by_table[column.table])
    if other.first.label == column.first.label or other.by_row.keys() != column.by_row.keys():
        return None
    drawn = _where(column, other, rng)
    if drawn is None:
        return None
    node, words, values = drawn
    return Proposal(
        program=Aggregate("mean", node),
        question=(
            f"In {column.place}, what is the mean of {column.noun} over the rows with {words}?"
        ),
        form=cell_form(column, mean_of(values), more=1),
        num_hops=3,
    )


def _where_elsewhere(cells: TableCells, rng: Random) -> Proposal | None:
    other = rng.choice(cells.columns)
    joined = cells.joined(other)
    column = rng.choice(joined) if joined else None
    drawn = None if column is None else _where(column, other, rng)
    if column is None or drawn is None:
        return None
    node, words, values = drawn
    return Proposal(
        program=Aggregate("mean", node),
        question=(
            f"Take the rows of {other.place} with {words}. What is the mean of {column.noun} of "
            f"{column.place} over the same rows?"
        ),
        form=cell_form(column, mean_of(values), more=1),
        num_hops=3,
    )


def _where_count(cells: TableCells, rng: Random) -> Proposal | None:
    column = rng.choice(cells.columns)
    joined = cells.joined(column)
    other = rng.choice(joined) if joined else rng.choice(cells.by_table[column.table])
    if other.first.label == column.first.label or other.by_row.keys() != column.by_row.keys():
        return None
    drawn = _where(column, other, rng)
    threshold = middle_threshold(column, rng)
    if drawn is None or threshold is None:
        return None
    node, words, _ = drawn
    first = words if other.table == column.table else f"{words} in {other.place}"
    return Proposal(
        program=CountBeyond("above", f"{threshold:f}", node),
        question=(
            f'How many rows have {first} and "{column.first.label}" above {threshold:,f} in '
            f"{column.place}?"
        ),
        form=COUNT,
        num_hops=3,
    )


def _group_size(cells: TableCells, rng: Random) -> Proposal | None:
    column = rng.choice(cells.columns)
    other = rng.choice(cells.by_table[column.table])
    if other is column or other.by_row.keys() != column.by_row.keys():
        return None
    drawn = _where(column, other, rng)
    if drawn is None:
        return None
    return Proposal(
        program=Count(drawn[0]),
        question=f"How many rows of {column.place} have {drawn[1]}?",
        form=COUNT,
    )


SHAPES: MappingProxyType[str, _Draw] = MappingProxyType(
    {
        "group_count": _group_count,
        "group_gap": _group_gap,
        "group_leader": _group_leader,
        "group_mean": _group_aggregate("mean", "the mean of"),
        "group_size": _group_size,
        "group_total": _group_aggregate("total", "the sum of"),
        "where_count": _where_count,
        "where_elsewhere": _where_elsewhere,
        "where_mean": _where_mean,
    }
)
"""The shapes of this module by name."""
