"""Tables of HTML pages: their grid, their header, and what a row is called.

A cell that spans rows is repeated in each of them, so that every line says all it should; a cell
that spans columns stands once. The key of a row is its row header, or its first cell, or the first
column of names where the first column numbers the rows.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lxml import etree

from longloom.errors import DataError
from longloom.records import BlockKind
from longloom.synthesis.documents.building import DocumentBuilder
from longloom.synthesis.documents.inline_text import Run

CELL_SEPARATOR = " | "
MAX_PLACED_CELLS = 1_000_000
"""Cells of one page, with those that rows and columns are spanned by; bounds hostile spans."""
_MAX_COLUMNS = 200
_MAX_KEY_COLUMN = 4
_MAX_ROWSPAN = 1000
_MAX_REPEATED_CHARACTERS = 300
_ORDINAL = re.compile(r"\W*\d{1,4}(?:st|nd|rd|th)?\W*")
_NAMING_NUMBER = re.compile(r"[12]\d{3}(?:[-/\u2013]\d{2,4})?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")
"""Years, seasons and dates."""
_COUNTING = re.compile(
    r"#|no\.?|nr\.?|num(?:ber)?|rank|pos\.?|position|place|rd\.?|round|seed|s\.? ?no\.?",
    re.IGNORECASE,
)

RunOf = Callable[[etree._Element], Run]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the grid."""

    run: Run
    """Its text, perhaps empty."""
    column: int
    """First column it stands in."""
    width: int
    """Number of columns it spans."""
    is_header: bool
    """Whether it is marked up as a header."""
    is_first_row: bool = True
    """False for the repetition of a cell that spans rows."""


@dataclass(slots=True)
class Table:
    """The grid of a table."""

    titles: list[Run] = field(default_factory=list)
    """Lines above the header that span the table."""
    header: list[str] = field(default_factory=list)
    """Header of every column; empty if the table has none."""
    rows: list[list[Cell]] = field(default_factory=list)
    """Body rows by column."""
    key_column: int = 0
    """Column that names the rows."""


class TableReader:
    """Reads the tables of one page, within one allowance of cells."""

    def __init__(self, run_of: RunOf) -> None:
        self._run_of = run_of
        self._num_placed = 0

    def read(self, element: etree._Element) -> Table:
        """Return the grid of a table that holds no other table."""
        rows = [row for row in self._rows(element) if any(cell.run.text for cell in row)]
        table = Table()
        width = max((cell.column + cell.width for row in rows for cell in row), default=0)
        while len(rows) > 1 and _is_title(rows[0], width):
            table.titles.append(rows.pop(0)[0].run)
        num_heads = _num_header_rows(rows)
        if num_heads < len(rows):
            table.header = [_header(rows[:num_heads], column) for column in range(width)]
        else:
            num_heads = 0
        if not any(table.header):
            table.header = []
        table.rows = [row for row in rows[num_heads:] if not _repeats(row, table.header)]
        table.key_column = _key_column(table)
        return table

    def _rows(self, element: etree._Element) -> Iterator[list[Cell]]:
        carried: dict[int, tuple[int, Cell]] = {}
        for line in element.iter("tr"):
            cells = [cell for cell in line if cell.tag in ("td", "th") and not is_hidden(cell)]
            if cells:
                row = list(self._row(cells, carried))
                self._num_placed += sum(cell.width for cell in row)
                if self._num_placed > MAX_PLACED_CELLS:
                    raise DataError(f"tables of more than {MAX_PLACED_CELLS} cells")
                yield row

    def _row(
        self, elements: list[etree._Element], carried: dict[int, tuple[int, Cell]]
    ) -> Iterator[Cell]:
        above = {column: carried[column] for column in sorted(carried)}
        column = 0
        for element in elements:
            while column in above:
                cell = above.pop(column)[1]
                yield cell
                column += cell.width
            width = min(_span(element.get("colspan")), _MAX_COLUMNS - column)
            if width < 1:
                break
            run = self._run_of(element)
            cell = Cell(run, column, width, element.tag == "th")
            yield cell
            column += width
            num_below = min(_span(element.get("rowspan")), _MAX_ROWSPAN)
            if num_below > 1:
                text = run if len(run.text) <= _MAX_REPEATED_CHARACTERS else Run()
                carried[cell.column] = (
                    num_below,
                    Cell(text, cell.column, width, cell.is_header, is_first_row=False),
                )
        yield from (cell for _, cell in above.values() if cell.column >= column)
        for place, (num_rows, cell) in list(carried.items()):
            if num_rows <= 1:
                del carried[place]
            else:
                carried[place] = (num_rows - 1, cell)


def place_table(builder: DocumentBuilder, table: Table, title: str) -> None:
    """Append a table block, one line a row, with a mark for every body cell that has a header."""
    builder.begin(BlockKind.TABLE)
    lines = 0
    for run in table.titles:
        builder.add("\n" if lines else "")
        run.place(builder)
        lines += 1
    if table.header:
        builder.add("\n" if lines else "")
        builder.add(CELL_SEPARATOR.join(table.header))
        lines += 1
    for row in table.rows:
        builder.add("\n" if lines else "")
        _place_row(builder, table, row, title)
        lines += 1
    builder.end()


def is_hidden(element: etree._Element) -> bool:
    """Say whether markup hides an element."""
    style = element.get("style")
    if style and "none" in style and "display:none" in style.replace(" ", ""):
        return True
    return element.get("hidden") is not None or element.get("aria-hidden") == "true"


def _place_row(builder: DocumentBuilder, table: Table, row: list[Cell], title: str) -> None:
    key = _key(table, row)
    at = 0
    is_section = len(row) == 1
    for cell in row:
        builder.add(CELL_SEPARATOR * max(0, cell.column - at))
        at = max(at, cell.column)
        span = cell.run.place(builder)
        column = table.header[cell.column] if cell.column < len(table.header) else ""
        is_plain = cell.width == 1 and not is_section and cell.column != table.key_column
        if _is_name(key) and _is_name(column) and is_plain and cell.run.text:
            builder.mark("cell", span, row=key, column=column, table=title)


def _is_name(text: str) -> bool:
    """Say whether a text names a row or column so that one can ask about it: not `7` or `#`."""
    return any(map(str.isalpha, text)) or _NAMING_NUMBER.fullmatch(text) is not None


def _key(table: Table, row: list[Cell]) -> str:
    for cell in row:
        if cell.column == table.key_column:
            return cell.run.text
    return ""


def _span(attribute: str | None) -> int:
    text = (attribute or "1").strip()
    return max(1, int(text)) if text.isdigit() and text.isascii() and len(text) < 6 else 1


def _is_title(row: list[Cell], width: int) -> bool:
    return len(row) == 1 and row[0].width >= width > 1


def _num_header_rows(rows: list[list[Cell]]) -> int:
    count = 0
    for row in rows:
        if not all(cell.is_header or not cell.run.text for cell in row) or len(row) < 2:
            break
        count += 1
    return count


def _header(heads: list[list[Cell]], column: int) -> str:
    words: list[str] = []
    for row in heads:
        for cell in row:
            text = cell.run.text
            if cell.column <= column < cell.column + cell.width and text and text not in words:
                words.append(text)
    return " ".join(words)


def _repeats(row: list[Cell], header: list[str]) -> bool:
    """Say whether a row gives the header again, as long tables do."""
    return (
        bool(header)
        and len(row) > 1
        and all(cell.is_header and cell.run.text == header[cell.column] for cell in row)
    )


def _key_column(table: Table) -> int:
    """Return the column that names the rows: the row header, else the first that tells all apart.

    A column that only counts the rows is the key if no other tells them apart.
    """
    bodies = [row for row in table.rows if len(row) > 1]
    heads = [
        cell.column for row in bodies[:1] for cell in row if cell.is_header and cell.width == 1
    ]
    columns: list[int] = heads[:1] + list(range(min(len(table.header), _MAX_KEY_COLUMN)))
    for column in columns:
        texts = [_cell_at(row, column) for row in bodies]
        name = table.header[column] if table.header else ""
        counts = _COUNTING.fullmatch(name) or all(_ORDINAL.fullmatch(text) for text in texts)
        if all(texts) and not counts and len(set(texts)) == len(texts):
            return column
    return next(iter(heads), 0)


def _cell_at(row: list[Cell], column: int) -> str:
    for cell in row:
        if cell.column == column and cell.width == 1:
            return cell.run.text
    return ""
