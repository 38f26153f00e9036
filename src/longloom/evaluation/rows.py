"""Rows of official files, read one by one and found again by where they lie.

JSON Lines, a JSON array, CSV or TSV, Parquet. Of a large file only the places of its rows are
kept: a byte range of a JSON file, a row of a row group of a Parquet file. What a row holds is read
again when its turn comes.

What it leaves out: JSON arrays whose rows are no objects, and compressed files.
"""

import hashlib
import json
import mmap
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longloom.errors import DataError
from longloom.evaluation.tables import parquet_row, parquet_rows, separated_rows

Row = Mapping[str, Any]
"""One row by field names."""

_BLOCK_BYTES = 1 << 20
_NEXT_MARK = re.compile(rb'["{}]')
# Possessive, so that a string of megabytes takes no stack.
_STRING_REST = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_FIRST_ROW = re.compile(rb"\s*+(?=\{)")
_NEXT_ROW = re.compile(rb"\s*+,\s*+(?=\{)")
_AFTER_ROWS = re.compile(rb"\s*+\]\s*+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPlace:
    """Where a row lies."""

    path: Path
    """Its file."""
    start: int
    """First byte in a JSON file; the number of the row elsewhere."""
    end: int = -1
    """One past its last byte in a JSON file."""


def read_places(path: Path) -> Iterator[tuple[RowPlace, Row]]:
    """Yield every row of a file with its place.

    Raises:
        DataError: the file is missing, damaged, or of a format that is not read.
    """
    try:
        match path.suffix.lower():
            case ".jsonl":
                yield from _json_lines(path)
            case ".json":
                yield from _json_file(path)
            case ".csv" | ".tsv":
                yield from _numbered(path, separated_rows(path))
            case ".parquet":
                yield from _numbered(path, parquet_rows(path))
            case suffix:
                raise DataError(
                    f"{path} is of the format {suffix or 'without ending'!r}; expected .jsonl, "
                    ".json, .csv, .tsv or .parquet"
                )
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}; give the official file") from None


def read_row(place: RowPlace) -> Row:
    """Return the row at a place.

    Raises:
        DataError: the file is gone or was changed.
    """
    try:
        if place.end >= 0:
            with place.path.open("rb") as file:
                file.seek(place.start)
                return _parsed(place.path, file.read(place.end - place.start), place.start)
        if place.path.suffix.lower() == ".parquet":
            return parquet_row(place.path, place.start)
        return separated_rows(place.path)[place.start]
    except (OSError, IndexError) as error:
        raise DataError(f"{place.path} was changed while it was used: {error}") from None


def sha256_digest(path: Path) -> str:
    """Return the SHA-256 hex digest of a file: the one that hubs state of theirs."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_of(row: Row, name: str, place: RowPlace) -> str:
    """Return a field that must be a text.

    Raises:
        DataError: it is missing or no text.
    """
    value = row.get(name)
    if not isinstance(value, str):
        raise DataError(
            f"{describe(place)}: field {name!r} is {_kind(row, name)}; expected a text; the fields "
            f"are {', '.join(sorted(row)) or 'none'}; give the official file"
        )
    return value


def texts_of(row: Row, name: str, place: RowPlace) -> tuple[str, ...]:
    """Return a field that must be a list of texts.

    Raises:
        DataError: it is missing or something else.
    """
    return tuple(_list_of(row, name, place, str, "texts"))


def whole_number_of(row: Row, name: str, place: RowPlace) -> int:
    """Return a field that must be a whole number.

    Raises:
        DataError: it is missing or something else.
    """
    value = row.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise DataError(
            f"{describe(place)}: field {name!r} is {_kind(row, name)}; expected a whole number; "
            "give the official file"
        )
    return value


def rows_of(row: Row, name: str, place: RowPlace) -> tuple[Row, ...]:
    """Return a field that must be a list of objects.

    Raises:
        DataError: it is missing or something else.
    """
    return tuple(_list_of(row, name, place, dict, "objects"))


def _list_of(row: Row, name: str, place: RowPlace, kind: type, words: str) -> list[Any]:
    value = row.get(name)
    if not isinstance(value, list) or not all(isinstance(entry, kind) for entry in value):
        raise DataError(
            f"{describe(place)}: field {name!r} is {_kind(row, name)}; expected a list of {words}; "
            "give the official file"
        )
    return value


def describe(place: RowPlace) -> str:
    """Return where a row lies, for messages."""
    unit = "byte" if place.end >= 0 else "row"
    return f"{place.path}, {unit} {place.start}"


def _kind(row: Row, name: str) -> str:
    return f"of type {type(row[name]).__name__}" if name in row else "missing"


def _numbered(path: Path, rows: Iterable[Row]) -> Iterator[tuple[RowPlace, Row]]:
    for number, row in enumerate(rows):
        yield RowPlace(path=path, start=number), row


def _json_lines(path: Path) -> Iterator[tuple[RowPlace, Row]]:
    start = 0
    with path.open("rb") as file:
        for line in file:
            end = start + len(line)
            if line.strip():
                yield RowPlace(path=path, start=start, end=end), _parsed(path, line, start)
            start = end


def _json_file(path: Path) -> Iterator[tuple[RowPlace, Row]]:
    """Yield the rows of an array, or of JSON Lines under the name of a JSON file."""
    with path.open("rb") as file:
        head = file.read(_BLOCK_BYTES).lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"{"):
        yield from _json_lines(path)
        return
    if not head.startswith(b"["):
        raise DataError(f"{path} is neither a JSON array nor JSON Lines; give the official file")
    for start, end, text in _array_rows(path):
        yield RowPlace(path=path, start=start, end=end), _parsed(path, text, start)


def _array_rows(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield start, end and bytes of every object of an array, by counting braces outside strings.

    The file is mapped, not loaded: its size does not matter.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        position, size = text.find(b"[") + 1, len(text)
        gap = _FIRST_ROW
        while not _AFTER_ROWS.match(text, position):
            found = gap.match(text, position)
            if found is None:
                raise DataError(
                    f"{path}, byte {position}: expected another object or the end of the array; "
                    "the file is cut or changed; download it again"
                )
            start, gap = found.end(), _NEXT_ROW
            end = _object_end(text, start, size)
            if end < 0:
                raise DataError(f"{path} ends inside a row (byte {start}); download it again")
            yield start, end, text[start:end]
            position = end


def _object_end(text: mmap.mmap, start: int, size: int) -> int:
    """Return one past the brace that closes the object at `start`, or -1."""
    depth, position = 0, start
    while position < size:
        found = _NEXT_MARK.search(text, position)
        if found is None:
            return -1
        mark, position = found[0], found.end()
        if mark == b"{":
            depth += 1
        elif mark == b"}":
            depth -= 1
            if depth == 0:
                return position
        else:
            closing = _STRING_REST.match(text, position)
            if closing is None:
                return -1
            position = closing.end()
    return -1


def _parsed(path: Path, text: bytes, start: int) -> Row:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path}, byte {start}: no JSON object: {error}; download the file again"
        ) from None
    if not isinstance(row, dict):
        raise DataError(
            f"{path}, byte {start}: a row is of type {type(row).__name__}; expected an object; "
            "give the official file"
        )
    return row
