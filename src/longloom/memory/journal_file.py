"""A journal in one file, for readings that outlive their process.

Rows are found by key alone and leave oldest first, so one file serves every document and question
of a machine. A row that is read again counts as new once it has become one of the older half.
"""

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from longloom.errors import DataError
from longloom.memory.journal import StepRecord
from longloom.records import TokenUsage
from longloom.runlog.closing import ClosesOnExit
from longloom.runlog.database import DatabaseFile, Value

SCHEMA = "longloom.memory_journal/1"
"""Raised with the meaning of a field; a file of another version is refused."""
DEFAULT_MAX_BYTES = 1024**3
"""About 130 readings of 4M tokens with a full memory of 15K tokens."""
_KEPT_FRACTION = 0.9
"""So much is kept when rows leave, so that they leave seldom."""
_TABLES = (
    # The number of a row is its place in time; the bytes stand before the text, so that summing
    # them reads no text.
    "CREATE TABLE IF NOT EXISTS steps (place INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,"
    " num_bytes INTEGER NOT NULL, record BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS kept (num_bytes INTEGER NOT NULL)",
    "INSERT INTO kept SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM kept)",
)


class JournalFile(ClosesOnExit):
    """Keeps steps in a file; see `memory.journal.Journal`. For any threads and processes."""

    def __init__(self, path: Path, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        """Open the journal, or begin one; one that is larger than `max_bytes` is cut back.

        Raises:
            DataError: the file cannot be used, is damaged or holds something else.
        """
        if max_bytes < 1:
            raise DataError(f"max_bytes of a journal is {max_bytes}; expected at least 1")
        self._max_bytes = max_bytes
        self._database = DatabaseFile(path, schema=SCHEMA, tables=_TABLES, title="the journal")
        try:
            with self._database.transaction():
                has_dropped = self._drop_oldest()
            if has_dropped:  # a smaller limit than before: give the room back
                self._database.compact()
        except BaseException:
            self._database.close()
            raise

    def get(self, key: str) -> StepRecord | None:
        """Return the record of a step, if it was taken before.

        Raises:
            DataError: the file or the record is damaged.
        """
        rows = self._database.execute(
            "SELECT record, place, (SELECT min(place) + max(place) FROM steps) FROM steps"
            " WHERE key = ?",
            key,
        )
        if not rows:
            return None
        record, place, oldest_and_newest = rows[0]
        assert isinstance(place, int)
        assert isinstance(oldest_and_newest, int)
        if place < oldest_and_newest // 2:
            with suppress(DataError):  # what was asked for is at hand; it only leaves earlier
                self._database.execute(
                    "UPDATE steps SET place = (SELECT max(place) + 1 FROM steps) WHERE key = ?", key
                )
        return self._parsed(record, key)

    def put(self, key: str, record: StepRecord) -> None:
        """Keep a record; it survives the end of the process once this returns.

        An earlier record under the key is replaced. One that alone would fill the journal is not
        kept.

        Raises:
            DataError: the file is damaged, or the disk is full.
        """
        stored = json.dumps(asdict(record), ensure_ascii=False, separators=(",", ":"))
        stored_bytes = stored.encode("utf-8", "surrogatepass")
        num_bytes = len(stored_bytes) + len(key)
        if num_bytes > self._max_bytes * _KEPT_FRACTION:
            return
        with self._database.transaction():
            self._database.execute(
                "UPDATE kept SET num_bytes = num_bytes + ?"
                " - coalesce((SELECT num_bytes FROM steps WHERE key = ?), 0)",
                num_bytes,
                key,
            )
            self._database.execute(
                "INSERT OR REPLACE INTO steps (key, num_bytes, record) VALUES (?, ?, ?)",
                key,
                num_bytes,
                stored_bytes,
            )
            self._drop_oldest()

    @property
    def num_bytes(self) -> int:
        """Bytes of all records; the file is a little larger."""
        ((num_bytes,),) = self._database.execute("SELECT num_bytes FROM kept")
        assert isinstance(num_bytes, int)
        return num_bytes

    def __len__(self) -> int:
        ((num_steps,),) = self._database.execute("SELECT count(*) FROM steps")
        assert isinstance(num_steps, int)
        return num_steps

    def close(self) -> None:
        """Close the file; it holds everything already."""
        self._database.close()

    def _drop_oldest(self) -> bool:
        """Within a transaction, remove the oldest rows if all are too many bytes."""
        num_excess = self.num_bytes - self._max_bytes
        if num_excess <= 0:
            return False
        num_excess = self.num_bytes - int(self._max_bytes * _KEPT_FRACTION)
        self._database.execute(
            "DELETE FROM steps WHERE place IN (SELECT place FROM (SELECT place, num_bytes,"
            " sum(num_bytes) OVER (ORDER BY place) AS num_older_bytes FROM steps)"
            " WHERE num_older_bytes - num_bytes < ?)",
            num_excess,
        )
        self._database.execute(
            "UPDATE kept SET num_bytes = (SELECT coalesce(sum(num_bytes), 0) FROM steps)"
        )
        return True

    def _parsed(self, stored: Value, key: str) -> StepRecord:
        try:
            fields = json.loads(stored if isinstance(stored, bytes) else b"")
            return StepRecord(**{**fields, "usage": TokenUsage(**fields["usage"])})
        except (KeyError, TypeError, ValueError) as error:
            raise self._database.refuse(
                f"holds a damaged record under {key[:12]}: {error}",
                "move the file away and read the document again",
            ) from error
