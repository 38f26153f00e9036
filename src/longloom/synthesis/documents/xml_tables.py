"""Tables of XML documents: spans spread over a grid, one line a row, one mark a body cell.

The convention is the same for every reader: a TABLE block with the header line first, cells joined
by ` | `, and a mark `cell` on each body cell that shows something, with `row` (key of the row),
`column` (its header, empty if there is none) and `table` (caption, or title of the section). Cells
that row and column do not name without doubt get no mark.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from longloom.records import BlockKind
from longloom.synthesis.documents.building import DocumentBuilder
from longloom.synthesis.documents.safe_xml import Element, attribute, children, local_name

CELL_SEPARATOR = " | "
MAX_SPAN = 60
MAX_CELLS = 40_000

_NUMERIC = re.compile(r"[\s\d.,()%$<>=~+-]*")
_FOOTNOTE = re.compile(r"\^[^\W\d]\b|\^[*\u2020\u2021\u00a7]")
"""A mark of a footnote; the text keeps it, the names of rows and columns do not."""
_MAX_KEY_CELLS = 3


@dataclass(frozen=True, slots=True)
class Grid:
    """A table with its spans spread out."""

    header: tuple[str, ...]
    """One name a column, header rows joined; empty if the table has no header."""
    rows: tuple[tuple[str, ...], ...]
    """Body rows, each as wide as the table."""


def grid_of(table: Element, text_of: Callable[[Element], str]) -> Grid:
    """Read `tr` rows with `th` and `td` cells, as HTML, JATS and xml2rfc write them."""
    lines = list(table.iter("{*}tr"))
    spread = _spread(lines, text_of)
    num_header = 0
    for line in lines:
        parent = line.getparent()
        in_head = parent is not None and local_name(parent) == "thead"
        cells = children(line, "th", "td")
        if not in_head and not (cells and all(local_name(cell) == "th" for cell in cells)):
            break
        num_header += 1
    width = max((len(row) for row in spread), default=0)
    padded = [tuple(row + [""] * (width - len(row))) for row in spread]
    if not padded[num_header:]:
        return Grid((), tuple(row for row in padded if any(row)))
    header = _joined(padded[:num_header], width) if num_header else ()
    return Grid(header, tuple(row for row in padded[num_header:] if any(row)))


def write_table(builder: DocumentBuilder, grid: Grid, title: str) -> None:
    """Write a grid as one TABLE block with its cell marks."""
    if not grid.rows:
        return
    builder.begin(BlockKind.TABLE)
    separator = ""
    if any(grid.header):
        builder.add(CELL_SEPARATOR.join(grid.header))
        separator = "\n"
    num_by_header = Counter(grid.header)
    for key, row in zip(row_keys(grid.rows), grid.rows, strict=True):
        shown = row[: 1 if row[0] else 2] if _is_heading(row) else row
        for column, cell in enumerate(shown):
            builder.add(separator)
            separator = CELL_SEPARATOR
            span = builder.add(cell)
            header = grid.header[column] if column < len(grid.header) else ""
            if cell and key and num_by_header[header] <= 1:
                row_name, column_name = _FOOTNOTE.sub("", key), _FOOTNOTE.sub("", header)
                builder.mark("cell", span, row=row_name, column=column_name, table=title)
        separator = "\n"
    builder.end()


def row_keys(rows: Sequence[Sequence[str]]) -> list[str]:
    """Name every row by its first cells, as many as tell it from the others.

    A row that shows its first cell alone is the heading of the rows below it; it has no key, and
    its text goes before theirs where their own first cell does not tell them apart. A row that
    nothing tells apart has no key either.
    """
    groups: list[str] = []
    group = ""
    for row in rows:
        group = (row[0] or row[1]) if _is_heading(row) else group
        groups.append(group)
    carried = _carried(rows)
    keys = ["" if _is_heading(row) else _key(row, 1) for row in carried]
    for num_cells in range(2, _MAX_KEY_CELLS + 1):
        counts = Counter(keys)
        keys = [
            _key(row, num_cells) if key and counts[key] > 1 else key
            for key, row in zip(keys, carried, strict=True)
        ]
    counts = Counter(keys)
    keys = [
        f"{group}: {key}" if key and group and counts[key] > 1 else key
        for key, group in zip(keys, groups, strict=True)
    ]
    counts = Counter(keys)
    return [key if counts[key] == 1 else "" for key in keys]


def _carried(rows: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Put into empty first cells what stands in the first cell above, where words follow them.

    The first cell is joined to the second then, as it is in the row that begins such a group.
    """
    is_open = [not row[0] and len(row) > 1 and _is_words(row[1]) for row in rows]
    carried: list[tuple[str, ...]] = []
    above = ""
    for place, row in enumerate(rows):
        begins = row[0] and place + 1 < len(rows) and is_open[place + 1] and not _is_heading(row)
        above = row[0] or above
        joins = is_open[place] or (begins and len(row) > 1 and _is_words(row[1]))
        is_joined = bool(joins and above)
        carried.append((f"{above}, {row[1]}", "", *row[2:]) if is_joined else tuple(row))
    return carried


def _is_words(cell: str) -> bool:
    """Whether a cell holds words and not only numbers."""
    return bool(cell) and _NUMERIC.fullmatch(cell) is None


def _is_heading(row: Sequence[str]) -> bool:
    """Whether one of the first two cells is all that a row shows, alone or over every column."""
    shown = set(filter(None, row))
    return len(row) > 1 and len(shown) == 1 and bool(row[0] or (row[1] and len(row) > 2))


def _key(row: Sequence[str], num_cells: int) -> str:
    """Join the first cells that show something; past the first, only those that hold words."""
    shown = [cell for cell in row if cell]
    named = shown[:1] + [cell for cell in shown[1:num_cells] if not _NUMERIC.fullmatch(cell)]
    return ", ".join(dict.fromkeys(named))


def _spread(lines: Sequence[Element], text_of: Callable[[Element], str]) -> list[list[str]]:
    """Repeat each cell over the rows and columns it spans."""
    waiting: dict[int, tuple[int, str]] = {}
    spread: list[list[str]] = []
    num_cells = 0
    for line in lines:
        row: list[str] = []
        for cell in children(line, "th", "td"):
            _fill(row, waiting)
            text = text_of(cell).replace("\n", " ")
            num_rows = _span(cell, "rowspan")
            for _ in range(_span(cell, "colspan")):
                if num_rows > 1:
                    waiting[len(row)] = (num_rows - 1, text)
                row.append(text)
        _fill(row, waiting)
        num_cells += len(row)
        if num_cells > MAX_CELLS:
            break
        spread.append(row)
    return spread


def _fill(row: list[str], waiting: dict[int, tuple[int, str]]) -> None:
    """Put in the cells that reach down from rows above."""
    while len(row) in waiting:
        column = len(row)
        num_left, text = waiting.pop(column)
        row.append(text)
        if num_left > 1:
            waiting[column] = (num_left - 1, text)


def _span(cell: Element, name: str) -> int:
    number = attribute(cell, name)
    return min(max(int(number), 1), MAX_SPAN) if number.isascii() and number.isdigit() else 1


def _joined(rows: Sequence[Sequence[str]], width: int) -> tuple[str, ...]:
    """Join the header rows of every column, each text once."""
    names = []
    for column in range(width):
        parts = dict.fromkeys(row[column] for row in rows if row[column])
        names.append(" / ".join(parts))
    return tuple(names)
