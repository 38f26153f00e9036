"""Inline elements of JATS articles, and citations that come as bare fields."""

from longloom.synthesis.documents.jats_math import math_text
from longloom.synthesis.documents.safe_xml import (
    Element,
    attribute,
    child,
    children,
    descendants,
    local_name,
    plain_text,
)

NOT_SHOWN = frozenset(["graphic", "inline-graphic", "label", "object-id", "issue-id", "title"])
"""Elements whose text is written elsewhere or not at all."""


def cell_inline_text(node: Element, before: str) -> str | None:
    """Return what an inline element of a cell shows; a raised letter is a mark of a footnote."""
    text = plain_text(node)
    is_raised = local_name(node) == "sup" or attribute(node, "ref-type") == "table-fn"
    if is_raised and len(text) == 1 and not text.isdigit() and before != " ":
        return f"^{text}"
    return inline_text(node, before)


def inline_text(node: Element, before: str) -> str | None:
    """Return what an inline element shows, where that is not simply its text."""
    name = local_name(node)
    if name in NOT_SHOWN:
        return ""
    if name == "math":
        return math_text(node)
    if name == "name":
        surname, given = plain_text(child(node, "surname")), plain_text(child(node, "given-names"))
        return f"{surname} {given}".strip()
    if name == "break":
        return " "
    text = plain_text(node)
    is_exponent = name == "sup" and text.lstrip("+-\u2212\u2013").isdigit() and before.isalnum()
    return f"^{text}" if is_exponent and not children(node, "xref") else None


def composed_citation(node: Element) -> str:
    """Return a citation that comes as bare fields, in the order in which journals print it."""
    people = [
        f"{plain_text(child(name, 'surname'))} {plain_text(child(name, 'given-names'))}".strip()
        for name in descendants(node, "name")
    ]
    people += [plain_text(collab) for collab in descendants(node, "collab")]
    people += ["et al." for _ in children(child(node, "person-group"), "etal")]
    year = plain_text(child(node, "year"))
    title = plain_text(child(node, "article-title")).rstrip(".")
    source = plain_text(child(node, "source")).rstrip(".")
    volume = plain_text(child(node, "volume"))
    first, last = plain_text(child(node, "fpage")), plain_text(child(node, "lpage"))
    pages = f"{first}-{last}" if first and last else first
    where = f"{source} {volume}".strip() + (f": {pages}" if pages else "")
    publisher = ", ".join(
        plain_text(child(node, name))
        for name in ("publisher-loc", "publisher-name")
        if child(node, name) is not None
    )
    head = f"{', '.join(people)} ({year})" if year else ", ".join(people)
    tail = [title, where, publisher, plain_text(child(node, "comment")).rstrip(".")]
    return " ".join([head, *(f"{text}." for text in tail if text)]).strip()
