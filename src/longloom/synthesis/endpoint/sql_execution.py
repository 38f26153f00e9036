"""Run a checked SELECT on one small table, locked in and limited in time and memory.

Each statement runs twice, on the table as it is and with its rows reversed: an answer that depends
on the order of rows (a tie cut by LIMIT) is no answer.
"""

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, Protocol

from pydantic import Field

from longloom.config import FrozenConfig
from longloom.errors import DataError
from longloom.synthesis.endpoint.sql_guard import check_select

Cell = str | int | float | Decimal | None
Rows = tuple[tuple[str | None, ...], ...]
"""Rows of a result, every cell in its normal form."""

ColumnType = Literal["TEXT", "DOUBLE", "BIGINT", "DATE"]
_TYPES: Mapping[str, str] = {
    "TEXT": "VARCHAR",
    "DOUBLE": "DOUBLE",
    "BIGINT": "BIGINT",
    "DATE": "DATE",
}
_LOCKS = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "max_temp_directory_size": "0B",
    "threads": "1",
}


class SqlLimits(FrozenConfig):
    """What a statement may take."""

    timeout_seconds: float = Field(default=5.0, gt=0)
    """Longer statements are interrupted."""
    memory_mb: int = Field(default=256, ge=32)
    """Memory of the database."""
    max_rows: int = Field(default=200, ge=1)
    """A longer result is no answer to a question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a corpus table."""

    name: str
    """Its name in SQL; letters, digits and underscores."""
    column_type: ColumnType
    """How it is stored."""
    description: str
    """What stands in it, for the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusTable:
    """Attributes of many documents, one row for each entity."""

    name: str
    """Its name in SQL."""
    row_kind: str
    """What a row is: `company and fiscal year`."""
    columns: tuple[Column, ...]
    """Its columns."""
    rows: tuple[tuple[Cell, ...], ...]
    """Its rows, in the order of the columns."""


class TableDatabase:
    """One table in a database that can do nothing but answer SELECTs about it."""

    def __init__(self, table: CorpusTable, limits: SqlLimits | None = None) -> None:
        """Load the table, forwards and backwards, then shut the doors.

        Raises:
            DataError: a name or a cell cannot be stored.
        """
        import duckdb

        self._table = table
        self._limits = limits or SqlLimits()
        self._duckdb_error: type[Exception] = duckdb.Error
        for name in (table.name, *(column.name for column in table.columns)):
            if not (name.isidentifier() and name.isascii()):
                raise DataError(
                    f"{name!r} is no name for a table or column; expected an identifier"
                )
        self._connections = [
            self._load(duckdb, rows) for rows in (table.rows, tuple(reversed(table.rows)))
        ]

    def close(self) -> None:
        """Drop the table."""
        for connection in self._connections:
            connection.close()

    def answer(self, sql: str) -> Rows:
        """Return the rows of a statement, in a fixed order of their own.

        Raises:
            DataError: the statement is refused, fails, takes too long or has no single answer.
        """
        checked = check_select(sql, [self._table.name])
        first, second = (self._run(connection, checked) for connection in self._connections)
        if not is_same_result(first, second):
            raise DataError("the result depends on the order of rows")
        return first

    def _load(self, duckdb: object, rows: Sequence[Sequence[Cell]]) -> "_Connection":
        config = {**_LOCKS, "memory_limit": f"{self._limits.memory_mb}MB"}
        connection: _Connection = duckdb.connect(":memory:", config=config)  # type: ignore[attr-defined]
        listed = ", ".join(
            f'"{column.name}" {_TYPES[column.column_type]}' for column in self._table.columns
        )
        try:
            connection.execute(f'CREATE TABLE "{self._table.name}" ({listed})')
            marks = ", ".join("?" for _ in self._table.columns)
            for row in rows:
                connection.execute(f'INSERT INTO "{self._table.name}" VALUES ({marks})', list(row))
            connection.execute("SET lock_configuration = true")
        except self._duckdb_error as error:
            connection.close()
            raise DataError(f"table {self._table.name!r} cannot be loaded: {error}") from None
        return connection

    def _run(self, connection: "_Connection", sql: str) -> Rows:
        timer = threading.Timer(self._limits.timeout_seconds, connection.interrupt)
        timer.start()
        try:
            found = connection.execute(sql).fetchmany(self._limits.max_rows + 1)
        except self._duckdb_error as error:
            raise DataError(f"SQL failed: {str(error).splitlines()[0][:150]}") from None
        except RuntimeError as error:  # how an interrupted fetch may end
            raise DataError(f"SQL failed: {error}") from None
        finally:
            timer.cancel()
        if len(found) > self._limits.max_rows:
            raise DataError(f"the result has over {self._limits.max_rows} rows")
        return tuple(sorted((tuple(normal_cell(cell) for cell in row) for row in found), key=repr))


class _Connection(Protocol):
    """What is used of a DuckDB connection; its package has no types."""

    def execute(self, sql: str, parameters: list[Cell] | None = None) -> "_Connection": ...

    def fetchmany(self, size: int) -> list[tuple[object, ...]]: ...

    def interrupt(self) -> None: ...

    def close(self) -> None: ...


def normal_cell(cell: object) -> str | None:
    """Return a cell as text: plain decimals, ISO dates, `true` or `false`."""
    if cell is None:
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime | date):
        shown = cell.isoformat()
        return shown.removesuffix("T00:00:00")
    if isinstance(cell, float):
        if not math.isfinite(cell):
            raise DataError("a result is not finite")
        return _plain(Decimal(repr(cell)))
    if isinstance(cell, int | Decimal):
        return _plain(Decimal(cell))
    if isinstance(cell, list | tuple):
        return "; ".join(sorted(normal_cell(entry) or "" for entry in cell))
    return str(cell)


def is_same_result(first: Rows, second: Rows) -> bool:
    """Whether two results hold the same cells; numbers may differ by rounding errors."""
    if len(first) != len(second):
        return False
    return all(
        len(left) == len(right)
        and all(_is_same_cell(one, other) for one, other in zip(left, right, strict=True))
        for left, right in zip(first, second, strict=True)
    )


_RELATIVE_ERROR = Decimal("1e-9")


def _is_same_cell(first: str | None, second: str | None) -> bool:
    if first == second or first is None or second is None:
        return first == second
    one, other = _number(first), _number(second)
    if one is None or other is None:
        return False
    return abs(one - other) <= _RELATIVE_ERROR * max(abs(one), abs(other))


def _number(shown: str) -> Decimal | None:
    try:
        number = Decimal(shown)
    except ArithmeticError:
        return None
    return number if number.is_finite() else None


def _plain(number: Decimal) -> str:
    if not number.is_finite() or number.adjusted() > 40:
        raise DataError("a result is not finite or far too large")
    shown = format(number, "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown
