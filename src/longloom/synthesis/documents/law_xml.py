"""Read laws in the XML of the Council of the District of Columbia.

Machine instructions of the codifiers (elements of their own name space) are no part of a law and
are left out. Text that a law inserts elsewhere begins with a quotation mark on every line, as in
print.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from longloom.errors import DataError
from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.building import DocumentBuilder, Reading
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.documents.safe_xml import (
    Element,
    attribute,
    child,
    children,
    head_of,
    local_name,
    parse_xml,
    plain_text,
    root_name,
)
from longloom.synthesis.documents.xml_prose import Prose, Run, inner_run, split_blocks
from longloom.synthesis.documents.xml_tables import grid_of, write_table

GENRE = "law"
_NAMESPACE = "https://code.dccouncil.us/schemas/dc-library"
_CODIFIERS = "/schemas/codif"
_LEFT_OUT = frozenset(["annotation", "marginalia", "meta", "num", "heading", "prefix", "toc"])
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_READINGS = {"First": "first_reading", "Final": "final_reading"}


def accepts(source: SourceFile) -> bool:
    """Whether the first bytes look like a law of the Council."""
    return root_name(source) == "document" and _NAMESPACE in head_of(source)


def read(source: SourceFile) -> Iterable[Reading]:
    """Read a law as one document.

    Raises:
        DataError: not a law of this vocabulary, or without a short title.
    """
    root = parse_xml(source.payload)
    if local_name(root) != "document" or _NAMESPACE not in str(root.tag):
        raise DataError("not a D.C. law: the root element is not <document> of its library")
    headings = {attribute(node, "type"): plain_text(node) for node in children(root, "heading")}
    title = headings.get("short") or headings.get("") or ""
    if not title:
        raise DataError("law without a short title")
    numbers = {attribute(node, "type"): plain_text(node) for node in children(root, "num")}
    if not numbers.get("law"):
        raise DataError("law without a number")
    effective = plain_text(child(root, "meta", "effective"))
    builder = DocumentBuilder(
        title=f"D.C. Law {numbers['law']}",
        kind=DocumentKind.PROFESSIONAL,
        genre=GENRE,
        source=source.name,
        licence=source.licence,
        date=effective if _ISO_DATE.fullmatch(effective) else "",
        may_be_altered=source.may_be_altered,
    )
    return [_Renderer(root, builder).render(title, headings.get("long", ""))]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a part is to be written."""

    level: int = 2
    """Level of the next heading."""
    depth: int = 0
    """Depth of paragraphs below a section; 0 begins a block."""
    quote: str = ""
    """A quotation mark inside of text that the law inserts elsewhere."""
    label: str = ""
    """What stands before the text: `(a)`."""
    title: str = ""
    """Title of the section that holds it."""


_Part = tuple[Element | Run, _Place]


class _Renderer:
    """Writes one law."""

    def __init__(self, root: Element, builder: DocumentBuilder) -> None:
        self._root = root
        self._builder = builder
        self._prose = Prose(builder, replace=_inline_text)

    def render(self, title: str, long_title: str) -> Reading:
        """Write everything and return the reading."""
        span = self._prose.block(BlockKind.HEADING, title, 1)
        self._builder.mark("header", span, name="title", value=title)
        self._write_front()
        if long_title:
            self._prose.block(BlockKind.PARAGRAPH, long_title)
        summary = plain_text(child(self._root, "meta", "history", "summary"))
        if summary:
            self._prose.block(BlockKind.PARAGRAPH, f"Summary: {summary}")
        waiting: list[_Part] = [
            (part, _Place()) for part in reversed(children(self._root)) if not _is_left_out(part)
        ]
        while waiting:
            part, place = waiting.pop()
            waiting += self._write(part, place)[::-1]
        return self._builder.build()

    def _write_front(self) -> None:
        meta = child(self._root, "meta")
        words = {"law": "D.C. Law", "act": "D.C. Act", "bill": "Bill"}
        for node in children(self._root, "num"):
            kind = attribute(node, "type")
            if kind in words:
                self._line(f"{kind.capitalize()}: ", f"{words[kind]} {plain_text(node)}", kind)
        for node in children(child(meta, "citations"), "citation"):
            if attribute(node, "type") == "register":
                self._line("Register: ", plain_text(node), "register")
        self._date("Introduced: ", plain_text(child(meta, "introduced")), "introduced")
        self._line("Committee: ", plain_text(child(meta, "history", "committee")), "committee")
        for node in children(child(meta, "history"), "vote"):
            reading = attribute(node, "reading")
            self._date(
                f"Vote ({reading}): ", attribute(node, "date"), _READINGS.get(reading, "vote")
            )
        self._date("Enacted: ", plain_text(child(meta, "history", "enacted")), "enacted")
        self._date("Effective: ", plain_text(child(meta, "effective")), "effective")
        self._prose.end()

    def _line(self, label: str, shown: str, name: str, value: str = "") -> None:
        if shown:
            self._prose.line(label)
            span = self._prose.text(shown)
            self._builder.mark("header", span, name=name, value=value or shown)

    def _date(self, label: str, iso: str, name: str) -> None:
        if _ISO_DATE.fullmatch(iso) and 1 <= int(iso[5:7]) <= 12:
            shown = f"{_MONTHS[int(iso[5:7]) - 1]} {int(iso[8:])}, {iso[:4]}"
            self._line(label, shown, name, iso)

    def _write(self, part: Element | Run, place: _Place) -> list[_Part]:
        """Write one part; return the parts it consists of, where they are written by themselves."""
        if isinstance(part, Run):
            self._write_run(part, place)
            return []
        if _is_left_out(part):
            return []
        match local_name(part):
            case "section" | "subsection":
                return self._write_section(part, place)
            case "container":
                return self._write_container(part, place)
            case "para":
                return self._para_parts(part, place)
            case "include":
                inner = replace(place, quote='"', depth=max(place.depth, 1), label="")
                return [(node, inner) for node in children(part)]
            case "text":
                return self._text_parts(part, place)
            case "aftertext":
                self._write_after(part)
            case "table":
                self._prose.end()
                write_table(self._builder, grid_of(part, plain_text), place.title.rstrip("."))
                self._prose.end()
            case _:
                return [(node, place) for node in split_blocks(part, ("para", "text", "table"))]
        return []

    def _write_run(self, run: Run, place: _Place) -> None:
        label = f"{place.label} " if place.label else ""
        if place.depth == 0 and not place.quote:
            self._prose.begin(BlockKind.PARAGRAPH)
            self._prose.text(label)
        elif place.depth == 1 and not place.quote:
            self._prose.end()
            self._prose.line(label)
        else:
            self._prose.line("  " * (place.depth - 1) + place.quote + label)
        self._prose.run(run)

    def _write_section(self, part: Element, place: _Place) -> list[_Part]:
        number, heading = plain_text(child(part, "num")), plain_text(child(part, "heading"))
        prefix = plain_text(child(part, "prefix")) or "Sec."
        label = f"{prefix} {number}." if number else ""
        parts = [node for node in children(part) if not _is_left_out(node)]
        if place.quote:
            inner = replace(place, label="", depth=place.depth + 1)
            shown = Run(f"{label} {heading}".strip(), ())
            return [(shown, place), *((node, inner) for node in parts)]
        inner = _Place(level=place.level, title=heading or label)
        if heading or not parts or local_name(parts[0]) != "text":
            self._prose.block(BlockKind.HEADING, f"{label} {heading}".strip(), place.level)
            return [(node, inner) for node in parts]
        return [(parts[0], replace(inner, label=label)), *((node, inner) for node in parts[1:])]

    def _write_container(self, part: Element, place: _Place) -> list[_Part]:
        number, heading = plain_text(child(part, "num")), plain_text(child(part, "heading"))
        prefix = plain_text(child(part, "prefix"))
        label = f"{prefix} {number}".strip()
        shown = f"{label}. {heading}".strip() if heading else label
        parts = [node for node in children(part) if not _is_left_out(node)]
        if place.quote:
            return [(Run(shown, ()), place), *((node, place) for node in parts)]
        if shown:
            self._prose.block(BlockKind.HEADING, shown, place.level)
        inner = replace(place, level=place.level + 1, title=heading or label)
        return [(node, inner) for node in parts]

    def _para_parts(self, part: Element, place: _Place) -> list[_Part]:
        """Return the parts of a paragraph; its number goes before the first text it has."""
        number, heading = plain_text(child(part, "num")), plain_text(child(part, "heading"))
        label = " ".join(filter(None, [place.label, number, heading]))
        inner = replace(place, depth=place.depth + 1, label="")
        parts = [node for node in children(part) if not _is_left_out(node)]
        if parts and local_name(parts[0]) == "text":
            first = replace(inner, label=label)
            return [(parts[0], first), *((node, inner) for node in parts[1:])]
        if parts and local_name(parts[0]) == "para":
            # (a)(1): the first paragraph inside begins on the same line.
            held = replace(place, label=label)
            return [(parts[0], held), *((node, inner) for node in parts[1:])]
        return [(Run(label, ()), inner), *((node, inner) for node in parts)]

    def _text_parts(self, part: Element, place: _Place) -> list[_Part]:
        pieces = split_blocks(part, ("table",))
        return [
            (piece, place if count == 0 else replace(place, label=""))
            for count, piece in enumerate(pieces)
        ]

    def _write_after(self, part: Element) -> None:
        """Write what closes a paragraph behind the text that it inserts."""
        shown = plain_text(part)
        if not shown:
            return
        before = part.getprevious()
        if self._prose.is_open:
            is_after_quote = before is not None and local_name(before) == "include"
            self._prose.text('"' if is_after_quote and not shown.startswith('"') else "")
            self._prose.run(inner_run(part))
        else:
            self._prose.block(BlockKind.PARAGRAPH, shown)


def _is_left_out(node: Element) -> bool:
    return _CODIFIERS in str(node.tag) or local_name(node) in _LEFT_OUT


def _inline_text(node: Element) -> str | None:
    """Leave out what codifiers have put into running text."""
    return "" if _CODIFIERS in str(node.tag) else None
