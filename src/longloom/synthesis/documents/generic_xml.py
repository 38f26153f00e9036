"""Read XML of any vocabulary as headings, paragraphs and `name: value` lines; it gives no facts."""

from collections.abc import Iterable

from longloom.errors import DataError
from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.building import DocumentBuilder, Reading
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.documents.safe_xml import (
    Element,
    descendants,
    head_of,
    local_name,
    parse_xml,
    plain_text,
    root_name,
)
from longloom.synthesis.documents.xml_prose import Prose, inner_run

GENRE = "xml"
_HEADINGS = frozenset(["head", "heading", "title", "h1", "h2", "h3", "h4", "h5", "h6"])
_PROSE = frozenset(["p", "para", "paragraph", "text", "abstract", "description", "summary", "note"])
_MAX_FIELD_CHARACTERS = 200
_DEEPEST_HEADING = 6


def accepts(source: SourceFile) -> bool:
    """Whether a file says that it is XML, by its first bytes or by its name."""
    root = root_name(source)
    if not root or root.lower() == "html":
        return False
    return head_of(source).lstrip().startswith("<?xml") or source.name.lower().endswith(".xml")


def read(source: SourceFile) -> Iterable[Reading]:
    """Read a file as one document.

    Raises:
        DataError: not well-formed, or without any text.
    """
    root = parse_xml(source.payload)
    named = next((text for node in descendants(root, *_HEADINGS) if (text := plain_text(node))), "")
    builder = DocumentBuilder(
        title=named[:200] or source.name.rpartition("/")[2],
        kind=DocumentKind.GENERAL,
        genre=GENRE,
        source=source.name,
        licence=source.licence,
        may_be_altered=source.may_be_altered,
    )
    prose = Prose(builder)
    waiting: list[tuple[Element, int]] = [(root, 1)]
    while waiting:
        node, depth = waiting.pop()
        name = local_name(node)
        if name in _HEADINGS:
            prose.block(BlockKind.HEADING, plain_text(node), min(depth, _DEEPEST_HEADING))
        elif len(node) and not _has_own_text(node):
            prose.end()
            waiting += [(inner, depth + 1) for inner in reversed(list(node))]
        elif name in _PROSE or len(node) or len(node.text or "") > _MAX_FIELD_CHARACTERS:
            prose.begin(BlockKind.PARAGRAPH)
            prose.run(inner_run(node))
        elif text := plain_text(node):
            prose.line(f"{name}: ")
            prose.text(text)
    reading = builder.build()
    if not reading.document.text:
        raise DataError("XML without text")
    return [reading]


def _has_own_text(node: Element) -> bool:
    """Whether text stands beside the children of an element."""
    return bool((node.text or "").strip()) or any((inner.tail or "").strip() for inner in node)
