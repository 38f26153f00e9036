"""Append-only JSON Lines files that survive `kill -9`.

The first line names the schema and its version; every further line is one JSON object. A line
without its newline was torn by a kill: readers drop and count it, writers cut it off. Damage
anywhere else is an error with file and line number, because it means lost records.

What it leaves out: several writers of one file (the run folder's lock keeps them apart).
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longloom.errors import DataError
from longloom.runlog.atomic import atomic_path, describe_write_failure
from longloom.runlog.closing import ClosesOnExit


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSchema:
    """What the lines of a file are."""

    name: str
    """For example `longloom.metrics`."""
    version: int
    """Raised when the meaning of a field changes; other versions are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLines:
    """All whole records of a file."""

    records: tuple[Mapping[str, Any], ...]
    """In the order in which they were written."""
    num_torn_lines: int
    """1 if a killed process left half a line at the end, else 0."""


class RecordWriter(ClosesOnExit):
    """Appends records to one file; each reaches the system before `append` returns."""

    def __init__(self, path: Path, *, schema: RecordSchema) -> None:
        """Open or start the file; a torn last line is cut off.

        Raises:
            DataError: the file is of another schema, or cannot be written.
        """
        self.path = path
        self.schema = schema
        self._open()

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise DataError(describe_write_failure(self.path, error)) from error
        try:
            self._end_bytes = _cut_torn_line(self._descriptor)
            if self._end_bytes == 0:
                self._write({"schema": self.schema.name, "version": self.schema.version})
            else:
                with self.path.open("rb") as file:
                    _check_header(self.path, file.readline(), self.schema)
        except BaseException:
            os.close(self._descriptor)
            raise

    def append(self, record: Mapping[str, object]) -> None:
        """Write one record.

        Raises:
            DataError: a value is not JSON (NaN included), or the disk is full; a line that did
                not fit is taken back.
        """
        self._write(record)

    def sync(self) -> None:
        """Flush to the disk, against power loss; a kill alone loses nothing."""
        os.fsync(self._descriptor)

    def discard_after(self, step: int) -> int:
        """Drop the records of later steps than `step`, atomically, and return their number.

        A resumed run calls it with the step of its checkpoint. Records without a `step` stay.

        Raises:
            DataError: the file is damaged or cannot be written.
        """
        num_discarded = 0
        with (
            atomic_path(self.path) as partial_path,
            self.path.open("rb") as source,
            partial_path.open("wb") as target,
        ):
            for line_number, line in enumerate(source, start=1):
                record = _parse_line(self.path, line_number, line)
                is_later = line_number > 1 and record.get("step", step) > step
                num_discarded += is_later
                if not is_later:
                    target.write(line)
        # The open descriptor points at the file that was replaced.
        os.close(self._descriptor)
        self._open()
        return num_discarded

    def close(self) -> None:
        """Flush to the disk and close."""
        self.sync()
        os.close(self._descriptor)

    def _write(self, record: Mapping[str, object]) -> None:
        try:
            text = json.dumps(record, allow_nan=False, ensure_ascii=False)
        except (TypeError, ValueError) as error:
            raise DataError(f"a record for {self.path} is not JSON: {error}") from None
        line = (text + "\n").encode("utf-8", "surrogatepass")
        try:
            num_written = os.write(self._descriptor, line)
            while num_written < len(line):
                num_written += os.write(self._descriptor, line[num_written:])
        except OSError as error:
            os.ftruncate(self._descriptor, self._end_bytes)
            raise DataError(describe_write_failure(self.path, error)) from error
        self._end_bytes += len(line)


def read_records(path: Path, *, schema: RecordSchema) -> RecordLines:
    """Return all whole records of a file; safe while another process appends to it.

    Raises:
        DataError: the file is missing, of another schema or version, or damaged before its end.
    """
    records: list[Mapping[str, Any]] = []
    num_torn_lines = 0
    for record in iterate_records(path, schema=schema):
        if record is None:
            num_torn_lines += 1
        else:
            records.append(record)
    return RecordLines(records=tuple(records), num_torn_lines=num_torn_lines)


def iterate_records(path: Path, *, schema: RecordSchema) -> Iterator[Mapping[str, Any] | None]:
    """Yield the records of a file one by one, and None for a torn last line.

    Raises:
        DataError: the file is missing, of another schema or version, or damaged before its end.
    """
    try:
        with path.open("rb") as file:
            header = file.readline()
            if not header.endswith(b"\n"):
                if header:
                    yield None
                return
            _check_header(path, header, schema)
            for line_number, line in enumerate(file, start=2):
                is_torn = not line.endswith(b"\n")
                yield None if is_torn else _parse_line(path, line_number, line)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def _parse_line(path: Path, line_number: int, line: bytes) -> Mapping[str, Any]:
    try:
        record = json.loads(line.decode("utf-8", "surrogatepass"))
    except ValueError:
        record = None
    if not isinstance(record, dict):
        shown = line[:40].decode("utf-8", "replace").rstrip()
        raise DataError(
            f"{path}, line {line_number}: {shown!r} is not a JSON object; the file was changed or "
            "damaged; restore it or start the run afresh"
        )
    return record


def _check_header(path: Path, line: bytes, schema: RecordSchema) -> None:
    header = _parse_line(path, 1, line)
    found = (header.get("schema"), header.get("version"))
    if found[0] != schema.name:
        raise DataError(f"{path} holds {found[0]!r} records, expected {schema.name!r}")
    if found[1] != schema.version:
        raise DataError(
            f"{path} has version {found[1]!r} of {schema.name}, this Longloom reads version "
            f"{schema.version}; use the Longloom that wrote it, or start the run afresh"
        )


def _cut_torn_line(descriptor: int) -> int:
    """Cut the file after its last newline and return its new size in bytes."""
    file_end = os.fstat(descriptor).st_size
    block_bytes = 1 << 16
    end = file_end
    while end > 0:
        start = max(0, end - block_bytes)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < file_end:
        os.ftruncate(descriptor, end)
    return end
