"""Read CSV and other delimited tables.

One line a row, cells joined by ` | `, the header line first. Every body cell is marked `cell` with
its row's key, its column and the table's title. A block holds a bounded group of rows, so that a
large table can be cut between blocks.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import PurePosixPath

from longloom.errors import DataError
from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.building import DocumentBuilder, Reading, clean_text
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.facts.quantities import parse_quantity

CELL_SEPARATOR = " | "
MAX_ROWS = 5_000
MAX_COLUMNS = 200
MAX_CELL_CHARACTERS = 1_000
MAX_TABLE_CHARACTERS = 2_000_000
ROWS_PER_BLOCK = 40

_DELIMITERS = (",", "\t", ";", "|")
_NUM_SNIFFED_LINES = 40
_MAX_SNIFFED_CHARACTERS = 200_000
_MAX_IRREGULAR_FRACTION = 0.1
_MAX_KEY_CHARACTERS = 80
_SPACES = re.compile(r"\s+")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")


def read(source: SourceFile) -> Iterable[Reading]:
    """Read one delimited file as one table.

    Raises:
        DataError: the bytes are no text, or the text is no table with a header line.
    """
    text = _decoded(source.payload)
    rows, num_irregular = _regular_rows(_parsed(text, _delimiter(text)))
    header, body = rows[0], rows[1:]
    if not body:
        raise DataError("no table: a header line without rows")
    if sum(_is_number(cell) for cell in header) * 2 > len(header):
        raise DataError("no table: the first line holds numbers, not names of columns")
    yield table_reading(source, header, body, num_left_out=num_irregular)


def table_reading(
    source: SourceFile,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    num_left_out: int = 0,
) -> Reading:
    """Render a table; rows beyond the limits are counted in a last line.

    Args:
        source: where it was read from; its name gives the title.
        header: names of the columns.
        rows: as many cells each as the header has.
        num_left_out: rows that the caller left out already.
    """
    title = table_title(source.name)
    builder = DocumentBuilder(
        title=title,
        kind=DocumentKind.GENERAL,
        genre="table",
        source=source.name,
        licence=source.licence,
        may_be_altered=source.may_be_altered,
    )
    builder.block(BlockKind.HEADING, title, level=1)
    columns, cells_of_rows = _without_row_numbers(
        _column_names(header), [[_cell(cell) for cell in row] for row in rows[:MAX_ROWS]]
    )
    keys = row_keys(columns, cells_of_rows)
    num_shown = 0
    for first in range(0, len(cells_of_rows), ROWS_PER_BLOCK):
        if builder.position > MAX_TABLE_CHARACTERS:
            break
        builder.begin(BlockKind.TABLE)
        if first == 0:
            builder.add(CELL_SEPARATOR.join(columns))
        group = cells_of_rows[first : first + ROWS_PER_BLOCK]
        for place, cells in enumerate(group, start=first):
            _add_row(builder, title, keys[place], columns, cells, is_first=place == first > 0)
        builder.end()
        num_shown += len(group)
    num_left_out += len(rows) - num_shown
    if num_left_out:
        span = builder.block(BlockKind.PARAGRAPH, f"({num_left_out} further rows are left out.)")
        builder.mark("rows_left_out", span, count=str(num_left_out))
    return builder.build()


def table_title(name: str) -> str:
    """Return the title of a table from its file's path: the last folder and the stem."""
    path = PurePosixPath(name)
    folder = path.parent.name
    return f"{folder}/{path.stem}" if folder and folder != path.stem else path.stem


def row_keys(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a key for every row: the first columns that tell all rows apart.

    Columns of names come first, then whole numbers and dates at the left, then two or three
    columns together (`Chad, 2003`); a table without a key has the numbers of its rows.
    """
    for places in _key_candidates(columns, rows):
        keys = [", ".join(row[place] for place in places) for row in rows]
        is_complete = all(row[place] for row in rows for place in places)
        if is_complete and len(set(keys)) == len(keys):
            return keys
    return [f"row {number}" for number in range(1, len(rows) + 1)]


def _key_candidates(
    columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> Iterator[tuple[int, ...]]:
    first_places = range(min(len(columns), 6))
    sample = rows[:200]
    measured = {
        place
        for place in first_places
        if any("." in row[place] and _is_number(row[place]) for row in sample)
        or any(len(row[place]) > _MAX_KEY_CHARACTERS for row in sample)
        or any("://" in row[place] for row in sample)
    }
    numbers = {
        place
        for place in first_places
        if sum(_is_number(row[place]) for row in sample) > len(sample) / 2
    }
    usable = [place for place in first_places if place not in measured]
    yield from ((place,) for place in usable[:4] if place not in numbers)
    yield from ((place,) for place in usable[:2])
    yield from (pair for pair in combinations(usable, 2) if not numbers.issuperset(pair))
    yield from combinations(usable[:4], 3)


def _add_row(
    builder: DocumentBuilder,
    table: str,
    key: str,
    columns: Sequence[str],
    cells: Sequence[str],
    *,
    is_first: bool,
) -> None:
    line = CELL_SEPARATOR.join(cells)
    _, end = builder.add(line if is_first else f"\n{line}")
    place = end - len(line)
    for column, cell in zip(columns, cells, strict=True):
        if cell:
            builder.mark("cell", (place, place + len(cell)), row=key, column=column, table=table)
        place += len(cell) + len(CELL_SEPARATOR)


def _decoded(payload: bytes) -> str:
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = payload.decode("cp1252")
        except UnicodeDecodeError:
            raise DataError("no table: neither UTF-8 nor Windows-1252 text") from None
    if _CONTROL.search(text):
        raise DataError("no table: control characters")
    return clean_text(text)


def _delimiter(text: str) -> str:
    """Return the delimiter under which the first lines have the most cells, all alike."""
    sample = text[:_MAX_SNIFFED_CHARACTERS]
    best, best_score = "", (0.0, 0)
    for delimiter in _DELIMITERS:
        lengths = [len(row) for row, _ in zip(_rows(sample, delimiter), range(_NUM_SNIFFED_LINES))]  # noqa: B905 - stops at the shorter
        usual, count = Counter(lengths).most_common(1)[0] if lengths else (0, 0)
        score = (count / max(len(lengths), 1), usual)
        if usual > 1 and score > best_score:
            best, best_score = delimiter, score
    if not best:
        raise DataError("no table: no delimiter splits its lines into cells")
    return best


def _parsed(text: str, delimiter: str) -> Iterator[list[str]]:
    for row in _rows(text, delimiter):
        if len(row) > MAX_COLUMNS:
            raise DataError(f"no table: {len(row)} columns; at most {MAX_COLUMNS} are read")
        yield row


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """Yield the rows that are not blank.

    Raises:
        DataError: a cell is longer than the csv module's limit (131,072 characters).
    """
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if any(cell and not cell.isspace() for cell in row):
                yield row
    except csv.Error as error:
        raise DataError(f"no table: {error}") from None


def _regular_rows(rows: Iterable[list[str]]) -> tuple[list[list[str]], int]:
    """Return the rows with as many cells as the header, and how many others there were."""
    kept: list[list[str]] = []
    num_irregular = 0
    for row in rows:
        if kept and len(row) != len(kept[0]):
            num_irregular += 1
        else:
            kept.append(row)
    if num_irregular > _MAX_IRREGULAR_FRACTION * len(kept):
        raise DataError(f"no table: {num_irregular} rows are longer or shorter than the header")
    return kept, num_irregular


def _column_names(header: Sequence[str]) -> list[str]:
    """Return one name a column; nameless ones are numbered, repeated ones told apart."""
    names: list[str] = []
    for place, cell in enumerate(header, start=1):
        name = _cell(cell) or f"column {place}"
        names.append(f"{name} ({place})" if name in names else name)
    return names


def _without_row_numbers(
    columns: list[str], rows: list[list[str]]
) -> tuple[list[str], list[list[str]]]:
    """Drop a nameless first column that only numbers the rows, as R writes it."""
    is_nameless = columns[0] == "column 1" and len(columns) > 2
    if is_nameless and all(_WHOLE_NUMBER.fullmatch(row[0]) for row in rows):
        return columns[1:], [row[1:] for row in rows]
    return columns, rows


def _cell(cell: str) -> str:
    text = _SPACES.sub(" ", cell).strip().replace("|", "/")
    if len(text) > MAX_CELL_CHARACTERS:
        return text[: MAX_CELL_CHARACTERS - 3] + "..."
    return text


def _is_number(cell: str) -> bool:
    return parse_quantity(cell) is not None
