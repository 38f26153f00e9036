"""A SELECT over a table that is filled from the facts of a context.

    facts -> a row for each subject, a cell for each relation with one value -> SQL -> one cell

The statement was written by a model; what it gives is executed here, on this world, behind the
guard of `endpoint/sql_guard.py` and the limits of `endpoint/sql_execution.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import ClassVar, cast

from longloom.errors import DataError
from longloom.synthesis.endpoint.sql_execution import (
    Cell,
    Column,
    ColumnType,
    CorpusTable,
    TableDatabase,
)
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.node import NOTHING, Execution, Program, distinct
from longloom.synthesis.programs.world import World

TABLE_NAME = "records"
NAME_COLUMN = "name"
EXACT = -1
"""`num_decimals` of answers that are not rounded."""


@dataclass(frozen=True, slots=True)
class TableQuery:
    """The only cell of a result."""

    KIND: ClassVar[str] = "table_query"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"sql"})

    subject_kind: str
    """Kind of the subjects that are rows."""
    relations: tuple[str, ...]
    """What the columns hold, after the name."""
    columns: tuple[str, ...]
    """Names of these columns."""
    column_types: tuple[str, ...]
    """How they are stored."""
    read: tuple[str, ...]
    """The relations whose columns the statement reads; the evidence."""
    pattern: str
    """The statement without its constants."""
    sql: str
    """The statement."""
    num_decimals: int
    """Decimals of the answer; `EXACT` where it is given as it is."""

    def execute(self, world: World) -> Execution:
        """Return the cell; nothing if there is another number of cells or the statement fails."""
        table, evidence = self.table(world)
        is_even = len(self.relations) == len(self.columns) == len(self.column_types)
        if not table.rows or not is_even:
            return NOTHING
        try:
            answer = _only_cell(table, self.sql)
        except DataError:
            return NOTHING
        if answer is None:
            return NOTHING
        return Execution(frozenset((rounded(answer, self.num_decimals),)), evidence)

    def table(self, world: World) -> tuple[CorpusTable, tuple[Fact, ...]]:
        """Return the table of a world, and the facts of the columns that are read."""
        kept = [fact for name in self.relations for fact in world.facts_with(name)]
        kept = [fact for fact in kept if fact.subject_kind == self.subject_kind]
        rows: list[tuple[Cell, ...]] = []
        evidence: list[Fact] = []
        by_key: dict[tuple[str, str], list[Fact]] = {}
        for fact in kept:
            by_key.setdefault(fact.key, []).append(fact)
        for subject in dict.fromkeys(fact.subject for fact in kept):
            cells: list[Cell] = [subject]
            for name, column_type in zip(self.relations, self.column_types, strict=False):
                facts = by_key.get((subject, name), [])
                cells.append(cell_of(facts, column_type))
                evidence += facts[:1] if name in self.read else []
            rows.append(tuple(cells))
        return self._with(rows), distinct(evidence)

    def _with(self, rows: Sequence[tuple[Cell, ...]]) -> CorpusTable:
        columns = [Column(name=NAME_COLUMN, column_type="TEXT", description="")]
        columns += [
            Column(name=name, column_type=cast(ColumnType, column_type), description="")
            for name, column_type in zip(self.columns, self.column_types, strict=False)
        ]
        return CorpusTable(
            name=TABLE_NAME, row_kind=self.subject_kind, columns=tuple(columns), rows=tuple(rows)
        )


def cell_of(facts: Sequence[Fact], column_type: str) -> Cell:
    """Return the one value of a cell, or None if none or several are stated."""
    values = {fact.value for fact in facts}
    if len(values) != 1:
        return None
    (value,) = values
    if column_type != "DOUBLE":
        return value
    try:
        return float(value)
    except ValueError:
        return None


def rounded(answer: str, num_decimals: int) -> str:
    """Return a number with so many decimals at most; anything else as it is."""
    try:
        number = Decimal(answer)
    except InvalidOperation:
        return answer
    if num_decimals == EXACT or not number.is_finite():
        return answer
    shown = format(number.quantize(Decimal(1).scaleb(-num_decimals), ROUND_HALF_UP), "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _only_cell(table: CorpusTable, sql: str) -> str | None:
    database = TableDatabase(table)
    try:
        rows = database.answer(sql)
    finally:
        database.close()
    return rows[0][0] if len(rows) == 1 and len(rows[0]) == 1 else None


NODES: tuple[type[Program], ...] = (TableQuery,)
"""The node classes of this module."""
