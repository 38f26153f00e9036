"""Read the rows of Parquet, JSON Lines and JSON files, a few at a time.

Rows come as plain values; nothing is believed about them yet. What it leaves out: other columns
than those asked for are never decoded from Parquet.
"""

import codecs
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from longloom.errors import DataError

MAX_LINE_CHARACTERS = 40_000_000
"""A longer line of JSON is no row: about eight million tokens."""

_JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
_ROWS_AT_ONCE = 16
_BLOCK_BYTES = 1 << 16


def read_plain_rows(
    path: Path, *, wanted: Sequence[str], required: Sequence[str] = ()
) -> Iterator[object]:
    """Yield the rows of a file; a line that is no JSON comes as its text.

    Args:
        path: the file; its name says what it holds.
        wanted: columns to read of a Parquet file.
        required: columns without which a Parquet file is refused.

    Raises:
        DataError: the file as a whole cannot be read.
    """
    if not path.is_file():
        raise DataError(f"{path} is not a file; expected Parquet, JSON Lines or JSON")
    if path.suffix.lower() == ".parquet":
        yield from _parquet(path, wanted, required)
    elif path.suffix.lower() == ".json" and _first_byte(path) == b"[":
        yield from _json_list(path)
    elif path.suffix.lower() in _JSON_SUFFIXES or _first_byte(path) == b"{":
        yield from _json_lines(path)
    else:
        raise DataError(
            f"{path} is of a kind that is not read; expected Parquet (.parquet), JSON Lines "
            "(.jsonl, an object on each line) or JSON (.json, a list of objects); convert it"
        )


def count_plain_rows(path: Path) -> int:
    """Return about how many rows a file holds, without decoding them; 0 if it cannot be read."""
    try:
        if path.suffix.lower() == ".parquet":
            return int(pq.ParquetFile(path).metadata.num_rows)
        with path.open("rb") as file:
            blocks = iter(lambda: file.read(_BLOCK_BYTES), b"")
            return max(1, sum(block.count(b"\n") for block in blocks))
    except (pa.ArrowException, OSError):
        return 0


def parquet_schema_name(path: Path) -> str:
    """Return the name that Longloom writes into its own Parquet files; empty for others."""
    try:
        stated = pq.read_schema(path).metadata or {}
    except (pa.ArrowException, OSError):
        return ""
    return str(stated.get(b"schema", b"").decode("utf-8", "replace"))


def _parquet(path: Path, wanted: Sequence[str], required: Sequence[str]) -> Iterator[object]:
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            absent = [name for name in required if name not in names]
            columns = [name for name in wanted if name in names]
            if absent or not columns:
                raise DataError(
                    f"{path} has no column {(absent or wanted)[0]} (it has "
                    f"{', '.join(names)[:200]}); expected {', '.join(wanted)}"
                )
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=columns):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"{path} is not readable Parquet ({reason})") from None


def _first_byte(path: Path) -> bytes:
    """Return the first byte that is neither space nor byte-order mark; empty if there is none."""
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                if stripped := block.removeprefix(codecs.BOM_UTF8).lstrip():
                    return stripped[:1]
    except OSError:  # said by whoever reads it
        return b""
    return b""


def _json_list(path: Path) -> Iterator[object]:
    try:
        rows = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is not readable JSON ({error or 'nested too deep'})") from None
    yield from rows


def _json_lines(path: Path) -> Iterator[object]:
    try:
        with path.open(encoding="utf-8-sig") as lines:
            number = 0
            while line := lines.readline(MAX_LINE_CHARACTERS + 1):
                if len(line) > MAX_LINE_CHARACTERS:
                    raise DataError(
                        f"{path}, row {number} has more than {MAX_LINE_CHARACTERS} characters"
                    )
                if line.strip():
                    yield _parsed(line)
                    number += 1
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not readable JSON Lines ({error})") from None


def _parsed(line: str) -> object:
    """Return the row, or the text itself if it is not JSON."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line
