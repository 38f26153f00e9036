"""Read RFCs in the xml2rfc vocabularies, version 2 and 3.

Sections, figures, tables and cross references are numbered as in the published form, so that
`Section 4.2 of [RFC9110]` means the same here as in the text of the standard. Left out: the table
of contents, the index, and drawings that have no text.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from longloom.errors import DataError
from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.building import DocumentBuilder, Reading, Span
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.documents.rfc_front import FrontMatter
from longloom.synthesis.documents.rfc_numbers import (
    caption_numbers,
    section_label,
    section_numbers,
)
from longloom.synthesis.documents.rfc_references import (
    cited_by_anchor,
    displayed_date,
    displayed_reference,
    write_reference,
)
from longloom.synthesis.documents.safe_xml import (
    Element,
    attribute,
    child,
    children,
    local_name,
    parse_xml,
    plain_text,
    root_name,
)
from longloom.synthesis.documents.xml_prose import (
    Prose,
    Run,
    split_blocks,
    verbatim_text,
)
from longloom.synthesis.documents.xml_tables import Grid, grid_of, write_table

GENRE = "standard"
_BLOCKS = frozenset(
    [
        "artset",
        "artwork",
        "aside",
        "blockquote",
        "dl",
        "figure",
        "list",
        "note",
        "ol",
        "section",
        "sourcecode",
        "t",
        "table",
        "texttable",
        "ul",
        "author",
        "postamble",
        "preamble",
        "references",
        "reference",
        "referencegroup",
    ]
)
_LEFT_OUT = frozenset(
    [
        "Description",
        "anchor-alias",
        "annotation",
        "cref",
        "defines",
        "displayreference",
        "idempotent",
        "iref",
        "link",
        "name",
        "safe",
        "source",
        "status",
        "svg",
        "toc",
        "ttcol",
    ]
)
_CODE = frozenset(["artwork", "sourcecode"])


def accepts(source: SourceFile) -> bool:
    """Whether the first bytes look like an RFC in XML."""
    return root_name(source) == "rfc"


def read(source: SourceFile) -> Iterable[Reading]:
    """Read an RFC as one document.

    Raises:
        DataError: not xml2rfc, or without a number or a title.
    """
    root = parse_xml(source.payload)
    if local_name(root) != "rfc":
        raise DataError("not xml2rfc: the root element is not <rfc>")
    front = child(root, "front")
    title = plain_text(child(front, "title"))
    number = attribute(root, "number")
    if not title or not (number.isascii() and number.isdigit()):
        raise DataError("not an RFC: no title or no number")
    builder = DocumentBuilder(
        title=f"RFC {int(number)}",
        kind=DocumentKind.PROFESSIONAL,
        genre=GENRE,
        source=source.name,
        licence=source.licence,
        date=displayed_date(child(front, "date"))[1],
        may_be_altered=False,
    )
    return [_Renderer(root, builder).render()]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a part is to be written."""

    section: str = ""
    """Number of the section that holds it."""
    title: str = ""
    """Title of that section."""
    level: int = 1
    """Level of its heading."""
    indent: str = ""
    """Indentation of list lines."""
    marker: str | None = None
    """Begin the part as a list line with this marker; None outside of lists."""
    manner: str = "informative"
    """What a list of references is: `normative` or `informative`."""


_Part = tuple[Element | Run, _Place]


class _Renderer:
    """Writes one RFC; `_waiting` holds what is still to be written, last first."""

    def __init__(self, root: Element, builder: DocumentBuilder) -> None:
        self._root = root
        self._builder = builder
        self._prose = Prose(builder, replace=self._shown, notice=self._noticed)
        self._numbers = section_numbers(root)
        self._captions = caption_numbers(root)
        self._cited = cited_by_anchor(root)
        self._anchors = {
            attribute(node, "anchor"): node
            for node in root.iter("{*}section", "{*}figure", "{*}table", "{*}texttable")
            if attribute(node, "anchor")
        }
        self._section = ""

    def render(self) -> Reading:
        """Write everything and return the reading."""
        front, back = child(self._root, "front"), child(self._root, "back")
        matter = FrontMatter(self._root, self._prose, self._builder)
        matter.write_front()
        start = _Place(level=1)
        parts = [
            *children(child(front, "boilerplate"), "section"),
            *children(child(self._root, "middle"), "section"),
            *children(back, "references"),
            *children(back, "section"),
        ]
        waiting: list[_Part]
        waiting = [(part, start) for part in reversed(parts)]
        while waiting:
            part, place = waiting.pop()
            self._section = place.section
            waiting += reversed(self._write(part, place))
        matter.write_addresses()
        return self._builder.build()

    def _write(self, part: Element | Run, place: _Place) -> list[_Part]:
        """Write one part; return the parts it consists of, where they are written by themselves."""
        if isinstance(part, Run):
            self._write_run(part, place)
            return []
        name = local_name(part)
        if name in _LEFT_OUT or attribute(part, "anchor") == "rfc.index":
            return []
        if name in _CODE:
            self._write_code(part)
            return []
        match name:
            case "section" | "note":
                return self._write_section(part, place)
            case "references":
                return self._write_references(part, place)
            case "reference" | "referencegroup":
                write_reference(self._prose, part, self._cited, place.manner)
                return []
            case "table" | "texttable":
                self._write_table(part, place)
                return []
            case "figure":
                return self._write_figure(part, place)
            case "artset":
                drawings: list[_Part] = [(node, place) for node in children(part, "artwork")]
                return drawings[-1:]
            case "ul" | "ol" | "list" | "dl":
                return self._list_parts(part, place)
            case _:
                return [(inner, place) for inner in split_blocks(part, _BLOCKS)]

    def _write_run(self, run: Run, place: _Place) -> None:
        if place.marker is None:
            self._prose.begin(BlockKind.PARAGRAPH)
        else:
            self._prose.line(place.indent + place.marker)
        self._prose.run(run)

    def _write_section(self, part: Element, place: _Place) -> list[_Part]:
        number = self._numbers.get(part, "")
        named = child(part, "name")
        title = attribute(part, "title") if named is None else plain_text(named)
        is_index = title.lower() == "index" and not number
        if is_index or child(part, "author") is not None:
            return []  # the authors' addresses are written from the front matter
        self._write_heading(number, title, place.level)
        inner = _Place(section=number, title=title, level=place.level + 1)
        return [(node, inner) for node in split_blocks(part, _BLOCKS | _LEFT_OUT)]

    def _write_heading(self, number: str, title: str, level: int) -> None:
        self._prose.begin(BlockKind.HEADING, level + 1)
        if number:
            label = f"{number}." if number[:1].isdigit() else f"{section_label(number)}."
            start = self._prose.text(label)[0]
            shift = len(label) - 1 - len(number)
            span = (start + shift, start + shift + len(number))
            self._prose.text(" ")
            title_span = self._prose.text(title)
            self._builder.mark("section", title_span, number=number, title=title)
            self._builder.mark("section number", span, number=number)
        else:
            self._prose.text(title)
        self._prose.end()

    def _write_references(self, part: Element, place: _Place) -> list[_Part]:
        number = self._numbers.get(part, "")
        named = child(part, "name")
        title = attribute(part, "title") if named is None else plain_text(named)
        if number.endswith(".1") and local_name(part.getparent()) == "back":  # type: ignore[arg-type]
            self._write_heading(number.removesuffix(".1"), "References", place.level)
        deeper = place.level + number.count(".") * (place.level == 1)
        self._write_heading(number, title or "References", deeper)
        manner = "normative" if "normative" in title.lower().split() else "informative"
        inner = _Place(section=number, title=title, level=deeper + 1, manner=manner)
        kept = ("references", "reference", "referencegroup")
        parts: list[_Part] = []
        parts += [(node, inner) for node in children(part, *kept)]
        return parts

    def _write_figure(self, part: Element, place: _Place) -> list[_Part]:
        caption, named = self._captions.get(part, ""), child(part, "name")
        title = attribute(part, "title") if named is None else plain_text(named)
        shown_title = title if attribute(part, "suppress-title") != "true" else ""
        inner = replace(place, marker=None)
        parts: list[_Part] = [
            (node, inner) for node in children(part) if local_name(node) != "name"
        ]
        if shown_title:
            parts.append((Run(f"{caption}: {shown_title}", ()), inner))
        return parts

    def _write_code(self, part: Element) -> None:
        code = verbatim_text(part, lambda node: self._shown(node))
        self._prose.begin(BlockKind.CODE)
        self._builder.add(code)
        self._prose.end()

    def _write_table(self, part: Element, place: _Place) -> None:
        caption, named = self._captions.get(part, ""), child(part, "name")
        title = attribute(part, "title") if named is None else plain_text(named)
        if title:
            shown = f"{caption}: {title}" if caption else title
            self._prose.block(BlockKind.PARAGRAPH, shown)
        self._prose.end()
        if local_name(part) == "table":
            grid = grid_of(part, self._cell_text)
        else:
            header = tuple(self._cell_text(node) for node in children(part, "ttcol"))
            cells = [self._cell_text(node) for node in children(part, "c")]
            width = max(len(header), 1)
            rows = [tuple(cells[at : at + width]) for at in range(0, len(cells), width)]
            grid = Grid(header, tuple(row for row in rows if len(row) == width))
        write_table(self._builder, grid, title or place.title)

    def _cell_text(self, cell: Element) -> str:
        return " ".join(verbatim_text(cell, lambda node: self._shown(node)).split())

    def _list_parts(self, part: Element, place: _Place) -> list[_Part]:
        """Return the parts of a list; the first part of each entry carries its marker."""
        indent = place.indent + ("  " if place.marker is not None else "")
        style = attribute(part, "style") or attribute(part, "type")
        parts: list[_Part] = []
        term = ""
        for count, node in enumerate(children(part, "t", "li", "dt", "dd"), start=1):
            if local_name(node) == "dt":
                term = _with_colon(self._cell_text(node))
                continue
            term = _with_colon(attribute(node, "hangText")) or term
            is_counted = local_name(part) == "ol" or style == "numbers" or "%" in style
            marker = f"{count}. " if is_counted and not term else "- "
            inner = replace(place, indent=indent, marker=marker + (f"{term} " if term else ""))
            later = replace(place, indent=indent, marker="  ")
            term = ""
            for held in self._entry_parts(node):
                parts.append((held, inner))
                inner = later
        return parts

    def _entry_parts(self, node: Element) -> list[Run | Element]:
        """Return the parts of a list entry, with paragraphs of their own opened up."""
        parts: list[Run | Element] = []
        for part in split_blocks(node, _BLOCKS):
            if not isinstance(part, Run) and local_name(part) == "t":
                parts += split_blocks(part, _BLOCKS)
            else:
                parts.append(part)
        return parts

    def _shown(self, node: Element) -> str | None:
        """Return what an inline element shows, where that is not simply its text."""
        name = local_name(node)
        if name in _LEFT_OUT:
            return ""
        if name == "xref" or name == "relref":
            return self._shown_reference(node)
        if name == "contact":
            return attribute(node, "fullname") or plain_text(node)
        if name == "eref":
            text, target = plain_text(node), attribute(node, "target")
            return f"{text} <{target}>" if text and text != target else f"<{target}>"
        if name == "sup":
            return f"^{plain_text(node)}"
        return " " if name in ("br", "vspace") else None

    def _shown_reference(self, node: Element) -> str:
        target, text = attribute(node, "target"), plain_text(node)
        if target in self._cited:
            return displayed_reference(node, self._cited[target])
        style, derived = attribute(node, "format"), attribute(node, "derivedContent")
        found = self._anchors.get(target)
        number = self._numbers.get(found, "") if found is not None else ""
        caption = self._captions.get(found, "") if found is not None else ""
        label = caption or (section_label(number) if number else derived)
        if style == "none" or not label:
            return text or label
        if style == "counter":
            label = label.split()[-1]
        elif style == "title":
            label = derived or label
        return f"{text} ({label})" if text else label

    def _noticed(self, node: Element, span: Span) -> None:
        if local_name(node) not in ("xref", "relref"):
            return
        cited = self._cited.get(attribute(node, "target"))
        if cited is None or not cited.name:
            return
        section = attribute(node, "section") or attribute(node, "sec")
        self._builder.mark(
            "reference",
            span,
            target=cited.name,
            label=cited.label,
            section=section,
            origin=self._section,
        )


def _with_colon(term: str) -> str:
    """Return a term as it stands before its definition."""
    return term if not term or term.endswith((":", ".", "?")) else f"{term}:"
