"""PDF reports: the text layer, page by page, put back into paragraphs.

It is NOT an OCR: scanned pages have no text and are refused. Lines come from pdfium with the place
of their first character; gaps, indents and sizes make paragraphs and headings. Tables are found
where pdfplumber is installed. A crash inside pdfium is for whoever isolates readers.
"""

import io
import itertools
import logging
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePosixPath
from typing import Protocol

from longloom.errors import DataError, MissingDependencyError
from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.building import DocumentBuilder, Reading
from longloom.synthesis.documents.reader import SourceFile

MAX_PDF_BYTES = 50_000_000
"""Larger files are mostly pictures."""
MAX_PAGES = 1500
"""A page tree may claim any number of pages."""
MAX_PAGE_CHARS = 100_000
"""More on one page is no page for a reader."""
_MAX_CHARS = 8_000_000
_MAX_TABLE_PAGES = 200
_EDGE_LINES = 2
_REPEATED_FRACTION = 0.6
_MIN_PAGES_REPEATED = 3
_HYPHENS = "\x02\u00ad\ufffe"
_DIGITS = re.compile(r"\d+|\b[ivxlc]+\b", re.IGNORECASE)
_PAGE_NUMBER = re.compile(r"^# \S|\S #$")
_BULLET = re.compile(r"(?:[\u2022\u2023\u25aa\u25cf\u25e6\u2013-]|\(?(?:\d{1,3}|[a-z])[.)])\s")


# What pdfplumber lets through from damaged files that pdfium can read.
_TABLE_ERRORS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page and where it stands, in points from the lower left."""

    text: str
    left: float
    right: float
    top: float
    height: float
    page: int


class _PdfTextPage(Protocol):
    def count_chars(self) -> int: ...
    def get_text_range(self, index: int, count: int) -> str: ...
    def get_charbox(self, index: int, loose: bool) -> tuple[float, float, float, float]: ...
    def close(self) -> None: ...


class _PdfPage(Protocol):
    def get_textpage(self) -> _PdfTextPage: ...
    def close(self) -> None: ...


class _PdfDocument(Protocol):
    def __len__(self) -> int: ...
    def __getitem__(self, number: int) -> _PdfPage: ...


def accepts(source: SourceFile) -> bool:
    """Tell whether a file looks like a PDF."""
    is_named = PurePosixPath(source.name).suffix.lower() == ".pdf"
    return b"%PDF-" in source.payload[: 1024 if is_named else 8]


def read(source: SourceFile) -> Iterable[Reading]:
    """Read one file as one document.

    Raises:
        DataError: If it is broken, encrypted, too large, or has no text layer.
    """
    if len(source.payload) > MAX_PDF_BYTES:
        raise DataError(f"PDF of {len(source.payload)} bytes, limit {MAX_PDF_BYTES}")
    lines = _lines(source.payload)
    if not lines:
        raise DataError("PDF without a text layer")
    builder = DocumentBuilder(
        title=source.name,
        kind=DocumentKind.PROFESSIONAL,
        genre="report",
        source=source.name,
        licence=source.licence,
        may_be_altered=source.may_be_altered,
    )
    tables = _tables(source.payload, lines[-1].page + 1)
    _write(builder, _without_running_lines(lines), tables)
    return [builder.build()]


def _lines(payload: bytes) -> list[Line]:
    """Return the lines of every page, in reading order as pdfium sees it."""
    try:
        pdfium = import_module("pypdfium2")
    except ImportError as error:
        raise MissingDependencyError("PDFs need pypdfium2: pip install pypdfium2") from error
    try:
        document = pdfium.PdfDocument(payload)
    except pdfium.PdfiumError as error:
        is_locked = "password" in str(error).lower() or "security" in str(error).lower()
        raise DataError("PDF is encrypted" if is_locked else f"broken PDF: {error}") from error
    try:
        return _lines_of_pages(document)
    except pdfium.PdfiumError as error:
        raise DataError(f"broken PDF: {error}") from error
    finally:
        document.close()


def _lines_of_pages(document: _PdfDocument) -> list[Line]:
    num_pages = len(document)
    if num_pages > MAX_PAGES:
        raise DataError(f"PDF of {num_pages} pages, limit {MAX_PAGES}")
    lines: list[Line] = []
    num_chars = 0
    for number in range(num_pages):
        page = document[number]
        try:
            found = list(_lines_of_page(page, number))
        finally:
            page.close()
        lines += found
        num_chars += sum(len(line.text) for line in found)
        if num_chars > _MAX_CHARS:
            raise DataError(f"PDF of more than {_MAX_CHARS} characters")
    return lines


def _lines_of_page(page: _PdfPage, number: int) -> Iterator[Line]:
    text_page = page.get_textpage()
    try:
        num_chars = text_page.count_chars()
        if num_chars > MAX_PAGE_CHARS:
            raise DataError(f"page {number + 1} of {num_chars} characters, limit {MAX_PAGE_CHARS}")
        start = 0
        shown = text_page.get_text_range(0, num_chars) if num_chars else ""
        for raw in shown.split("\n"):
            text = raw.rstrip("\r")
            last = start + len(text.rstrip()) - 1
            first = start + len(text) - len(text.lstrip())
            if text.strip() and last < num_chars:
                left, bottom, _, top = text_page.get_charbox(first, loose=True)
                _, low, right, high = text_page.get_charbox(last, loose=True)
                height = max(top - bottom, high - low)  # a bullet or a code word may come first
                yield Line(_spaced(text), left, right, top, height, number)
            start += len(raw) + 1
    finally:
        text_page.close()


def _spaced(text: str) -> str:
    return " ".join(text.replace("\0", "").split())


def _without_running_lines(lines: Sequence[Line]) -> list[Line]:
    """Leave out headers and footers: what stands at the edge of most pages, numbers aside."""
    edges: dict[int, list[Line]] = {}
    by_page: dict[int, list[Line]] = {}
    for line in lines:
        by_page.setdefault(line.page, []).append(line)
    for page, found in by_page.items():
        ordered = sorted(found, key=lambda line: -line.top)
        edges[page] = [*ordered[:_EDGE_LINES], *ordered[_EDGE_LINES:][-_EDGE_LINES:]]
    num_pages_by_text = Counter(
        text for found in edges.values() for text in {_numberless(line.text) for line in found}
    )
    needed = max(_MIN_PAGES_REPEATED, _REPEATED_FRACTION * len(by_page))
    running = {text for text, count in num_pages_by_text.items() if count >= needed}
    dropped = {
        id(line) for found in edges.values() for line in found if _numberless(line.text) in running
    }
    return [line for line in lines if id(line) not in dropped]


def _numberless(text: str) -> str:
    return _DIGITS.sub("#", text)


@dataclass(frozen=True, slots=True)
class _PageTable:
    """A table that was found on a page, by its upper and lower edge."""

    page: int
    top: float
    bottom: float
    rows: tuple[tuple[str, ...], ...]


def _tables(payload: bytes, num_pages: int) -> list[_PageTable]:
    """Return the ruled tables, if pdfplumber is installed and the file is not too long."""
    if num_pages > _MAX_TABLE_PAGES:
        return []
    try:
        pdfplumber = import_module("pdfplumber")
    except ImportError:
        return []
    found: list[_PageTable] = []
    try:
        with pdfplumber.open(io.BytesIO(payload)) as document:
            for number, page in enumerate(document.pages[:num_pages]):
                for table in page.find_tables():
                    cells = table.extract()
                    rows = tuple(tuple(_spaced(cell or "") for cell in row) for row in cells)
                    height = float(page.height)
                    top, bottom = height - table.bbox[1], height - table.bbox[3]
                    found.append(_PageTable(number, top, bottom, rows))
    except _TABLE_ERRORS as error:
        _LOGGER.warning("tables of a PDF are left out: %s", error)
        return []
    return [table for table in found if len(table.rows) > 1 and len(table.rows[0]) > 1]


def _write(builder: DocumentBuilder, lines: Sequence[Line], tables: list[_PageTable]) -> None:
    body_height = statistics.median(line.height for line in lines) if lines else 0.0
    waiting = sorted(tables, key=lambda table: (table.page, -table.top))
    kept: list[Line] = []
    heading = ""
    paragraphs: list[tuple[list[Line], _PageTable | None]] = []
    for line in lines:
        inside = next((table for table in tables if _is_inside(line, table)), None)
        if inside is None:
            kept.append(line)
        elif inside in waiting:
            waiting.remove(inside)
            paragraphs += [(found, None) for found in _paragraphs(kept)]
            paragraphs.append(([], inside))
            kept = []
    paragraphs += [(found, None) for found in _paragraphs(kept)]
    for found, table in paragraphs:
        if table is not None:
            _write_table(builder, table, heading)
            continue
        text = _joined([line.text for line in found])
        if _is_heading(found, text, body_height):
            heading = text
            builder.block(
                BlockKind.HEADING, text, level=1 if found[0].height > 1.5 * body_height else 2
            )
        else:
            builder.block(BlockKind.PARAGRAPH, text)


def _is_inside(line: Line, table: _PageTable) -> bool:
    middle = line.top - line.height / 2
    return line.page == table.page and table.bottom <= middle <= table.top


def _paragraphs(lines: Sequence[Line]) -> list[list[Line]]:
    """Group lines by the gaps between them, their indents and sizes."""
    gaps = [
        above.top - below.top
        for above, below in itertools.pairwise(lines)
        if above.page == below.page and above.top > below.top
    ]
    usual_gap = statistics.median(gaps) if gaps else 0.0
    right_edge = max((line.right for line in lines), default=0.0)
    found: list[list[Line]] = []
    for line in lines:
        if found and not _begins_paragraph(found[-1][-1], line, usual_gap, right_edge):
            found[-1].append(line)
        else:
            found.append([line])
    return found


def _begins_paragraph(above: Line, line: Line, usual_gap: float, right_edge: float) -> bool:
    if _BULLET.match(line.text) or abs(above.height - line.height) > 0.2 * above.height:
        return True
    ends_sentence = above.text.endswith((".", ":", "?", "!", ".\u201d", '."'))
    is_short = above.right < above.left + 0.8 * (right_edge - above.left)
    if above.page != line.page or line.top > above.top:
        return ends_sentence or line.text[:1].isupper()
    is_apart = above.top - line.top > 1.35 * max(usual_gap, above.height)
    is_indented = line.left > above.left + 0.8 * line.height and ends_sentence
    return is_apart or is_indented or (is_short and ends_sentence)


def _joined(texts: Sequence[str]) -> str:
    """Join lines; a hyphen at the end of a line is taken for a break inside a word."""
    joined = ""
    for text in texts:
        is_broken_word = joined[-1:] == "-" and joined[-2:-1].isalpha() and text[:1].islower()
        if is_broken_word or joined.endswith(tuple(_HYPHENS)):
            joined = joined[:-1] + text
        else:
            joined = f"{joined} {text}" if joined else text
    for hyphen in _HYPHENS:
        joined = joined.replace(hyphen, "")
    return joined


def _is_heading(lines: Sequence[Line], text: str, body_height: float) -> bool:
    is_large = lines[0].height > 1.15 * body_height
    return is_large and len(lines) <= 3 and len(text) <= 200 and any(map(str.isalpha, text))


def _write_table(builder: DocumentBuilder, table: _PageTable, caption: str) -> None:
    """Write a table, a line a row, and mark its body cells."""
    builder.begin(BlockKind.TABLE)
    for number, row in enumerate(table.rows):
        for column, cell in enumerate(row):
            builder.add(" | " if column else "\n" if number else "")
            span = builder.add(cell)
            if number and cell and column < len(table.rows[0]):
                name = table.rows[0][column]
                builder.mark("cell", span, row=row[0], column=name, table=caption)
    builder.end()
