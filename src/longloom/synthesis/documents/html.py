"""Web pages: what a reader sees of them, with links, table cells and infobox rows.

Marks: `link` (target: page title of a wiki, else the address), `cell` (row, column, table) and
`infobox` (label, section; the span is the value). Scripts, styles, forms, navigation, hidden
elements, edit links, lists of references and reference numbers are left out.
"""

import re
from collections.abc import Iterable
from urllib.parse import unquote

from lxml import etree

from longloom.errors import DataError
from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.building import DocumentBuilder, Reading
from longloom.synthesis.documents.html_decoding import decode_page
from longloom.synthesis.documents.html_tables import TableReader, is_hidden, place_table
from longloom.synthesis.documents.html_title import page_title
from longloom.synthesis.documents.infoboxes import is_infobox, place_infobox
from longloom.synthesis.documents.inline_text import InlineText, Run
from longloom.synthesis.documents.reader import SourceFile

_SUFFIXES = (".html", ".htm", ".xhtml")
_SNIFFED_BYTES = 4096
_WIKI = (b"wikipedia.org/wiki/", b'content="MediaWiki')
_SKIPPED_TAGS = frozenset({
    "head", "script", "style", "noscript", "template", "form", "nav", "button", "select",
    "object", "iframe", "svg", "math", "audio", "video", "canvas", "map", "textarea", "input",
    "img",
})  # fmt: skip
_SKIPPED_CLASSES = frozenset({
    "navbox", "vertical-navbox", "toc", "editsection", "mw-editsection", "reference", "noprint",
    "metadata", "catlinks", "printfooter", "references", "reflist", "persondata", "ambox",
    "sistersitebox", "mbox-small", "sortkey", "Z3988", "geo-nondefault", "mw-cite-backlink",
    "magnify", "mw-jump-link", "navigation-not-searchable", "refbegin", "navbar", "error",
    "plainlinksneverexpand", "dablink", "hatnote", "rellink", "succession-box", "nowraplinks",
})  # fmt: skip
_BLOCK_TAGS = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details",
    "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "header", "hr", "html", "li",
    "main", "ol", "p", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr",
    "ul",
})  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_WIKI_LINK = re.compile(r"(?:https?:)?(?://[a-z-]{2,12}\.(?:m\.)?wikipedia\.org)?/wiki/([^?#]+)")
_NAMESPACE = re.compile(
    r"(?:File|Image|Media|Special|Category|Help|Template|Wikipedia|Portal|Talk|User|Draft|Module)"
    r"(?:[ _]talk)?:",
    re.IGNORECASE,
)


def accepts(source: SourceFile) -> bool:
    """Say whether a file looks like a web page, and not like an inline-XBRL filing."""
    begin = source.payload[:_SNIFFED_BYTES]
    if b"inlineXBRL" in begin:
        return False
    if source.name.lower().endswith(_SUFFIXES):
        return True
    return begin.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html"))


def read(source: SourceFile) -> Iterable[Reading]:
    """Return the one document of a page.

    Raises:
        DataError: There is no text in it, or it is nested too deeply.
    """
    return (_PageReader(source).reading(),)


class _PageReader:
    """Walks a page once and builds its document."""

    def __init__(self, source: SourceFile) -> None:
        self._root = _parsed(source.payload)
        is_wiki = any(mark in source.payload for mark in _WIKI)
        self._is_wiki = is_wiki
        self._title = page_title(self._root, source.name)
        self._builder = DocumentBuilder(
            title=self._title,
            kind=DocumentKind.GENERAL,
            genre="encyclopedia" if is_wiki else "web page",
            source=source.name,
            licence=source.licence,
            may_be_altered=source.may_be_altered,
        )
        self._inline = InlineText()
        self._tables = TableReader(self._cell_run)
        self._is_in_cell = False
        self._line_end = ""
        self._heading = ""
        self._prefix = ""
        self._links: list[etree._Element] = []
        self._skipped: etree._Element | None = None

    def reading(self) -> Reading:
        """Return the document with its marks."""
        self._walk(self._root)
        self._end_block()
        reading = self._builder.build()
        if not reading.document.text:
            raise DataError("no text in the page")
        return reading

    def _walk(self, top: etree._Element) -> None:
        walker = etree.iterwalk(top, events=("start", "end"))
        for event, element in walker:
            if event == "start":
                if self._enter(element):
                    self._skipped = element
                    walker.skip_subtree()
                continue
            if element is self._skipped:
                self._skipped = None
            else:
                self._leave(element)
            if element.tail and element is not top:
                self._inline.add(element.tail)

    def _enter(self, element: etree._Element) -> bool:
        """Begin an element; true if what is inside is left out or already read."""
        tag = element.tag
        if self._is_left_out(element):
            return True
        if tag in _HEADINGS or tag in _BLOCK_TAGS:
            self._end_block()
        if tag == "table" and not self._is_in_cell:
            return self._read_table(element)
        if tag == "pre" and not self._is_in_cell:
            self._end_block()
            text = "".join(str(piece) for piece in element.itertext())
            self._builder.block(BlockKind.CODE, text.strip("\n"))
            return True
        if tag == "br":
            self._inline.separate(self._line_end)
        elif tag == "li":
            self._prefix = "- "
        elif tag == "a" and element.get("href"):
            self._open_link(element)
        if element.text:
            self._inline.add(element.text)
        return False

    def _leave(self, element: etree._Element) -> None:
        tag = element.tag
        if tag in _HEADINGS:
            self._end_block(_HEADINGS[tag])
        elif tag in _BLOCK_TAGS:
            self._end_block()
            if tag == "li":
                self._prefix = ""
        elif tag == "a" and self._links and self._links[-1] is element:
            self._links.pop()
            self._inline.close()

    def _is_left_out(self, element: etree._Element) -> bool:
        classes = element.get("class")
        if classes and not _SKIPPED_CLASSES.isdisjoint(classes.split()):
            return True
        return element.tag in _SKIPPED_TAGS or is_hidden(element)

    def _open_link(self, element: etree._Element) -> None:
        target = self._target(element.get("href", ""))
        if target and "image" not in element.get("class", ""):
            self._links.append(element)
            self._inline.open("link", {"target": target})

    def _target(self, address: str) -> str:
        """Return where a link leads: the title of a page of the wiki, or an address."""
        match = _WIKI_LINK.match(address) if self._is_wiki else None
        if match:
            title = " ".join(unquote(match[1]).replace("_", " ").split())
            return "" if _NAMESPACE.match(title) else title
        is_outside = address.startswith(("http://", "https://")) and not self._is_wiki
        return address if is_outside and len(address) < 2000 else ""

    def _end_block(self, level: int = 0) -> None:
        if self._is_in_cell:
            self._inline.separate(self._line_end)
            return
        if self._inline:
            run = self._inline.finish()
            self._builder.begin(BlockKind.HEADING if level else BlockKind.PARAGRAPH, level)
            if self._prefix and not level:
                self._builder.add(self._prefix)
            run.place(self._builder)
            self._builder.end()
            self._prefix = ""
            if level:
                self._heading = run.text

    def _read_table(self, element: etree._Element) -> bool:
        """Read a table; false if it lays out the page, so that its cells are blocks."""
        if next(element.iterdescendants("table"), None) is not None and not is_infobox(element):
            return False
        if is_infobox(element):
            place_infobox(self._builder, element, self._cell_run, self._is_left_out)
            return True
        table = self._tables.read(element)
        if max((len(row) for row in table.rows), default=0) < 2 and not table.header:
            return False
        caption = element.find("caption")
        title = self._cell_run(caption).text if caption is not None else ""
        if title:
            self._builder.block(BlockKind.PARAGRAPH, title)
        if not title and table.titles:
            title = table.titles[-1].text
        name = title or self._heading
        # Pages of one kind share their headings, so that a table is named with its page.
        place_table(self._builder, table, f"{self._title}: {name}" if name else self._title)
        return True

    def _cell_run(self, cell: etree._Element) -> Run:
        outer, self._inline, self._is_in_cell = self._inline, InlineText(), True
        # Lines of a value are things of their own; lines of a header are wrapped words.
        self._line_end = ";" if cell.tag == "td" else ""
        if len(cell):
            self._walk(cell)
        elif cell.text:
            self._inline.add(cell.text)
        run = self._inline.finish()
        self._inline, self._is_in_cell, self._line_end = outer, False, ""
        return run


def _parsed(payload: bytes) -> etree._Element:
    # huge_tree lifts the limits on text, not the one on depth (2,048); nothing is fetched.
    parser = etree.HTMLParser(
        encoding="utf-8", huge_tree=True, no_network=True, remove_comments=True, remove_pis=True
    )
    text = decode_page(payload).replace("\0", "")
    root = etree.fromstring(text.encode("utf-8", "replace"), parser) if text.strip() else None
    if root is None:
        raise DataError("no text in the page")
    for entry in parser.error_log:
        if "depth" in entry.message:
            raise DataError("nested too deeply")
    return root
