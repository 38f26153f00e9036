"""Read articles in JATS, the XML of scholarly journals.

The licence of an article is the one its own permissions state.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from longloom.errors import DataError
from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.building import DocumentBuilder, Reading
from longloom.synthesis.documents.jats_front import date_of, front_lines, licence_of
from longloom.synthesis.documents.jats_inline import (
    NOT_SHOWN,
    cell_inline_text,
    composed_citation,
    inline_text,
)
from longloom.synthesis.documents.jats_math import math_text
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.documents.safe_xml import (
    Element,
    attribute,
    child,
    children,
    descendants,
    local_name,
    parse_xml,
    plain_text,
    root_name,
)
from longloom.synthesis.documents.xml_prose import Prose, Run, inner_run, split_blocks
from longloom.synthesis.documents.xml_tables import grid_of, write_table

GENRE = "article"
_BLOCKS = frozenset(
    [
        "ack",
        "app",
        "app-group",
        "boxed-text",
        "def-list",
        "disp-formula",
        "disp-formula-group",
        "disp-quote",
        "fig",
        "fig-group",
        "fn-group",
        "glossary",
        "list",
        "p",
        "ref-list",
        "sec",
        "speech",
        "statement",
        "supplementary-material",
        "table-wrap",
        "table-wrap-group",
        "verse-group",
    ]
)
_TITLED = frozenset(["sec", "ack", "app", "boxed-text", "glossary"])


def accepts(source: SourceFile) -> bool:
    """Whether the first bytes look like a JATS article."""
    return root_name(source) == "article"


def read(source: SourceFile) -> Iterable[Reading]:
    """Read an article as one document.

    Raises:
        DataError: not JATS, or without a title.
    """
    article = parse_xml(source.payload)
    meta = child(article, "front", "article-meta")
    if local_name(article) != "article" or meta is None:
        raise DataError("not JATS: no <article> with <article-meta>")
    title = plain_text(child(meta, "title-group", "article-title"), without=("xref", "fn"))
    if not title:
        raise DataError("article without a title")
    builder = DocumentBuilder(
        title=title,
        kind=DocumentKind.ACADEMIC,
        genre=GENRE,
        source=source.name,
        licence=licence_of(article, source.licence),
        date=date_of(meta),
        may_be_altered=source.may_be_altered,
    )
    return [_Renderer(article, builder).render(title)]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a part is to be written."""

    level: int = 2
    """Level of its heading."""
    title: str = ""
    """Title of the section that holds it."""
    indent: str = ""
    """Indentation of list lines."""
    marker: str | None = None
    """Begin the part as a list line with this marker; None outside of lists."""


_Part = tuple[Element | Run, _Place]


class _Renderer:
    """Writes one article."""

    def __init__(self, article: Element, builder: DocumentBuilder) -> None:
        self._article = article
        self._builder = builder
        self._prose = Prose(builder, replace=self._shown)
        self._counts: dict[str, list[tuple[str, tuple[int, int]]]] = {}

    def render(self, title: str) -> Reading:
        """Write everything and return the reading."""
        meta = child(self._article, "front", "article-meta")
        span = self._prose.block(BlockKind.HEADING, title, 1)
        self._builder.mark("header", span, name="title", value=title)
        self._write_front()
        for abstract in children(meta, "abstract"):
            shown = plain_text(child(abstract, "title"))
            self._prose.block(BlockKind.HEADING, shown or self._abstract_title(abstract), 2)
            self._write_all([(part, _Place(level=3)) for part in split_blocks(abstract, _BLOCKS)])
        body, back = child(self._article, "body"), child(self._article, "back")
        self._write_all([(part, _Place()) for part in children(body)])
        self._write_all([(part, _Place()) for part in children(back)])
        self._write_statements(meta)
        self._mark_counts()
        return self._builder.build()

    def _write_front(self) -> None:
        for line in front_lines(self._article):
            self._prose.line("")
            for piece in line:
                span = self._prose.text(piece.text)
                for said in piece.marks:
                    start = (
                        span[1] - len(said["value"]) if said["name"] == "affiliation" else span[0]
                    )
                    self._builder.mark("header", (max(start, 0), span[1]), **said)
        self._prose.end()

    def _abstract_title(self, abstract: Element) -> str:
        kind = attribute(abstract, "abstract-type")
        return {"summary": "Author Summary", "toc": "Summary"}.get(kind, "Abstract")

    def _write_all(self, parts: list[_Part]) -> None:
        waiting = parts[::-1]
        while waiting:
            part, place = waiting.pop()
            waiting += self._write(part, place)[::-1]

    def _write(self, part: Element | Run, place: _Place) -> list[_Part]:
        """Write one part; return the parts it consists of, where they are written by themselves."""
        if isinstance(part, Run):
            if place.marker is None:
                self._prose.begin(BlockKind.PARAGRAPH)
            else:
                self._prose.line(place.indent + place.marker)
            self._prose.run(part)
            return []
        name = local_name(part)
        if name in NOT_SHOWN or name == "fn-group":
            return []
        if name in _TITLED:
            return self._write_section(part, place)
        match name:
            case "fig" | "supplementary-material":
                self._write_figure(part)
            case "table-wrap":
                self._write_table(part, place)
            case "disp-formula":
                self._write_formula(part)
            case "ref-list":
                self._write_references(part, place)
            case "list":
                return self._list_parts(part, place)
            case "def-list":
                self._write_definitions(part)
            case _:
                return [(inner, place) for inner in split_blocks(part, _BLOCKS | NOT_SHOWN)]
        return []

    def _write_section(self, part: Element, place: _Place) -> list[_Part]:
        title = plain_text(child(part, "title"))
        if not title and local_name(part) == "ack":
            title = "Acknowledgments"
        label = plain_text(child(part, "label"))
        if title:
            self._prose.begin(BlockKind.HEADING, place.level)
            self._prose.text(f"{label} " if label else "")
            heading = child(part, "title")
            self._prose.run(inner_run(heading) if heading is not None else Run(title, ()))
            self._prose.end()
        inner = _Place(level=place.level + 1, title=title or place.title)
        return [(node, inner) for node in split_blocks(part, _BLOCKS | NOT_SHOWN)]

    def _write_caption(self, part: Element, name: str) -> None:
        """Write label, title and text of a figure or table as one paragraph."""
        label = plain_text(child(part, "label")).rstrip(".")
        self._prose.begin(BlockKind.PARAGRAPH)
        span = self._prose.text(label)
        self._count(name, label, span)
        if label:
            self._prose.text(". ")
        for node in children(child(part, "caption"), "title", "p"):
            self._prose.run(inner_run(node))
            self._prose.text(" ")
        self._prose.end()

    def _write_figure(self, part: Element) -> None:
        self._write_caption(part, "figures" if local_name(part) == "fig" else "")

    def _write_table(self, part: Element, place: _Place) -> None:
        self._write_caption(part, "tables")
        caption = plain_text(child(part, "caption", "title")).rstrip(".")
        caption = caption or plain_text(child(part, "label")) or place.title
        for table in descendants(part, "table"):
            write_table(self._builder, grid_of(table, self._cell_text), caption)
        for note in descendants(child(part, "table-wrap-foot"), "fn"):
            self._prose.line("")
            label = plain_text(child(note, "label"))
            is_own = plain_text(note, without=("label",)).startswith(":")
            self._prose.text((label if is_own else f"{label}: ") if label else "")
            for node in children(note, "p"):
                self._prose.run(inner_run(node))
        self._prose.end()

    def _cell_text(self, cell: Element) -> str:
        """Return the text of a cell, superscripts and formulas included."""
        builder = DocumentBuilder(
            title="", kind=DocumentKind.ACADEMIC, genre=GENRE, source="", licence=""
        )
        prose = Prose(builder, replace=lambda node: cell_inline_text(node, prose.last_character))
        prose.begin(BlockKind.PARAGRAPH)
        prose.run(inner_run(cell))
        return builder.build().document.text

    def _write_formula(self, part: Element) -> None:
        label = plain_text(child(part, "label"))
        shown = next((math_text(node) for node in descendants(part, "math")), "")
        shown = shown or plain_text(part, without=("label", "graphic"))
        if shown:
            self._prose.block(BlockKind.PARAGRAPH, f"{shown} {label}".strip())

    def _write_references(self, part: Element, place: _Place) -> None:
        title = plain_text(child(part, "title")) or "References"
        self._prose.block(BlockKind.HEADING, title, place.level)
        for reference in children(part, "ref"):
            label = plain_text(child(reference, "label")).rstrip(".")
            for node in children(reference, "mixed-citation", "element-citation", "citation"):
                self._prose.line("")
                span = self._prose.text(label)
                self._count("references", label, span)
                self._prose.text(". " if label else "")
                if local_name(node) == "element-citation":
                    self._prose.text(composed_citation(node))
                else:
                    self._prose.run(inner_run(node))
                break
        self._prose.end()

    def _list_parts(self, part: Element, place: _Place) -> list[_Part]:
        indent = place.indent + ("  " if place.marker is not None else "")
        is_ordered = attribute(part, "list-type") == "order"
        parts: list[_Part] = []
        for count, entry in enumerate(children(part, "list-item"), start=1):
            label = plain_text(child(entry, "label"))
            marker = f"{label} " if label else (f"{count}. " if is_ordered else "- ")
            inner = replace(place, indent=indent, marker=marker)
            for paragraph in split_blocks(entry, _BLOCKS | NOT_SHOWN):
                is_plain = isinstance(paragraph, Run) or local_name(paragraph) != "p"
                held = [paragraph] if is_plain else split_blocks(paragraph, _BLOCKS)  # type: ignore[arg-type]
                for node in held:
                    parts.append((node, inner))
                    inner = replace(place, indent=indent, marker="  ")
        return parts

    def _write_definitions(self, part: Element) -> None:
        for entry in children(part, "def-item"):
            self._prose.line("- ")
            self._prose.text(f"{plain_text(child(entry, 'term'))}: ")
            for node in descendants(child(entry, "def"), "p"):
                self._prose.run(inner_run(node))
        self._prose.end()

    def _write_statements(self, meta: Element | None) -> None:
        """Write funding, data availability, notes and permissions after the references."""
        statements = [("Funding", plain_text(child(meta, "funding-group", "funding-statement")))]
        for entry in descendants(child(meta, "custom-meta-group"), "custom-meta"):
            name = plain_text(child(entry, "meta-name"))
            statements.append((name, plain_text(child(entry, "meta-value"))))
        for note in children(child(meta, "author-notes"), "fn"):
            kind = attribute(note, "fn-type")
            name = {"conflict": "Competing interests", "con": "Author contributions"}.get(kind, "")
            statements.append((name, plain_text(note, without=("label",))))
        licence = child(meta, "permissions", "license")
        statements.append(("Licence", plain_text(licence)))
        for name, text in statements:
            if text:
                self._prose.block(BlockKind.PARAGRAPH, f"{name}: {text}" if name else text)

    def _count(self, name: str, label: str, span: tuple[int, int]) -> None:
        """Remember where the number of a figure, table or reference stands."""
        digits = label.rpartition(" ")[2]
        if name and digits.isascii() and digits.isdigit():
            place = (span[1] - len(digits), span[1])
            self._counts.setdefault(name, []).append((digits, place))

    def _mark_counts(self) -> None:
        """Mark the last number of each sort, if they count from 1 without a gap."""
        for name, numbered in sorted(self._counts.items()):
            if [digits for digits, _ in numbered] == [str(n + 1) for n in range(len(numbered))]:
                digits, span = numbered[-1]
                self._builder.mark("header", span, name=f"num_{name}", value=digits)

    def _shown(self, node: Element) -> str | None:
        return inline_text(node, self._prose.last_character)
