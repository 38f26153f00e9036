"""A small SQLite file of one schema, for rows that are looked up by key.

What it holds survives `kill -9` once a statement returned: a killed process loses nothing, and the
file is never half written. What it leaves out: the last moments before a power cut may be lost;
the file stays whole.

SQLite departs from the house rule of Parquet and JSON Lines: writers of several processes, look-up
by key without reading everything, and a write that is whole or absent need a database.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from longloom.errors import DataError, LongloomError
from longloom.runlog.closing import ClosesOnExit

_BUSY_SECONDS = 60.0
_CHECKPOINT_PAGES = 4_000
"""Pages of 4 KiB in the write-ahead log before they move to the file, which waits for the disk."""
_MAX_LOG_BYTES = 16 * 1024 * 1024
"""The write-ahead log is cut back to this after a checkpoint."""

Value = str | bytes | int | float | None
"""What a cell can hold."""


class DatabaseFile(ClosesOnExit):
    """One SQLite file; any number of threads and processes may use it at once."""

    def __init__(
        self,
        path: Path,
        *,
        schema: str,
        tables: Sequence[str],
        title: str,
        error_class: type[LongloomError] = DataError,
    ) -> None:
        """Open the file, or begin one.

        Args:
            path: the file; its folder is made if it is missing.
            schema: names what the file holds and its version; another one is refused.
            tables: statements that make the tables and indices, each `IF NOT EXISTS`.
            title: how errors call the file, as in "the journal".
            error_class: class of all errors.

        Raises:
            LongloomError: of `error_class`; the file cannot be used, is damaged or is not ours.
        """
        self.path = path
        self._schema = schema
        self._title = title
        self._error_class = error_class
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None
            )
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        try:
            self._prepare(tables)
        except BaseException:
            self._connection.close()
            raise

    def execute(self, statement: str, *values: Value) -> list[tuple[Value, ...]]:
        """Run one statement with `?` slots and return its rows.

        Raises:
            LongloomError: the file is damaged or locked for long, or the disk is full.
        """
        try:
            with self._lock:
                return self._connection.execute(statement, values).fetchall()
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise self._unusable(error) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the statements of the block one: all of them hold, or none.

        Raises:
            LongloomError: the file is damaged or locked for long, or the disk is full.
        """
        with self._lock:
            self.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self.execute("ROLLBACK")
                raise

    def compact(self) -> None:
        """Give the room of removed rows back to the disk; without it new rows take it.

        Raises:
            LongloomError: the file is damaged or locked for long, or the disk is full.
        """
        try:
            with self._lock:
                # `execute` would run only the first step of this statement, which frees one page.
                self._connection.executescript("PRAGMA incremental_vacuum")
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def refuse(self, found: str, advice: str) -> LongloomError:
        """Return the error that says what was found in the file and what to do."""
        return self._error_class(f"{self._title} {self.path} {found}; {advice}")

    def close(self) -> None:
        """Close the file; it holds everything already."""
        with self._lock:
            self._connection.close()

    def _prepare(self, tables: Sequence[str]) -> None:
        # Before the first table: it holds for the life of the file and lets room be given back.
        self.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._refuse_foreign()
        self.execute("PRAGMA journal_mode = WAL")
        # A killed process loses nothing at NORMAL; only a power cut could.
        self.execute("PRAGMA synchronous = NORMAL")
        self.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        self.execute(f"PRAGMA journal_size_limit = {_MAX_LOG_BYTES}")
        if self._found_schema() == self._schema:
            return
        with self.transaction():
            self.execute("CREATE TABLE IF NOT EXISTS meta (schema TEXT PRIMARY KEY)")
            self.execute(
                "INSERT INTO meta SELECT ? WHERE NOT EXISTS (SELECT 1 FROM meta)", self._schema
            )
            if (found := self._found_schema()) != self._schema:
                raise self.refuse(
                    f"holds {found!r}, expected {self._schema!r}",
                    "use the Longloom that wrote it, or another path",
                )
            for statement in tables:
                self.execute(statement)

    def _table_names(self) -> list[Value]:
        return [name for (name,) in self.execute("SELECT name FROM sqlite_master")]

    def _refuse_foreign(self) -> None:
        names = self._table_names()
        if names and "meta" not in names:
            raise self.refuse(
                f"is a database of another program, with {names[0]!r}", "use another path"
            )

    def _found_schema(self) -> Value:
        """Return the schema that the file names, or None if it names none yet."""
        if "meta" not in self._table_names():
            return None
        rows = self.execute("SELECT * FROM meta")
        return rows[0][0] if rows else None

    def _unusable(self, error: Exception) -> LongloomError:
        return self.refuse(
            f"cannot be used: {error}",
            "expected a database of this program in a writable folder; free the disk, or move the "
            "file away and run again",
        )
