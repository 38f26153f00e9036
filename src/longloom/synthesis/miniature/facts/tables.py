"""Facts as a DuckDB table: structured queries, and a second opinion on arithmetic.

The connection lives in memory, cannot reach files or the network, and takes one read-only
statement at a time, with a time limit.
"""

import threading
from collections.abc import Iterable, Sequence

import duckdb
import pyarrow as pa

from longloom.errors import DataError
from longloom.runlog.closing import ClosesOnExit
from longloom.synthesis.miniature.fact import Fact

_SCHEMA = pa.schema(
    [
        ("context_id", pa.string()),
        ("doc_id", pa.string()),
        ("subject", pa.string()),
        ("relation", pa.string()),
        ("value", pa.string()),
        ("number", pa.float64()),
    ]
)

Cell = str | int | float | bool | None
"""A value of a query's result."""


class FactStore(ClosesOnExit):
    """A table `facts(context_id, doc_id, subject, relation, value, number)`."""

    def __init__(self, facts: Iterable[tuple[str, Fact]]) -> None:
        """Load facts, each with the context (or any other scope) it is looked up in."""
        rows = [
            (
                scope,
                fact.doc_id,
                fact.subject,
                fact.relation,
                fact.value,
                float(fact.value) if fact.is_number else None,
            )
            for scope, fact in facts
        ]
        columns = [[row[place] for row in rows] for place in range(len(_SCHEMA))]
        self._connection = duckdb.connect(":memory:", config={"threads": 1})
        self.add_table("facts", pa.table(columns, schema=_SCHEMA))
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def add_table(self, name: str, rows: pa.Table) -> None:
        """Copy a table into the store; `name` is a plain identifier of ours, never a user's."""
        assert name.isidentifier()
        self._connection.register("incoming", rows)
        self._connection.execute(f"CREATE TABLE {name} AS SELECT * FROM incoming")
        self._connection.unregister("incoming")

    def query(
        self, sql: str, parameters: Sequence[Cell] = (), *, timeout_seconds: float = 10.0
    ) -> list[tuple[Cell, ...]]:
        """Return the rows of one SELECT statement.

        Raises:
            DataError: the text is not exactly one SELECT, fails, or takes too long.
        """
        try:
            statements = duckdb.extract_statements(sql)
        except duckdb.Error as error:
            raise DataError(f"SQL cannot be parsed: {_first_line(error)}") from None
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise DataError(
                f"SQL {sql[:60]!r} holds {len(statements)} statements or changes something; "
                "expected exactly one SELECT"
            )
        timer = threading.Timer(timeout_seconds, self._connection.interrupt)
        timer.start()
        try:
            return self._connection.execute(sql, list(parameters)).fetchall()
        except duckdb.InterruptException:
            raise DataError(
                f"SQL {sql[:60]!r} was stopped after {timeout_seconds} seconds"
            ) from None
        except duckdb.Error as error:
            raise DataError(f"SQL {sql[:60]!r} failed: {_first_line(error)}") from None
        finally:
            timer.cancel()

    def close(self) -> None:
        """Free the table."""
        self._connection.close()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
