"""References of xml2rfc documents: how they are displayed, in text and in their lists."""

from collections.abc import Mapping
from dataclasses import dataclass

from longloom.synthesis.documents.rfc_numbers import section_label
from longloom.synthesis.documents.safe_xml import (
    Element,
    attribute,
    child,
    children,
    descendants,
    local_name,
    plain_text,
)
from longloom.synthesis.documents.xml_prose import Prose

_SERIES_SHOWN = ("STD", "BCP", "FYI", "RFC", "DOI", "Internet-Draft", "Work in Progress")
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


@dataclass(frozen=True, slots=True)
class Cited:
    """A document that may be referred to."""

    label: str
    """What stands between the brackets: `RFC9110` or `HTTP`."""
    name: str
    """Its display name: `RFC 9110`; empty if it is no RFC."""


def cited_by_anchor(root: Element) -> dict[str, Cited]:
    """Return the documents of the lists of references by anchor."""
    shown = {
        attribute(node, "target"): attribute(node, "to")
        for node in descendants(root, "displayreference")
    }
    cited = {}
    for node in descendants(root, "reference", "referencegroup"):
        anchor = attribute(node, "anchor")
        label = attribute(node, "derivedAnchor") or shown.get(anchor, "") or anchor
        number = "" if local_name(node) == "referencegroup" else _rfc_number(node)
        cited[anchor] = Cited(label, f"RFC {number}" if number else "")
    return cited


def displayed_reference(node: Element, cited: Cited) -> str:
    """Return what an `xref` to another document shows."""
    bracket = f"[{cited.label}]"
    section = attribute(node, "section") or attribute(node, "sec")
    style = attribute(node, "sectionFormat") or attribute(node, "fmt") or "of"
    own_text = plain_text(node)
    if not section:
        is_bare = attribute(node, "format") == "none" or attribute(node, "fmt") == "none"
        return own_text if own_text and is_bare else f"{own_text} {bracket}".strip()
    label = section_label(section)
    match style:
        case "bare" | "number":
            shown = section
        case "sec":
            shown = label
        case "comma" | ",":
            shown = f"{bracket}, {label}"
        case "parens" | "()":
            shown = f"{bracket} ({label})"
        case "none" | "anchor":
            shown = bracket
        case _:
            shown = f"{label} of {bracket}"
    return f"{own_text} {shown}".strip()


def write_reference(prose: Prose, node: Element, cited: Mapping[str, Cited], manner: str) -> None:
    """Write one entry of a list of references as its own line.

    Args:
        prose: Where to write.
        node: The `reference` or `referencegroup`.
        cited: The documents by anchor.
        manner: `normative` or `informative`; goes into the mark of the series number.
    """
    entry = cited[attribute(node, "anchor")]
    prose.line("")
    prose.text(f"[{entry.label}] ")
    entries = children(node, "reference") if local_name(node) == "referencegroup" else [node]
    for place, reference in enumerate(entries):
        if place:
            prose.text("; ")
        _write_entry(prose, reference, manner)
    prose.text(".")


def _write_entry(prose: Prose, node: Element, manner: str) -> None:
    front = child(node, "front")
    name = f"RFC {_rfc_number(node)}" if _rfc_number(node) else ""
    authors = displayed_authors(front)
    prose.text(f"{authors}, " if authors else "")
    title = plain_text(child(front, "title"))
    if title:
        prose.text('"')
        span = prose.text(title)
        _mark(prose, span, name, "cited title", title)
        prose.text('"')
    for series in [*children(node, "seriesInfo"), *children(front, "seriesInfo")]:
        word, number = attribute(series, "name"), attribute(series, "value")
        if word not in _SERIES_SHOWN or not number:
            continue
        prose.text(", ")
        span = prose.text(f"{word} {number}".replace("Internet-Draft", "Work in Progress,"))
        if word == "RFC":
            _mark(prose, span, name, "cited", manner)
    for content in children(node, "refcontent"):
        prose.text(f", {plain_text(content)}")
    date = child(front, "date")
    shown_date, iso = displayed_date(date)
    if shown_date:
        prose.text(", ")
        _mark(prose, prose.text(shown_date), name, "cited date", iso)
    target = attribute(node, "target")
    prose.text(f", <{target}>" if target else "")


def _mark(prose: Prose, span: tuple[int, int], name: str, what: str, value: str) -> None:
    if name:
        prose.builder.mark(what, span, target=name, value=value)


def displayed_authors(front: Element | None) -> str:
    """Return authors as lists of references show them: `Barth, A. and J. Doe, Ed.`."""
    shown = []
    nodes = children(front, "author")
    for place, author in enumerate(nodes):
        surname, initials = attribute(author, "surname"), attribute(author, "initials")
        if not surname:
            name = attribute(author, "fullname") or plain_text(child(author, "organization"))
        elif place and place == len(nodes) - 1:
            name = f"{initials} {surname}".strip()
        else:
            name = f"{surname}, {initials}" if initials else surname
        if name:
            shown.append(name + (", Ed." if attribute(author, "role") == "editor" else ""))
    if len(shown) < 3:
        return " and ".join(shown)
    return f"{', '.join(shown[:-1])}, and {shown[-1]}"


def displayed_date(date: Element | None) -> tuple[str, str]:
    """Return a date as it is shown and in ISO form; both empty without a year."""
    if date is None:
        return "", ""
    year, month, day = (attribute(date, part) for part in ("year", "month", "day"))
    if not (year.isascii() and year.isdigit() and len(year) == 4):
        return "", ""
    place = _month(month)
    if not place:
        return year, year
    if day.isascii() and day.isdigit() and 1 <= int(day) <= 31:
        return f"{int(day)} {_MONTHS[place - 1]} {year}", f"{year}-{place:02}-{int(day):02}"
    return f"{_MONTHS[place - 1]} {year}", f"{year}-{place:02}"


def _month(text: str) -> int:
    """Return the number of a month given by name or number; 0 for anything else."""
    if text.isascii() and text.isdigit():
        return int(text) if 1 <= int(text) <= 12 else 0
    for place, name in enumerate(_MONTHS, start=1):
        if len(text) >= 3 and name.lower().startswith(text.lower()):
            return place
    return 0


def _rfc_number(node: Element) -> str:
    for series in [*children(node, "seriesInfo"), *children(child(node, "front"), "seriesInfo")]:
        number = attribute(series, "value")
        if attribute(series, "name") == "RFC" and number.isascii() and number.isdigit():
            return str(int(number))
    return ""
