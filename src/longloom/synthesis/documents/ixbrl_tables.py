"""Tables of filings: layout columns joined to the columns a reader sees.

A filing lays one amount out in three columns (`$`, `1,234`, `)`) and pads between them. Pieces that
belong to one amount are joined, and the columns are found from where the amounts of all rows
stand, so that a line reads `Net income | $1,234 | $(56)`.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from longloom.records import BlockKind
from longloom.synthesis.documents.building import DocumentBuilder, Span
from longloom.synthesis.documents.inline_text import Run
from longloom.synthesis.documents.ixbrl_numbers import shown_with_sign

CELL_SEPARATOR = " | "
_PREFIXES = frozenset({"$", "\u20ac", "\u00a3", "\u00a5", "(", "$(", "US$"})
_SUFFIXES = frozenset({")", "%", ")%", "%)"})
_AMOUNT = re.compile(
    r"[$\u20ac\u00a3\u00a5]?\s?\(?[-\u2013\u2212]?[$\u20ac\u00a3]?\d[\d,]*(\.\d+)?\)?\s?%?\)?"
)
_DASH = re.compile(r"[$\u20ac\u00a3]?\s?[-\u2014\u2013\u2212]\s?%?")
_INDEX_HEADERS = frozenset({"page", "page number", "page no.", "exhibit", "exhibit number"})
_YEAR = re.compile(r"(19|20)\d\d")


@dataclass(frozen=True, slots=True)
class FilingCell:
    """What stands in one or more layout columns of a row."""

    first: int
    """First layout column."""
    last: int
    """One past its last layout column."""
    run: Run
    """Its text, never empty."""


Row = list[FilingCell]


@dataclass(slots=True)
class FilingTable:
    """A table with its displayed columns."""

    rows: list[Row]
    """Rows that are not empty, with their amounts joined."""
    columns: list[tuple[int, int]] = field(default_factory=list)
    """Layout columns of every displayed column, in order."""
    headers: list[str] = field(default_factory=list)
    """Header of every displayed column; empty where there is none."""
    first_body_row: int = 0
    """The first row that shows amounts."""


def joined_cells(cells: Row) -> Row:
    """Return the cells of a row with the pieces of an amount joined."""
    row: Row = []
    is_open = False
    for cell in cells:
        text = cell.run.text
        if row and (is_open or text in _SUFFIXES):
            before = row.pop()
            cell = FilingCell(before.first, cell.last, before.run.joined(cell.run))
        is_open = text in _PREFIXES
        row.append(cell)
    return row


def arranged(rows: list[Row]) -> FilingTable:
    """Find the displayed columns and the headers of a table."""
    bodies = [index for index, row in enumerate(rows) if _has_amounts(row)]
    table = FilingTable(rows=rows, first_body_row=bodies[0] if bodies else len(rows))
    spans = [(cell.first, cell.last) for index in bodies for cell in rows[index]]
    table.columns = _merged(spans)
    others = {(cell.first, cell.last) for row in rows for cell in row}
    narrow_first = sorted(others, key=lambda span: (span[1] - span[0], span))
    if not bodies:
        # Text alone: the narrowest cells tell the columns, wide ones only span them.
        table.columns = []
    for span in narrow_first:
        if not _overlapped(table.columns, span):
            table.columns = sorted([*table.columns, span])
    heads = rows[: table.first_body_row] if bodies else []
    table.headers = [_header(heads, column) for column in table.columns]
    return table


def place_table(builder: DocumentBuilder, table: FilingTable, about: tuple[str, str, str]) -> None:
    """Append a table block, one line a row, with the marks of its cells.

    Amounts without a tag are marked as cells, in tables that hold no tagged one. `about` is
    the company, the heading and the sentence that announces the table; a cell needs all three to
    be told from its like.
    """
    builder.begin(BlockKind.TABLE)
    is_tagged = any(_is_tagged(cell) for row in table.rows for cell in row)
    company, heading, intro = about
    title = f"{heading}: {intro}" if heading and intro else heading or intro
    section = ""
    for index, row in enumerate(table.rows):
        if index:
            builder.add("\n")
        label = row[0].run.text if row[0].first < table.columns[0][1] else ""
        if index >= table.first_body_row or (label and len(row) == 1):
            section = _section(section, row, label)
        spans = _place_row(builder, table, index, (label, section, heading))
        if label and not is_tagged and index >= table.first_body_row:
            name = f"{label} of {company}" if company else label
            for cell, (column, span) in zip(row[1:], spans[1:], strict=True):
                header = table.headers[column]
                if header and header.lower() not in _INDEX_HEADERS and _is_amount(cell):
                    builder.mark("cell", span, row=name, column=header, table=title)
    builder.end()


def with_signs(run: Run) -> Run:
    """Return the run with negative numbers spanning their sign."""
    for place, (start, end, name, attributes) in enumerate(run.spans):
        if name == "number" and attributes["value"].startswith("-"):
            run.spans[place] = (*shown_with_sign(run.text, start, end), name, attributes)
    return run


def _place_row(
    builder: DocumentBuilder, table: FilingTable, index: int, where: tuple[str, str, str]
) -> list[tuple[int, Span]]:
    """Append a line and return the column and span of every cell."""
    label, section, heading = where
    at = 0
    placed = []
    for place, cell in enumerate(table.rows[index]):
        column = max(at, _column_of(table.columns, cell))
        if place:
            builder.add(CELL_SEPARATOR * (column - at) or " ")
        elif column:
            builder.add(CELL_SEPARATOR * column)
        at = column
        for span in cell.run.spans:
            if span[2] == "number":
                span[3].update(row=label, section=section, table=heading)
        placed.append((column, with_signs(cell.run).place(builder)))
    return placed


def _section(section: str, row: Row, label: str) -> str:
    """Return the section that holds for a row: the last line without amounts above it."""
    if len(row) == 1 and label:
        return label.rstrip(":")
    return "" if section and label.lower().startswith("total") else section


def _has_amounts(row: Row) -> bool:
    return any(_is_amount(cell) for cell in row[1:])


def _is_amount(cell: FilingCell) -> bool:
    text = cell.run.text
    if _is_tagged(cell) or _DASH.fullmatch(text):
        return True
    return _AMOUNT.fullmatch(text) is not None and _YEAR.fullmatch(text) is None


def _is_tagged(cell: FilingCell) -> bool:
    return any(span[2] == "number" for span in cell.run.spans)


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if merged and first < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _overlapped(columns: list[tuple[int, int]], span: tuple[int, int]) -> bool:
    return any(first < span[1] and span[0] < last for first, last in columns)


def _column_of(columns: list[tuple[int, int]], cell: FilingCell) -> int:
    index = bisect_right(columns, cell.first, key=lambda column: column[1])
    return min(index, len(columns) - 1)


def _header(heads: list[Row], column: tuple[int, int]) -> str:
    words = []
    for row in heads:
        if len(row) == 1 and row[0].first == 0 and len(heads) > 1:
            continue
        for cell in row:
            if cell.first < column[1] and column[0] < cell.last and cell.run.text not in words:
                words.append(cell.run.text)
    return " ".join(words)
