"""Tables of reStructuredText: grid, simple and list tables as rows of cells.

Row spans of grid tables are not followed: such a table is `ragged`, and readers display it without
saying which column a cell belongs to.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

from longloom.errors import DataError

GRID_BORDER = re.compile(r"\+[-=+]*[-=]\+\s*\Z")
SIMPLE_BORDER = re.compile(r"=+(?: +=+)+\s*\Z")
_GRID_HEADER = re.compile(r"\+[=+]*=\+\s*\Z")
_SPANNING = re.compile(r"-[ -]*\Z")
_OPTION = re.compile(r":([a-z-]{1,40}):\s*(.*)")
_MAX_CELLS = 400_000

Row = list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of cells with their markup, the header first if there is one."""

    rows: list[Row]
    """Cells, white space joined; every row has the same number."""
    has_header: bool
    """Whether the first row names the columns."""
    is_ragged: bool = False
    """Whether cells span rows or columns, so that a cell's column is not certain."""


def grid_table(lines: Sequence[str]) -> Table:
    """Read a grid table from its lines, borders included."""
    borders = [line.rstrip() for line in lines if GRID_BORDER.match(line)]
    stops = sorted({place for line in borders for place, sign in enumerate(line) if sign == "+"})
    _check_size(len(lines), len(stops))
    rows: list[Row] = []
    cells: list[list[str]] = [[] for _ in stops[1:]]
    num_header_rows, is_ragged = 0, False
    for line in lines[1:]:
        if GRID_BORDER.match(line):
            rows.append([" ".join(words) for words in cells])
            cells = [[] for _ in stops[1:]]
            num_header_rows = len(rows) if _GRID_HEADER.match(line) else num_header_rows
            is_ragged |= any(line[stop : stop + 1] == "-" for stop in stops)
            continue
        is_ragged |= any(line[stop : stop + 1] not in ("|", "") for stop in stops)
        _collect(cells, _split_grid(line, stops))
    return _table(rows, num_header_rows, is_ragged)


def _split_grid(line: str, stops: Sequence[int]) -> Row:
    """Cut a line at the column stops that are drawn on it."""
    cells = [""] * (len(stops) - 1)
    first = 0
    for column in range(1, len(stops)):
        if column < len(stops) - 1 and line[stops[column] : stops[column] + 1] not in ("|", "+"):
            continue
        cell = line[stops[first] + 1 : stops[column]].strip()
        cells[first] = "" if set(cell) <= {"-", "+", "="} else cell
        first = column
    return cells


def simple_table(lines: Sequence[str]) -> Table:
    """Read a simple table from its lines, borders included."""
    starts = [match.start() for match in re.finditer(r"=+", lines[0])]
    _check_size(len(lines), len(starts))
    borders = [place for place, line in enumerate(lines) if SIMPLE_BORDER.match(line)]
    header_end = borders[1] if len(borders) > 2 else 0
    header = [cut for line in lines[1:header_end] if (cut := _split_simple(line, starts))]
    rows = [[" ".join(filter(None, column)) for column in zip(*header, strict=True)]]
    cells: list[list[str]] = [[] for _ in starts]
    has_row = False
    for line in lines[header_end + 1 : borders[-1]]:
        cut = _split_simple(line, starts)
        if not cut:
            continue
        if cut[0] and has_row:
            rows.append([" ".join(words) for words in cells])
            cells = [[] for _ in starts]
        has_row = True
        _collect(cells, cut)
    rows.append([" ".join(words) for words in cells])
    return _table(rows if header else rows[1:], 1 if header else 0, is_ragged=False)


def _split_simple(line: str, starts: Sequence[int]) -> Row:
    """Cut a line at the column starts; nothing for lines that only underline or are blank."""
    if not line.strip() or _SPANNING.match(line.strip()):
        return []
    ends = [*starts[1:], len(line)]
    cells = [line[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    return ["" if cell == "\\" else cell for cell in cells]


def list_table(lines: Sequence[str]) -> Table:
    """Read the body of a `list-table` directive, its options included."""
    option_by_name, body = options(lines)
    rows: list[list[list[str]]] = []
    for line in body:
        text = line.strip()
        if text.startswith("* -"):
            rows.append([[text[3:].strip()]])
        elif rows and (text.startswith("- ") or text == "-") and _indent(line) <= 4:
            rows[-1].append([text[1:].strip()])
        elif rows and text:
            rows[-1][-1].append(text)
    joined = [[" ".join(filter(None, words)) for words in row] for row in rows]
    return _table(joined, _number(option_by_name.get("header-rows", "0")), is_ragged=False)


def csv_table(lines: Sequence[str]) -> Table:
    """Read the body of a `csv-table` directive, its options included."""
    option_by_name, body = options(lines)
    try:
        rows = list(csv.reader([line.strip() for line in body if line.strip()]))
        titles = next(csv.reader([option_by_name.get("header", "")]))
    except csv.Error as error:
        raise DataError(f"csv-table: {error}") from error
    num_header_rows = 1 if titles else _number(option_by_name.get("header-rows", "0"))
    return _table([titles, *rows] if titles else rows, num_header_rows, is_ragged=False)


def options(lines: Sequence[str]) -> tuple[dict[str, str], Sequence[str]]:
    """Split the options at the head of a directive from its body."""
    option_by_name: dict[str, str] = {}
    for place, line in enumerate(lines):
        match = _OPTION.match(line.strip())
        if not match:
            return option_by_name, lines[place:]
        option_by_name[match[1]] = match[2]
    return option_by_name, ()


def _table(rows: list[Row], num_header_rows: int, is_ragged: bool) -> Table:
    """Join header rows into one and make all rows equally wide."""
    num_columns = max((len(row) for row in rows), default=0)
    _check_size(len(rows), num_columns)
    is_ragged |= any(len(row) != num_columns for row in rows)
    rows = [row + [""] * (num_columns - len(row)) for row in rows]
    header, body = rows[:num_header_rows], rows[num_header_rows:]
    if len(header) > 1:
        header = [[" ".join(filter(None, column)) for column in zip(*header, strict=True)]]
    body = [row for row in body if any(row)]
    return Table(rows=[*header, *body], has_header=bool(header), is_ragged=is_ragged)


def _check_size(num_rows: int, num_columns: int) -> None:
    """Refuse a table whose empty cells would swell the text."""
    if num_columns > 20 and num_rows * num_columns > _MAX_CELLS:
        raise DataError(f"table of {num_rows} rows and {num_columns} columns, limit {_MAX_CELLS}")


def _collect(cells: list[list[str]], cut: Row) -> None:
    for words, text in zip(cells, cut, strict=True):
        if text:
            words.append(text)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 4 else 0
