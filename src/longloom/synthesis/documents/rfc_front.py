"""The front matter of RFCs and, at their end, the addresses of their authors."""

from longloom.records import BlockKind
from longloom.synthesis.documents.building import DocumentBuilder
from longloom.synthesis.documents.rfc_references import displayed_date
from longloom.synthesis.documents.safe_xml import (
    Element,
    attribute,
    child,
    children,
    local_name,
    plain_text,
)
from longloom.synthesis.documents.xml_prose import Prose, inner_run

CATEGORIES = {
    "std": "Standards Track",
    "bcp": "Best Current Practice",
    "info": "Informational",
    "exp": "Experimental",
    "historic": "Historic",
}


class FrontMatter:
    """Writes what an RFC says of itself, with a mark `header` on each value."""

    def __init__(self, root: Element, prose: Prose, builder: DocumentBuilder) -> None:
        """Take the `rfc` element and where to write."""
        self._root = root
        self._front = child(root, "front")
        self._prose = prose
        self._builder = builder

    def write_front(self) -> None:
        """Write heading, header lines and abstract."""
        root, prose = self._root, self._prose
        front = self._front
        prose.begin(BlockKind.HEADING, 1)
        prose.text(f"RFC {int(attribute(root, 'number'))}: ")
        self._header(plain_text(child(front, "title")), "title")
        self._line("Category: ", CATEGORIES.get(attribute(root, "category"), ""), "category")
        shown_date, iso = displayed_date(child(front, "date"))
        self._line("Published: ", shown_date, "published", iso)
        standard = attribute(root, "seriesNo")
        self._line("Standard: ", f"STD {standard}" if standard else "", "series")
        for name in ("obsoletes", "updates"):
            numbers = [part.strip() for part in attribute(root, name).split(",")]
            named = [f"RFC {int(part)}" for part in numbers if part.isascii() and part.isdigit()]
            self._lines(f"{name.capitalize()}: ", named, name)
        self._line("Area: ", plain_text(child(front, "area")), "area")
        self._line("Working group: ", plain_text(child(front, "workgroup")), "workgroup")
        for author in children(front, "author"):
            self._write_author_line(author)
        words = [plain_text(node) for node in children(front, "keyword")]
        self._lines("Keywords: ", [part for word in words for part in word.split(", ")], "keyword")
        abstract = child(front, "abstract")
        if abstract is None:
            return
        prose.block(BlockKind.HEADING, "Abstract", 2)
        for part in children(abstract):
            prose.begin(BlockKind.PARAGRAPH)
            prose.run(inner_run(part))
        prose.end()

    def _line(self, label: str, shown: str, name: str, value: str = "", person: str = "") -> None:
        """Write a line of the front matter or an address; nothing if it has no value."""
        if shown:
            self._prose.line(label)
            self._header(shown, name, value, person=person)

    def _lines(self, label: str, shown: list[str], name: str) -> None:
        """Write a line of the front matter with several values."""
        for place, part in enumerate(part for part in shown if part):
            if place:
                self._prose.text(", ")
            else:
                self._prose.line(label)
            self._header(part, name)

    def _header(self, shown: str, name: str, value: str = "", person: str = "") -> None:
        span = self._prose.text(shown)
        self._builder.mark("header", span, name=name, value=value or shown, person=person)

    def _write_author_line(self, author: Element) -> None:
        name = attribute(author, "fullname")
        organization = plain_text(child(author, "organization"))
        if not (name or organization):
            return
        is_editor = attribute(author, "role") == "editor"
        self._prose.line("Editor: " if is_editor else "Author: ")
        if name:
            self._header(name, "editor" if is_editor else "author")
        if organization:
            self._prose.text(" (" if name else "")
            self._header(organization, "organization", person=name)
            self._prose.text(")" if name else "")

    def write_addresses(self) -> None:
        """Write the addresses of the authors."""
        authors = children(self._front, "author")
        prose = self._prose
        prose.block(BlockKind.HEADING, "Authors' Addresses", 2)
        for author in authors:
            name = attribute(author, "fullname")
            prose.end()
            prose.line(name or plain_text(child(author, "organization")))
            if name:
                organization = plain_text(child(author, "organization"))
                self._line("", organization, "organization", person=name)
            for line in children(child(author, "address", "postal")):
                self._write_postal(line, name)
            email = plain_text(child(author, "address", "email"))
            self._line("Email: " if email else "", email, "email", person=name)
            prose.end()

    def _write_postal(self, line: Element, name: str) -> None:
        shown = plain_text(line)
        if not shown:
            return
        self._prose.line("")
        if local_name(line) == "country":
            self._header(shown, "country", person=name)
        else:
            self._prose.text(shown)
