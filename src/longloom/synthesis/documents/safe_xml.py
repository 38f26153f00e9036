"""Parse XML that may be hostile, and look at its elements.

Nothing is fetched, no DTD is loaded and no entity is expanded by the parser. Entities that the file
itself declares as short plain text (`<!ENTITY MUST "MUST">`) are put in afterwards, once each; one
that refers to another entity or to another file refuses the whole file. The tree that comes back
holds elements and text alone: no comments, no processing instructions, no entities.
"""

import re
from collections.abc import Iterator, Sequence

from lxml import etree

from longloom.errors import DataError
from longloom.synthesis.documents.reader import SourceFile

Element = etree._Element
"""An element of a parsed tree."""

MAX_XML_BYTES = 64_000_000
MAX_DEPTH = 150
MAX_ELEMENTS = 2_000_000
MAX_ENTITY_CHARACTERS = 200
MAX_ENTITY_USES = 10_000
HEAD_BYTES = 4096
"""How much of a file `root_name` and the readers' `accepts` look at."""

_PROLOG = re.compile(r"\s+|<\?.*?\?>|<!--.*?-->", re.DOTALL)
_DOCTYPE = re.compile(r"<!DOCTYPE\s+([\w.:-]+)")
_ROOT = re.compile(r"<([\w.:-]+)")
_TAG = re.compile(r"<[^<>]*>")


def parse_xml(payload: bytes) -> Element:
    """Parse bytes into a tree of elements and text.

    Raises:
        DataError: not well-formed, too large, too deep, or with entities that reach further.
    """
    if len(payload) > MAX_XML_BYTES:
        raise DataError(f"XML of {len(payload)} bytes; the limit is {MAX_XML_BYTES}")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(payload, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise DataError(f"not well-formed XML: {str(error)[:120]}") from None
    if root is None:
        raise DataError("not well-formed XML: no root element")
    values = _entity_values(root.getroottree())
    _check_limits(root)
    _put_in_entities(root, values)
    return root


def head_of(source: SourceFile) -> str:
    """Return the beginning of a file as text; bytes that are not UTF-8 are replaced."""
    return source.payload[:HEAD_BYTES].decode("utf-8", "replace").removeprefix("\ufeff")


def root_name(source: SourceFile) -> str:
    """Return the local name of the root element as the first bytes show it; empty if they do not.

    Where the prolog is longer than that, a DOCTYPE that names the root is believed.
    """
    head = head_of(source)
    place = 0
    while match := _PROLOG.match(head, place):
        place = match.end()
    match = _ROOT.match(head, place) or _DOCTYPE.match(head, place)
    return match.group(1).rpartition(":")[2] if match else ""


def local_name(element: Element) -> str:
    """Return an element's name without its namespace."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Element, name: str) -> str:
    """Return an attribute by its local name, stripped; empty if there is none."""
    plain = element.get(name)
    if plain is not None:
        return plain.strip()
    suffix = "}" + name
    for key, value in element.attrib.items():
        if str(key).endswith(suffix):
            return str(value).strip()
    return ""


def children(element: Element | None, *names: str) -> list[Element]:
    """Return the child elements with one of these local names, in order; all without names."""
    if element is None:
        return []
    return [child for child in element if not names or local_name(child) in names]


def child(element: Element | None, *path: str) -> Element | None:
    """Follow a path of local names, taking the first child at each step."""
    for name in path:
        found = children(element, name)
        if not found:
            return None
        element = found[0]
    return element


def descendants(element: Element | None, *names: str) -> Iterator[Element]:
    """Yield the elements below (and at) `element` with one of these local names, in order."""
    if element is None:
        return
    yield from element.iter(*[f"{{*}}{name}" for name in names])


def plain_text(element: Element | None, without: Sequence[str] = ()) -> str:
    """Return the text of an element with white space collapsed, leaving some elements out."""
    if element is None:
        return ""
    if not without:
        return " ".join("".join(str(piece) for piece in element.itertext()).split())
    pieces: list[str] = []
    waiting: list[Element | str] = [element]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            pieces.append(node)
            continue
        is_left_out = node is not element and local_name(node) in without
        if node is not element and node.tail:
            waiting.append(str(node.tail))
        if not is_left_out:
            waiting.extend(reversed(list(node)))
            pieces.append(str(node.text or ""))
    return " ".join("".join(pieces).split())


def _entity_values(tree: etree._ElementTree) -> dict[str, str]:
    """Return the text of the entities that the file declares for itself."""
    dtd = tree.docinfo.internalDTD
    if dtd is None:
        return {}
    values = {}
    entities = dtd.iterentities()  # type: ignore[attr-defined]  # the stubs do not know it
    for entity in entities:
        content = entity.content
        if content is None:
            raise DataError(f"external entity {str(entity.name)[:40]!r} is not read")
        if "&" in content or "%" in content:
            raise DataError(f"entity {str(entity.name)[:40]!r} refers to further entities")
        values[str(entity.name)] = content
    return values


def _check_limits(root: Element) -> None:
    depth = 0
    for count, (event, _) in enumerate(etree.iterwalk(root, events=("start", "end"))):
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            raise DataError(f"XML nested deeper than {MAX_DEPTH} elements")
        if count > 2 * MAX_ELEMENTS:
            raise DataError(f"XML of more than {MAX_ELEMENTS} elements")


def _put_in_entities(root: Element, values: dict[str, str]) -> None:
    """Put declared text in the place of references; an unknown one shows its name."""
    references = list(root.iter(etree.Entity))
    if len(references) > MAX_ENTITY_USES:
        raise DataError(f"XML with more than {MAX_ENTITY_USES} entity references")
    for reference in references:
        name = str(getattr(reference, "name", ""))
        text = _TAG.sub("", values.get(name, f"&{name};"))
        if len(text) > MAX_ENTITY_CHARACTERS:
            raise DataError(f"entity {name[:40]!r} is longer than {MAX_ENTITY_CHARACTERS}")
        parent = reference.getparent()
        if parent is None:
            continue
        text += str(reference.tail or "")
        before = reference.getprevious()
        if before is None:
            parent.text = str(parent.text or "") + text
        else:
            before.tail = str(before.tail or "") + text
        reference.tail = None
        parent.remove(reference)
