"""A journal that fails costs no reading."""

import logging
import sqlite3
from pathlib import Path

import pytest

from longloom.memory import SpareableJournal, StepRecord
from longloom.memory.journal_file import JournalFile
from longloom.records import TokenUsage


def record_of(memory: str) -> StepRecord:
    return StepRecord(memory=memory, plan="", is_usable=True, usage=TokenUsage(), seconds=1.0)


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def make_unwritable(path: Path, *, is_unwritable: bool) -> None:
    """Let a trigger refuse new rows, as a full disk does, or take it away again."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON steps BEGIN SELECT RAISE(FAIL, 'full'); END"
            if is_unwritable
            else "DROP TRIGGER full"
        )
    connection.close()


def test_what_cannot_be_kept_is_said_once_and_tried_again_later(tmp_path, caplog) -> None:
    seconds = [0.0]
    path = tmp_path / "journal.sqlite"
    with JournalFile(path) as file:
        journal = SpareableJournal(file, clock=lambda: seconds[0])
        journal.put("a", record_of("a"))
        make_unwritable(path, is_unwritable=True)
        for key in "bcd":
            journal.put(key, record_of(key))
        assert len(warnings_in(caplog)) == 1
        assert "goes on without its journal" in warnings_in(caplog)[0]
        assert journal.get("a") == record_of("a")  # what was kept can still be read
        make_unwritable(path, is_unwritable=False)
        journal.put("e", record_of("e"))
        assert journal.get("e") is None  # it is left alone for a while
        seconds[0] = 601.0
        journal.put("f", record_of("f"))
        assert journal.get("f") == record_of("f")
        assert len(warnings_in(caplog)) == 1
        make_unwritable(path, is_unwritable=True)
        journal.put("g", record_of("g"))
        assert len(warnings_in(caplog)) == 2  # another failure is said again


def test_damaged_record_counts_as_none_and_is_replaced(tmp_path, caplog) -> None:
    path = tmp_path / "journal.sqlite"
    with JournalFile(path) as file:
        journal = SpareableJournal(file)
        journal.put("a", record_of("a"))
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE steps SET record = ?", (b"not json",))
        connection.close()
        assert journal.get("a") is None
        assert "damaged record" in warnings_in(caplog)[0]
        journal.put("a", record_of("again"))
        assert journal.get("a") == record_of("again")


def test_file_that_is_gone_fails_no_reading(tmp_path, caplog) -> None:
    file = JournalFile(tmp_path / "journal.sqlite")
    journal = SpareableJournal(file)
    file.close()
    assert journal.get("a") is None
    journal.put("a", record_of("a"))
    assert len(warnings_in(caplog)) == 1
