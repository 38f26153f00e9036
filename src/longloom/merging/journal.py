"""Which units of a merge are finished, so that a killed merge continues.

A line of JSON follows every finished unit, with a checksum of its bytes. Nothing is flushed to the
disk in between: after `kill -9` the system still writes what it was given, and after a power
failure the checksums tell which units are to be merged again. A half-written last line is dropped.
"""

import errno
import fcntl
import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from longloom.errors import ModelError
from longloom.merging.merge_report import UnitReport
from longloom.merging.unit_merge import FinishedUnit
from longloom.runlog.atomic import describe_write_failure
from longloom.runlog.closing import ClosesOnExit

JOURNAL_NAME = "merge_journal.jsonl"
"""Name within the partial folder."""
_SCHEMA = "longloom.merge_journal"
_VERSION = 1


class MergeJournal(ClosesOnExit):
    """The journal of one merge, held by one process."""

    def __init__(self, path: Path) -> None:
        """Open or make the journal.

        Raises:
            ModelError: another process holds it, or it cannot be written.
        """
        self._path = path
        self.num_added = 0
        """Units that this process has noted."""
        self._lock = threading.Lock()
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise ModelError(describe_write_failure(path, error)) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise ModelError(
                f"{path.parent} is being written by another merge; wait until it ends, or choose "
                "another output"
            ) from None
        except OSError as error:
            self.close()
            raise ModelError(
                f"{path} cannot be locked: {error.strerror}; choose a folder on a disk that "
                "supports file locks"
            ) from error

    def resume(self, key: str) -> Mapping[str, FinishedUnit] | None:
        """Return the finished units by name; None if the journal is of another merge or new.

        Args:
            key: says what is merged and how.
        """
        with os.fdopen(os.dup(self._descriptor), "rb") as stream:
            stream.seek(0)
            content = stream.read()
        lines = content.split(b"\n")[:-1]  # what follows the last end of line is half a line
        if not lines or _parsed(lines[0]) != self._header(key):
            return None
        finished: dict[str, FinishedUnit] = {}
        num_bytes = len(lines[0]) + 1
        for line in lines[1:]:
            parsed = _parsed(line)
            try:
                name, unit = _finished(parsed)
            except (KeyError, TypeError):
                break
            finished[name] = unit
            num_bytes += len(line) + 1
        self._change(lambda: os.ftruncate(self._descriptor, num_bytes))
        os.lseek(self._descriptor, num_bytes, os.SEEK_SET)
        return finished

    def restart(self, key: str) -> None:
        """Forget all units and begin the journal of this merge.

        Raises:
            ModelError: it cannot be written.
        """
        self._change(lambda: os.ftruncate(self._descriptor, 0))
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._append(self._header(key))

    def add(self, name: str, finished: FinishedUnit) -> None:
        """Note that a unit is finished; from any thread.

        Raises:
            ModelError: it cannot be written.
        """
        report = asdict(finished.report) if finished.report else None
        with self._lock:
            self._append({"unit": name, "checksum": finished.checksum, "report": report})
            self.num_added += 1

    def close(self) -> None:
        """Close the journal; another process may take it."""
        os.close(self._descriptor)

    def _header(self, key: str) -> dict[str, object]:
        return {"schema": _SCHEMA, "version": _VERSION, "key": key}

    def _append(self, entry: Mapping[str, object]) -> None:
        line = json.dumps(entry, separators=(",", ":")).encode("ascii") + b"\n"
        self._change(lambda: self._write(line))

    def _write(self, line: bytes) -> None:
        if os.write(self._descriptor, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _change(self, change: Callable[[], object]) -> None:
        try:
            change()
        except OSError as error:
            raise ModelError(describe_write_failure(self._path, error)) from error


def _parsed(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _finished(parsed: object) -> tuple[str, FinishedUnit]:
    if not isinstance(parsed, dict):
        raise TypeError("a line of the journal is no object")
    report = parsed["report"]
    return str(parsed["unit"]), FinishedUnit(
        checksum=parsed["checksum"],
        report=UnitReport.from_json(report) if report is not None else None,
    )
