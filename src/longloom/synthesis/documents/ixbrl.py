"""Inline-XBRL filings (10-K, 10-Q): the text as displayed, and what is tagged in it.

Marks: `number` for every tagged number (concept, value, unit, scale, decimals, period_start,
period_end, dimensions, and in tables row, section, table) and `stated` for tagged facts about the
company and the filing (concept, value, dimensions). What a browser hides is left out, and so are
page numbers and links back to the contents.
"""

import re
from collections.abc import Iterable

from lxml import etree

from longloom.errors import DataError
from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.building import DocumentBuilder, Reading
from longloom.synthesis.documents.inline_text import InlineText, Run
from longloom.synthesis.documents.ixbrl_company import company_name, registrant
from longloom.synthesis.documents.ixbrl_tables import (
    FilingCell,
    Row,
    arranged,
    joined_cells,
    place_table,
    with_signs,
)
from longloom.synthesis.documents.ixbrl_tags import TagReader, is_about_filing
from longloom.synthesis.documents.reader import SourceFile

LICENCE = "public SEC filing"
_SNIFFED_BYTES = 4096
_MAX_HEADING_CHARACTERS = 160
_MAX_INTRO_CHARACTERS = 200
_MAX_COLUMNS = 300
_MAX_PLACED_CELLS = 2_000_000
_BLOCKS = frozenset({
    "div", "p", "li", "ul", "ol", "hr", "body", "section", "center", "table", "tr", "td", "th",
    "h1", "h2", "h3", "h4", "h5", "h6",
})  # fmt: skip
_SPAN = "{http://www.w3.org/1999/xhtml}span"
_ENTITY = "&"
_HIDDEN = frozenset(
    [
        "header",
        "hidden",
        "head",
        "script",
        "style",
        "references",
        "resources",
        "relationship",
        _ENTITY,
    ]
)
_BOLD = re.compile(r"font-weight:\s*(?:bold|[6-9]00)")
_PART = re.compile(r"part\s+[ivx]+\b", re.IGNORECASE)
_ITEM = re.compile(r"item\s+\d+[a-c]?\b", re.IGNORECASE)
_PAGE_FURNITURE = re.compile(r"\d{1,3}|table of contents", re.IGNORECASE)


def accepts(source: SourceFile) -> bool:
    """Say whether a file looks like an inline-XBRL filing."""
    named = source.name.lower().endswith((".html", ".htm", ".xhtml", ".xml"))
    return named and b"inlineXBRL" in source.payload[:_SNIFFED_BYTES]


def read(source: SourceFile) -> Iterable[Reading]:
    """Return the one document of a filing.

    Raises:
        DataError: It is no well-formed XHTML with inline XBRL.
    """
    # Without huge_tree libxml2 refuses nesting beyond its limit and text nodes above 10 MB;
    # entities are never expanded and nothing is fetched.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(source.payload, parser)
    except etree.XMLSyntaxError as error:
        raise DataError(f"not well-formed XHTML: {(error.msg or '')[:120]}") from error
    return (_FilingReader(root, source).reading(),)


class _FilingReader:
    """Walks a filing once and builds its document."""

    def __init__(self, root: etree._Element, source: SourceFile) -> None:
        self._company = company_name(registrant(root), source.payload)
        self._tags = TagReader(root, self._company)
        if not self._tags.has_contexts:
            raise DataError("not inline XBRL: no context")
        self._root = root
        self._builder = DocumentBuilder(
            title=source.name,
            kind=DocumentKind.PROFESSIONAL,
            genre="filing",
            source=source.name,
            licence=LICENCE if source.licence == "unknown" else source.licence,
            may_be_altered=source.may_be_altered,
        )
        self._inline = InlineText()
        self._is_in_cell = False
        self._is_plain = False
        self._bold = [False]
        self._heading = ""
        self._intro = ""
        self._skipped: etree._Element | None = None
        self._local: dict[object, str] = {}
        self._num_placed = 0

    def reading(self) -> Reading:
        """Return the document with its marks."""
        self._walk(self._root)
        self._end_block()
        form = self._tags.stated.get("DocumentType", "")
        period = self._tags.stated.get("DocumentPeriodEndDate", "")
        if self._company and form and period:
            self._builder.title = f"{self._company} {form} for the period ended {period}"
            self._builder.date = period
        return self._builder.build()

    def _walk(self, top: etree._Element) -> None:
        walker = etree.iterwalk(top, events=("start", "end"))
        local_by_tag = self._local
        for event, element in walker:
            tag = element.tag
            local = local_by_tag.get(tag)
            if local is None:
                local = local_by_tag[tag] = _local_name(tag)
            if event == "start":
                if self._enter(element, local):
                    self._skipped = element
                    walker.skip_subtree()
            else:
                self._leave(element, local)
                if element.tail and element is not top:
                    self._add(element.tail)

    def _enter(self, element: etree._Element, local: str) -> bool:
        """Begin an element; true if what is inside is hidden or already read."""
        if local in _HIDDEN:
            return True
        if _is_hidden(element):
            return True
        if local == "table" and not self._is_in_cell and not _holds_table(element):
            self._end_block()
            self._read_table(element)
            return True
        if local in _BLOCKS:
            self._end_block()
        elif local == "br":
            self._inline.separate()
        elif local == "nonFraction":
            self._inline.open("number", self._tags.number(element))
        elif local == "nonNumeric" and is_about_filing(element):
            self._inline.open("stated", self._tags.statement(element))
        style = element.get("style", "")
        is_bold = self._bold[-1]
        if "font-weight" in style:
            is_bold = _BOLD.search(style) is not None
        self._bold.append(is_bold or local == "b" or local == "strong")
        if element.text:
            self._add(element.text)
        return False

    def _leave(self, element: etree._Element, local: str) -> None:
        if element is self._skipped:
            self._skipped = None
            return
        self._bold.pop()
        if local in _BLOCKS:
            self._end_block()
        elif local == "nonFraction" or (local == "nonNumeric" and is_about_filing(element)):
            self._inline.close()

    def _add(self, text: str) -> None:
        self._inline.add(text)
        if not self._bold[-1] and not self._is_plain and not text.isspace():
            self._is_plain = True

    def _end_block(self) -> None:
        if self._is_in_cell:
            self._inline.separate()
            return
        if self._inline:
            self._place(with_signs(self._inline.finish()), not self._is_plain)
        self._is_plain = False

    def _place(self, run: Run, is_bold: bool) -> None:
        """Append a paragraph or a heading."""
        text = run.text
        if not text or (not run.spans and _PAGE_FURNITURE.fullmatch(text)):
            return
        level = _heading_level(text) if is_bold else 0
        self._builder.begin(BlockKind.HEADING if level else BlockKind.PARAGRAPH, level)
        run.place(self._builder)
        self._builder.end()
        is_intro = (
            not level
            and len(text) <= _MAX_INTRO_CHARACTERS
            and ("table" in text or text.endswith(":"))
        )
        self._intro = text.rstrip(":") if is_intro else ""
        if level:
            self._heading, self._intro = text, ""

    def _read_table(self, element: etree._Element) -> None:
        rows = []
        for line in element.iter("{*}tr"):
            row = joined_cells(self._cells(line))
            if row:
                rows.append(row)
        if any(len(row) > 1 for row in rows) and len(rows) > 1:
            table = arranged(rows)
            self._num_placed += len(rows) * len(table.columns)
            if self._num_placed > _MAX_PLACED_CELLS:
                raise DataError(f"tables of more than {_MAX_PLACED_CELLS} cells")
            place_table(self._builder, table, (self._company, self._heading, self._intro))
            return
        for row in rows:
            run = row[0].run
            for cell in row[1:]:
                run = run.joined(cell.run, " ")
            self._place(with_signs(run), bool(_PART.match(run.text) or _ITEM.match(run.text)))

    def _cells(self, line: etree._Element) -> Row:
        cells: Row = []
        column = 0
        for cell in line:
            colspan = cell.get("colspan", "1")
            width = int(colspan) if colspan.isdigit() and len(colspan) < 4 else 1
            last = min(column + width, _MAX_COLUMNS)
            if (len(cell) or cell.text) and column < last:
                run = self._cell_run(cell)
                if run.text:
                    cells.append(FilingCell(column, last, run))
            column = last
        return cells

    def _cell_run(self, cell: etree._Element) -> Run:
        outer, self._inline, self._is_in_cell = self._inline, InlineText(), True
        only = cell[0] if len(cell) == 1 else None
        if only is not None and only.tag == _SPAN and not len(only) and not _is_hidden(only):
            # Nine cells of ten hold one styled text: no need to walk.
            for text in (cell.text, only.text, only.tail):
                if text:
                    self._inline.add(text)
        else:
            self._walk(cell)
        run = self._inline.finish()
        self._inline, self._is_in_cell = outer, False
        return run


def _local_name(tag: object) -> str:
    """Return a tag without its namespace; entities, which are never expanded, have no tag."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else _ENTITY


def _is_hidden(element: etree._Element) -> bool:
    style = element.get("style", "")
    return "display" in style and "display:none" in style.replace(" ", "")


def _holds_table(element: etree._Element) -> bool:
    return next(element.iterdescendants("{*}table"), None) is not None


def _heading_level(text: str) -> int:
    """Return the level of a bold paragraph, 0 if it is no heading."""
    if _PART.match(text):
        return 1
    if len(text) > _MAX_HEADING_CHARACTERS or text.startswith("(") or not text[:1].isalnum():
        return 0
    if _ITEM.match(text):
        return 2
    return 3 if any(character.isalpha() for character in text) else 0
