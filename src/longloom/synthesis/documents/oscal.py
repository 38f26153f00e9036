"""Read control catalogues in OSCAL JSON: one document a control family.

A control is a page or less, so that a document of its own would carry nothing but its like; a
family is read as the published catalogue is, and its controls refer to those of other families.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from longloom.errors import DataError
from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.building import DocumentBuilder, Reading
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.documents.safe_xml import head_of
from longloom.synthesis.documents.xml_prose import Prose

GENRE = "control catalogue"
MAX_PARTS = 5_000
"""Parts of a control that are looked at; no real control has a tenth of it."""
MAX_DEPTH = 12

_INSERT = re.compile(r"\{\{\s*insert:\s*param,\s*([\w.-]{1,80})\s*\}\}")
_LINK = re.compile(r"\[([^\]\n]{1,200})\]\(#[^)\n]{1,200}\)")
_DEFINED = re.compile(r" (?:is/are|is|are) defined$")
_METHODS = {"EXAMINE": "Examine", "INTERVIEW": "Interview", "TEST": "Test"}

Node = Mapping[str, Any]


def accepts(source: SourceFile) -> bool:
    """Whether the first bytes look like an OSCAL catalogue."""
    head = head_of(source).lstrip()
    return head.startswith("{") and '"catalog"' in head[:200]


def read(source: SourceFile) -> Iterable[Reading]:
    """Read each family of a catalogue as one document.

    Raises:
        DataError: not JSON, or not an OSCAL catalogue.
    """
    try:
        plain = json.loads(source.payload)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON: {str(error)[:120]}") from None
    catalogue = plain.get("catalog") if isinstance(plain, dict) else None
    if not isinstance(catalogue, dict):
        raise DataError("not OSCAL: no `catalog`")
    title = _text(_mapping(catalogue.get("metadata")), "title") or "Control catalogue"
    resources = {
        _text(node, "uuid"): node
        for node in _mappings(_mapping(catalogue.get("back-matter")).get("resources"))
    }
    families = _mappings(catalogue.get("groups"))
    titles = {
        _text(control, "id"): label_of(control)
        for family in families
        for control in _controls(family)
    }
    return [
        _Renderer(family, source, title, resources, titles).render()
        for family in families
        if _mappings(family.get("controls"))
    ]


def label_of(control: Node) -> str:
    """Return the display name of a control: `AC-2`, `IA-2(1)`."""
    for prop in _mappings(control.get("props")):
        if prop.get("name") == "label" and "class" not in prop:
            return _text(prop, "value")
    return _label(_text(control, "id"))


class _Renderer:
    """Writes one family."""

    def __init__(
        self,
        family: Node,
        source: SourceFile,
        catalogue: str,
        resources: Mapping[str, Node],
        labels: Mapping[str, str],
    ) -> None:
        self._family = family
        self._labels = labels
        self._resources = resources
        self._catalogue = catalogue
        self._name = _text(family, "title")
        self._builder = DocumentBuilder(
            title=f"{catalogue}: {self._name}",
            kind=DocumentKind.PROFESSIONAL,
            genre=GENRE,
            source=f"{source.name}#{_text(family, 'id')}",
            licence=source.licence,
            may_be_altered=source.may_be_altered,
        )
        self._prose = Prose(self._builder)
        self._parameters: dict[str, str] = {}

    def render(self) -> Reading:
        """Write every control of the family and return the reading."""
        self._prose.begin(BlockKind.HEADING, 1)
        span = self._prose.text(self._name)
        self._builder.mark("header", span, name="family", value=self._name)
        self._prose.text(f" ({_text(self._family, 'id').upper()})")
        self._prose.end()
        self._prose.block(BlockKind.PARAGRAPH, f"Catalogue: {self._catalogue}")
        for control, parent in _with_enhancements(self._family):
            self._write_control(control, parent)
        return self._builder.build()

    def _write_control(self, control: Node, parent: str) -> None:
        label = label_of(control)
        self._parameters = {
            _text(node, "id"): _parameter_text(node) for node in _mappings(control.get("params"))
        }
        self._prose.begin(BlockKind.HEADING, 3 if parent else 2)
        span = self._prose.text(label)
        self._builder.mark("control", span, control=label)
        self._prose.text(" ")
        title = _text(control, "title")
        self._mark(self._prose.text(title), label, "title", title)
        self._write_header(control, label, parent)
        for part in _mappings(control.get("parts")):
            name = _text(part, "name")
            if name == "statement":
                self._write_lines("Control", part)
            elif name == "guidance":
                self._write_guidance(part)
            elif name == "assessment-objective":
                self._write_lines("Assessment objective: determine if", part)
            elif name == "assessment-method":
                self._write_method(part, label)

    def _write_header(self, control: Node, label: str, parent: str) -> None:
        self._prose.end()
        if parent:
            self._prose.line("Enhancement of: ")
            self._mark(self._prose.text(parent), label, "enhances", parent)
        for prop in _mappings(control.get("props")):
            if prop.get("name") == "implementation-level":
                value = _text(prop, "value")
                self._prose.line("Implemented by: ")
                self._mark(self._prose.text(value), label, "implemented_by", value)
        links = [(_text(node, "rel"), _text(node, "href")[1:]) for node in _links(control)]
        related = [self._labels.get(to) or _label(to) for rel, to in links if rel == "related"]
        cited = [
            _text(self._resources[to], "title")
            for rel, to in links
            if rel == "reference" and to in self._resources
        ]
        self._write_list("Related controls: ", related, label, "related")
        self._write_list("References: ", cited, label, "reference")
        for node in _mappings(control.get("params")):
            self._write_parameter(node, label)
        self._prose.end()

    def _write_list(self, lead: str, shown: list[str], label: str, name: str) -> None:
        for place, text in enumerate(filter(None, shown)):
            if place:
                self._prose.text("; ")
            else:
                self._prose.line(lead)
            self._mark(self._prose.text(text), label, name, text)

    def _write_parameter(self, node: Node, label: str) -> None:
        names = [
            _text(prop, "value")
            for prop in _mappings(node.get("props"))
            if prop.get("name") == "label"
        ]
        guidelines = [_text(entry, "prose") for entry in _mappings(node.get("guidelines"))]
        if names and guidelines:
            self._prose.line(f"Parameter {names[0]}: ")
            shown = " ".join(" ".join(guidelines).rstrip(";. ").split())
            start, end = self._prose.text(shown)
            value = _DEFINED.sub("", shown)
            end -= len(shown) - len(value)
            self._mark((start, end), label, "parameter", value, parameter=names[0])

    def _write_lines(self, lead: str, part: Node) -> None:
        """Write a statement or an objective with its parts, each on its line."""
        self._prose.end()
        self._prose.line(f"{lead}:")
        for node, depth in _below(part):
            number, prose = _part_label(node), self._filled(_text(node, "prose"))
            if prose:
                self._prose.line("  " * max(depth - 1, 0) + (f"{number} " if number else ""))
                self._prose.text(prose)
        self._prose.end()

    def _write_guidance(self, part: Node) -> None:
        paragraphs = _text(part, "prose").split("\n\n")
        for place, text in enumerate(paragraphs):
            self._prose.block(
                BlockKind.PARAGRAPH, ("Discussion: " if place == 0 else "") + self._filled(text)
            )

    def _write_method(self, part: Node, label: str) -> None:
        method = ""
        for prop in _mappings(part.get("props")):
            if prop.get("name") == "method":
                method = _METHODS.get(_text(prop, "value"), "")
        objects = [
            " ".join(text.split())
            for node in _mappings(part.get("parts"))
            for text in _text(node, "prose").split("\n\n")
        ]
        if method and objects:
            self._prose.end()
            self._write_list(f"{method}: ", objects, label, method.lower())
            self._prose.end()

    def _filled(self, text: str) -> str:
        """Put what a parameter asks for in the place of its reference."""
        filled = text
        for _ in range(3):  # a choice may hold parameters itself
            filled = _INSERT.sub(
                lambda match: self._parameters.get(match.group(1), "[...]"), filled
            )
        return _LINK.sub(r"\1", filled)

    def _mark(
        self, span: tuple[int, int], label: str, name: str, value: str, parameter: str = ""
    ) -> None:
        self._builder.mark(
            "header", span, name=name, value=value, control=label, parameter=parameter
        )


def _parameter_text(node: Node) -> str:
    """Return what stands for a parameter: `[Assignment: time period]`."""
    select = _mapping(node.get("select"))
    if select:
        choices = [str(choice) for choice in select.get("choice", []) if isinstance(choice, str)]
        many = " (one or more)" if select.get("how-many") == "one-or-more" else ""
        return f"[Selection{many}: {'; '.join(choices)}]"
    return f"[Assignment: {_text(node, 'label') or 'organization-defined'}]"


def _part_label(node: Node) -> str:
    for prop in _mappings(node.get("props")):
        if prop.get("name") == "label":
            return _text(prop, "value")
    return ""


def _below(part: Node) -> Iterator[tuple[Node, int]]:
    """Yield a part and everything below it with its depth, in order."""
    waiting: list[tuple[Node, int]] = [(part, 0)]
    for _ in range(MAX_PARTS):
        if not waiting:
            return
        node, depth = waiting.pop()
        yield node, depth
        if depth < MAX_DEPTH:
            waiting += [(inner, depth + 1) for inner in reversed(_mappings(node.get("parts")))]


def _with_enhancements(family: Node) -> Iterator[tuple[Node, str]]:
    """Yield each control, followed by its enhancements with its label."""
    for control in _mappings(family.get("controls")):
        yield control, ""
        for enhancement in _mappings(control.get("controls")):
            yield enhancement, label_of(control)


def _controls(family: Node) -> list[Node]:
    return [control for control, _ in _with_enhancements(family)]


def _links(control: Node) -> list[Node]:
    return [node for node in _mappings(control.get("links")) if _text(node, "href")[:1] == "#"]


def _label(control_id: str) -> str:
    """Return the display name that an id stands for: `ia-2.1` is `IA-2(1)`."""
    head, dot, number = control_id.upper().partition(".")
    return f"{head}({number})" if dot else head


def _mapping(value: object) -> Node:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> list[Node]:
    return [node for node in value if isinstance(node, dict)] if isinstance(value, list) else []


def _text(node: Node, key: str) -> str:
    value = node.get(key)
    return value.strip() if isinstance(value, str) else ""
