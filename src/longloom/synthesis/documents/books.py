"""Read the chapters of books in Standard Ebooks' XHTML: one document a chapter.

    <section epub:type="chapter"><h2 epub:type="ordinal">XII</h2><p epub:type="title">Title</p>...

gives `Moby Dick, chapter 12: Title`. The book's name is that of its folder (`author_title` also
gives the author), the chapter's number that of its file. Imprints, notes and the like are refused.
"""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from longloom.errors import DataError
from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.building import DocumentBuilder, Reading
from longloom.synthesis.documents.plain import bounded_pieces
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.documents.safe_xml import (
    Element,
    attribute,
    children,
    descendants,
    local_name,
    parse_xml,
)

_SUFFIXES = frozenset({".xhtml", ".html", ".htm"})
_TYPE = b"epub:type="
_NARRATIVE = frozenset(
    {"chapter", "epilogue", "prologue", "se:short-story", "introduction", "z3998:poem", "part"}
)
_PLAIN_FOLDERS = frozenset({"text", "epub", "src", "xhtml", "oebps"})
_NUMBER = re.compile(r"chapter-(\d{1,4})$")
_MINOR_WORDS = frozenset({"a", "an", "and", "at", "for", "in", "of", "on", "the", "to"})
_PARAGRAPHS = frozenset({"p", "cite", "li", "h3", "h4", "h5", "h6", "dt", "dd", "tr"})
_TITLES = frozenset({"h1", "h2"})
_WHITE = re.compile(r"[ \t\r\n\u00a0\u200a\u2009]+")
_BREAK = "\u2028"
_WORD_JOINER = "\u2060"


def accepts(source: SourceFile) -> bool:
    """Say whether the file is XHTML with epub semantics."""
    suffix = PurePosixPath(source.name).suffix.lower()
    return suffix in _SUFFIXES and _TYPE in source.payload[:4_096]


def read(source: SourceFile) -> Iterable[Reading]:
    """Return the document of a chapter.

    Raises:
        DataError: not XHTML, or matter of the book that is no chapter.
    """
    root = parse_xml(source.payload)
    body = next(descendants(root, "body"), None)
    if body is None:
        raise DataError("not a book's XHTML: no <body>")
    section = next(iter(children(body, "section", "article")), body)
    types = attribute(section, "type").split()
    if not _NARRATIVE.intersection(types):
        raise DataError(f"matter of a book that is no chapter: {' '.join(types) or 'untyped'}")
    return [_chapter(source, section)]


def _chapter(source: SourceFile, section: Element) -> Reading:
    path = PurePosixPath(source.name)
    book, author = book_of(source.name)
    number = _NUMBER.search(path.stem)
    _show_breaks(section)
    heading_places = _heading_elements(section)
    titles = [_text(place) for place in heading_places if "title" in _types(place)]
    title = next((text for text in titles if text), "")
    builder = DocumentBuilder(
        title=document_title(book, number.group(1) if number else "", title or _named(path.stem)),
        kind=DocumentKind.GENERAL,
        genre="novel",
        source=source.name,
        licence=source.licence,
        may_be_altered=source.may_be_altered,
    )
    _add_heading(builder, book, number.group(1) if number else "", title or _named(path.stem))
    if author:
        builder.begin(BlockKind.PARAGRAPH)
        builder.add("By ")
        builder.mark("header", builder.add(author), field="author")
    skipped = set(heading_places)
    for element in section.iter():
        if local_name(element) in _PARAGRAPHS and element not in skipped:
            _add_element(builder, element)
    return builder.build()


def document_title(book: str, number: str, title: str) -> str:
    """Return `Moby Dick, chapter 12: Biographical`, as far as there is a number and a title."""
    if not number:
        return f"{book}: {title}"
    is_plain = not title or title == f"Chapter {number}"
    return f"{book}, chapter {number}" + ("" if is_plain else f": {title}")


def book_of(name: str) -> tuple[str, str]:
    """Return title and author of a book by the folder of its chapters; no author if none."""
    folders = [part for part in PurePosixPath(name).parts[:-1] if part not in _PLAIN_FOLDERS]
    if not folders:
        return "Book", ""
    author, _, title = folders[-1].rpartition("_")
    return _named(title), _named(author.partition("_")[0])


def _named(slug: str) -> str:
    words = [word for word in slug.split("-") if word]
    return " ".join(
        word if place and word in _MINOR_WORDS else word[:1].upper() + word[1:]
        for place, word in enumerate(words)
    )


def _add_heading(builder: DocumentBuilder, book: str, number: str, title: str) -> None:
    """Add the heading, which reads like the document's title, with its parts marked."""
    builder.begin(BlockKind.HEADING, 1)
    builder.mark("header", builder.add(book), field="book")
    if number:
        builder.add(", chapter ")
        builder.mark("header", builder.add(number), field="number")
    if title and title != f"Chapter {number}":
        builder.add(": ")
        builder.mark("header", builder.add(title), field="title")
    builder.end()


def _types(element: Element) -> list[str]:
    return attribute(element, "type").split()


def _heading_elements(section: Element) -> list[Element]:
    """Return the elements that hold number and title of the chapter."""
    found: list[Element] = []
    for element in section.iter():
        name = local_name(element)
        parent = element.getparent()
        is_in_group = parent is not None and local_name(parent) == "hgroup"
        if name in _TITLES or is_in_group:
            found.append(element)
    return found


def _show_breaks(section: Element) -> None:
    """Put a sign where lines break, and take out the marks of notes."""
    for element in section.iter():
        if local_name(element) == "br":
            element.text = _BREAK
        elif "noteref" in _types(element):
            element.text = ""


def _text(element: Element) -> str:
    shown = "".join(str(piece) for piece in element.itertext()).replace(_WORD_JOINER, "")
    lines = _WHITE.sub(" ", shown).split(_BREAK)
    return "\n".join(line.strip() for line in lines).strip()


def _add_element(builder: DocumentBuilder, element: Element) -> None:
    """Add one paragraph; elements that hold further paragraphs are left to those."""
    name = local_name(element)
    if name != "tr" and any(
        local_name(inner) in _PARAGRAPHS for inner in element.iterdescendants()
    ):
        return
    parent = element.getparent()
    if name == "cite" and parent is not None and local_name(parent) == "p":
        return
    if any(local_name(above) == "tr" for above in element.iterancestors()):
        return
    if name == "tr":
        text = " | ".join(_text(cell).replace("\n", " ") for cell in children(element, "td", "th"))
    else:
        text = _text(element)
    kind = BlockKind.HEADING if name.startswith("h") else BlockKind.PARAGRAPH
    for piece in bounded_pieces(text):
        builder.block(kind, piece, int(name[1]) if kind is BlockKind.HEADING else 0)
