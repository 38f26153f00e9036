"""Read Markdown: headings, paragraphs, lists, code, tables, and the targets of links.

Parsed by markdown-it (measured 7 MB/s), whose tokens are a flat list, so nothing here depends on
the depth of nesting. Front matter gives the title alone. Raw HTML loses its tags; an HTML table
becomes a table. Marks: `link` with `target`, `anchor` with `name`, `cell` with row, column and
table.
"""

import html
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from markdown_it import MarkdownIt
from markdown_it.token import Token

from longloom.errors import DataError
from longloom.records import BlockKind
from longloom.synthesis.documents.building import DocumentBuilder, Reading, Span
from longloom.synthesis.documents.plain import bounded_pieces, decoded, genre_of, kind_of_genre
from longloom.synthesis.documents.reader import SourceFile

_SUFFIXES = frozenset({".md", ".markdown", ".mdown"})
_MAX_CHARACTERS = 10_000_000
_MAX_PASSAGE_CHARACTERS = 50_000  # inline parsing is not linear in the worst case
_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?\n)---[ \t]*(?:\n|\Z)", re.DOTALL)
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_FRONT_TITLE = re.compile(r"^title:[ \t]*(.*)$", re.MULTILINE)
_TAG = re.compile(r"<(/?)([a-zA-Z][\w-]*)([^<>]*)>")
_HIDING = re.compile(r"<!--|<(script|style)\b", re.IGNORECASE)
_ANCHOR = re.compile(r"\b(?:name|id)\s*=\s*[\"']([^\"']{1,80})[\"']")
_BREAKING = frozenset({"p", "div", "li", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "hr"})
_CELLS = frozenset({"td", "th"})
_WHITE = re.compile(r"\s+")
_LIST_BLOCK_CHARACTERS = 2_000
_Cell = tuple[str, Span]
_GUIDELINE = re.compile(r"sp(800-\d+[a-z]?(?:-\d)?)__(\w+)", re.IGNORECASE)


def accepts(source: SourceFile) -> bool:
    """Say whether the file is Markdown by its name."""
    suffix = PurePosixPath(source.name).suffix.lower()
    return suffix in _SUFFIXES and b"\0" not in source.payload[:4_096]


def read(source: SourceFile) -> Iterable[Reading]:
    """Return the one document of a Markdown file.

    Raises:
        DataError: it is empty, not text, or beyond the limits.
    """
    text = decoded(source)
    if len(text) > _MAX_CHARACTERS:
        raise DataError(f"Markdown of {len(text)} characters; the limit is {_MAX_CHARACTERS}")
    longest = max(map(len, _BLANK_LINE.split(text)))
    if longest > _MAX_PASSAGE_CHARACTERS:
        raise DataError(
            f"Markdown of {longest} characters without a blank line; "
            f"the limit is {_MAX_PASSAGE_CHARACTERS}"
        )
    front = _FRONT_MATTER.match(text)
    body = text[front.end() :] if front else text
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    title = _title(front.group(1) if front else "", tokens)
    genre = genre_of(source.name, title, body)
    builder = DocumentBuilder(
        title=_document_title(source.name, title, genre),
        kind=kind_of_genre(genre),
        genre=genre,
        source=source.name,
        licence=source.licence,
        may_be_altered=source.may_be_altered,
    )
    if front and title:
        builder.block(BlockKind.HEADING, title, 1)
    _Renderer(builder, title).render(tokens)
    reading = builder.build()
    if not reading.document.text:
        raise DataError("Markdown: no text but markup")
    return [reading]


def _title(front: str, tokens: Sequence[Token]) -> str:
    """Return the title of the front matter, else the first heading."""
    declared = _FRONT_TITLE.search(front)
    if declared and declared.group(1).strip(" '\""):
        return declared.group(1).strip(" '\"")
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            heading = " ".join(_plain(tokens[place + 1]).split())
            if heading:
                return heading
    return ""


def _document_title(name: str, title: str, genre: str) -> str:
    """Return a short name; chapters of a guideline carry their publication."""
    if genre == "guideline":
        number = _GUIDELINE.match(PurePosixPath(name).name)
        if number and not title.startswith("NIST Special Publication"):
            return f"SP {number.group(1).upper()}: {title or number.group(2).capitalize()}"
    if genre == "readme" or not title:
        return name
    return title


def _plain(token: Token) -> str:
    return "".join(
        child.content if child.type in {"text", "code_inline"} else " "
        for child in token.children or ()
        if child.type in {"text", "code_inline", "softbreak", "hardbreak"}
    )


class _Renderer:
    """Walks the tokens of one document once."""

    def __init__(self, builder: DocumentBuilder, title: str) -> None:
        self._builder = builder
        self._heading = title
        self._lists: list[int] = []  # next number of an ordered list, -1 for bullets
        self._entry = ""  # what stands before the text of the list entry that comes next
        self._list_start = -1  # where the open block of list entries began
        self._link: tuple[int, str] | None = None

    def render(self, tokens: Sequence[Token]) -> None:
        place = 0
        while place < len(tokens):
            token = tokens[place]
            if token.type == "table_open":
                place = self._table(tokens, place)
            elif token.type == "inline":
                self._text(token, tokens[place - 1])
            else:
                self._structure(token)
            place += 1

    def _structure(self, token: Token) -> None:
        """Follow lists; add code and raw HTML."""
        if token.type in {"bullet_list_open", "ordered_list_open"}:
            first = int(token.attrGet("start") or 1)
            self._lists.append(first if token.type == "ordered_list_open" else -1)
        elif token.type in {"bullet_list_close", "ordered_list_close"}:
            self._lists.pop()
            self._close_list()
        elif token.type == "list_item_open":
            number = self._lists[-1]
            indent = "  " * min(len(self._lists) - 1, 8)
            self._entry = f"{indent}- " if number < 0 else f"{indent}{number}. "
            self._lists[-1] += number >= 0
        elif token.type in {"fence", "code_block"}:
            self._close_list()
            for piece in bounded_pieces(token.content.strip("\n")):
                self._builder.block(BlockKind.CODE, piece)
        elif token.type == "html_block":
            self._close_list()
            _add_html(self._builder, token.content, self._heading)

    def _close_list(self) -> None:
        self._list_start = -1
        self._builder.end()

    def _text(self, token: Token, opening: Token) -> None:
        if opening.type == "heading_open":
            self._list_start = -1
            self._builder.begin(BlockKind.HEADING, int(opening.tag[1:]))
            self._inline(token)
            self._heading = " ".join(_plain(token).split()) or self._heading
            self._builder.end()
        elif self._lists:
            self._list_entry(token, is_tight=opening.hidden)
        else:
            self._list_start = -1
            self._builder.begin(BlockKind.PARAGRAPH)
            self._inline(token)
            self._builder.end()

    def _list_entry(self, token: Token, *, is_tight: bool) -> None:
        """Put short tight entries into one block, others into their own."""
        lead, self._entry = self._entry, ""
        used = self._builder.position - self._list_start
        if is_tight and self._list_start >= 0 and used < _LIST_BLOCK_CHARACTERS:
            self._builder.add("\n" + (lead or "  "))
        else:
            self._builder.begin(BlockKind.PARAGRAPH)
            self._list_start = self._builder.position if is_tight else -1
            self._builder.add(lead)
        self._inline(token)
        if not is_tight:
            self._builder.end()

    def _inline(self, token: Token, *, in_table: bool = False) -> str:
        """Add the text of an inline token with marks for links and anchors, and return it."""
        written: list[str] = []
        for child in token.children or ():
            piece = _piece(child, in_table=in_table)
            piece = piece if written else piece.lstrip(" ")
            if piece:
                self._builder.add(piece)
                written.append(piece)
            elif child.type == "link_open":
                self._link = (self._builder.position, str(child.attrGet("href") or ""))
            elif child.type == "link_close" and self._link:
                link_start, target = self._link
                self._builder.mark("link", (link_start, self._builder.position), target=target)
                self._link = None
            elif child.type == "html_inline":
                self._anchor(child.content)
        return "".join(written)

    def _anchor(self, tag: str) -> None:
        anchor = _ANCHOR.search(tag[:300])
        if anchor:
            place = self._builder.position
            self._builder.mark("anchor", (place, place), name=anchor.group(1))

    def _table(self, tokens: Sequence[Token], place: int) -> int:
        """Add the table that opens at `place`; return where it closes."""
        self._list_start = -1
        self._builder.begin(BlockKind.TABLE)
        rows: list[list[_Cell]] = []
        while tokens[place].type != "table_close":
            token = tokens[place]
            if token.type == "tr_open":
                self._builder.add("\n" if rows else "")
                rows.append([])
            elif token.type == "inline":
                self._builder.add(" | " if rows[-1] else "")
                start = self._builder.position
                text = self._inline(token, in_table=True)
                rows[-1].append((text, (start, start + len(text.rstrip()))))
            place += 1
        _mark_cells(self._builder, rows, self._heading)
        self._builder.end()
        return place


def _piece(child: Token, *, in_table: bool) -> str:
    """Return the text an inline token shows."""
    match child.type:
        case "text" | "code_inline" | "image":
            return _WHITE.sub(" ", child.content.replace("|", "/")) if in_table else child.content
        case "softbreak":
            return " "
        case "hardbreak":
            return " " if in_table else "\n"
        case "html_inline" if child.content[:3].lower() == "<br":
            return " " if in_table else "\n"
        case _:
            return ""


def _mark_cells(builder: DocumentBuilder, rows: Sequence[Sequence[_Cell]], table: str) -> None:
    """Mark the cells below the header line that show anything."""
    header = [text.strip() for text, _ in rows[0]] if rows else []
    for row in rows[1:]:
        for column, (text, span) in enumerate(row[: len(header)]):
            if text.strip():
                first = row[0][0].strip()
                builder.mark("cell", span, row=first, column=header[column], table=table)


def _add_html(builder: DocumentBuilder, source: str, heading: str) -> None:
    """Add the text of raw HTML: tables as tables, everything else as paragraphs."""
    rows: list[list[str]] = []
    pieces: list[str] = []
    visible = _visible(source)
    place = 0
    for tag in _TAG.finditer(visible):
        pieces.append(visible[place : tag.start()])
        place = tag.end()
        name = (tag.group(2) or "").lower()
        if name == "br":
            pieces.append(" " if rows else "\n")
        elif name in _BREAKING and not rows:
            _flush(builder, pieces)
        elif name == "tr" and not tag.group(1):
            _flush(builder, pieces) if not rows else pieces.clear()
            rows.append([])
        elif name in _CELLS and tag.group(1) and rows:
            rows[-1].append(_WHITE.sub(" ", html.unescape("".join(pieces))).strip())
            pieces.clear()
        elif name == "table" and tag.group(1):
            _add_rows(builder, [row for row in rows if any(row)], heading)
            rows = []
            pieces.clear()
        elif name in _CELLS:
            pieces.clear()
    pieces.append(visible[place:])
    _add_rows(builder, [row for row in rows if any(row)], heading)
    _flush(builder, pieces)


def _visible(source: str) -> str:
    """Return raw HTML without comments, scripts and styles; one without end hides the rest."""
    lowered = source.lower()
    pieces: list[str] = []
    place = 0
    while hiding := _HIDING.search(source, place):
        pieces.append(source[place : hiding.start()])
        closing = f"</{hiding.group(1).lower()}>" if hiding.group(1) else "-->"
        end = lowered.find(closing, hiding.end())
        if end < 0:
            return " ".join(pieces)
        place = end + len(closing)
    return " ".join([*pieces, source[place:]])


def _flush(builder: DocumentBuilder, pieces: list[str]) -> None:
    text = html.unescape("".join(pieces))
    pieces.clear()
    lines = (" ".join(line.split()) for line in text.split("\n"))
    for piece in bounded_pieces("\n".join(line for line in lines if line)):
        builder.block(BlockKind.PARAGRAPH, piece)


def _add_rows(builder: DocumentBuilder, rows: Sequence[Sequence[str]], heading: str) -> None:
    """Add rows as a table, or as paragraphs if they only serve the layout."""
    if len(rows) < 2 or min(len(row) for row in rows) < 2:
        for row in rows:
            for cell in row:
                builder.block(BlockKind.PARAGRAPH, cell)
        return
    builder.begin(BlockKind.TABLE)
    placed: list[list[_Cell]] = []
    for row in rows:
        builder.add("\n" if placed else "")
        placed.append([])
        for cell in row:
            builder.add(" | " if placed[-1] else "")
            plain = cell.replace("|", "/")
            placed[-1].append((plain, builder.add(plain)))
    _mark_cells(builder, placed, heading)
    builder.end()
