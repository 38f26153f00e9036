"""The front matter of JATS articles: what a line shows and what it says.

Lines are pieces of text, each with what its mark says; the article's reader writes them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from longloom.synthesis.documents.safe_xml import (
    Element,
    attribute,
    child,
    children,
    descendants,
    plain_text,
)

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
_CREATIVE_COMMONS = re.compile(r"creativecommons\.org/licenses/(by(?:-[a-z]{2}){0,2})/(\d\.\d)")
_DATE_LABELS = {"received": "Received", "accepted": "Accepted", "rev-recd": "Revised"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a line."""

    text: str
    """What it shows; a space at its end or start counts."""
    marks: tuple[Mapping[str, str], ...] = field(default=())
    """What marks say of it: `name`, `value` and sometimes `person`."""


Line = list[Piece]


def front_lines(article: Element) -> list[Line]:
    """Return the lines between title and abstract."""
    journal_meta, meta = (
        child(article, "front", "journal-meta"),
        child(article, "front", "article-meta"),
    )
    lines: list[Line] = []
    journal = plain_text(child(journal_meta, "journal-title-group", "journal-title"))
    journal = journal or plain_text(child(journal_meta, "journal-title"))
    _put(lines, "Journal: ", journal, "journal", journal.replace("PLoS", "PLOS"))
    for name in ("volume", "issue"):
        _put(lines, f"{name.capitalize()}: ", plain_text(child(meta, name)), name)
    _put(lines, "Article number: ", plain_text(child(meta, "elocation-id")), "number")
    for node in children(meta, "article-id"):
        if attribute(node, "pub-id-type") == "doi":
            _put(lines, "DOI: ", plain_text(node), "doi")
    _put_subjects(lines, child(meta, "article-categories"))
    _put_people(lines, meta)
    _put_dates(lines, meta)
    pages = child(meta, "counts", "page-count")
    _put(lines, "Pages: ", attribute(pages, "count") if pages is not None else "", "num_pages")
    return lines


def licence_of(article: Element, fallback: str) -> str:
    """Return the licence that the permissions state."""
    permissions = child(article, "front", "article-meta", "permissions")
    shown = plain_text(permissions)
    targets = [attribute(node, "href") for node in descendants(permissions, "license", "ext-link")]
    if any("publicdomain/zero" in target for target in targets) or "CC0" in shown:
        return "CC0 1.0"
    for target in targets:
        if match := _CREATIVE_COMMONS.search(target):
            return f"CC {match.group(1).upper()} {match.group(2)}"
    if "Creative Commons Attribution License" in shown:
        return "CC BY 4.0"
    return "public domain" if "public domain" in shown.lower() else fallback


def date_of(meta: Element | None) -> str:
    """Return the date of publication in ISO form."""
    dates = children(meta, "pub-date")
    dates.sort(key=lambda node: attribute(node, "pub-type") != "epub")
    return next((iso for node in dates if (iso := shown_date(node)[1])), "")


def shown_date(node: Element) -> tuple[str, str]:
    """Return a date as it is shown and in ISO form; both empty without a year."""
    year, month, day = (plain_text(child(node, part)) for part in ("year", "month", "day"))
    if not re.fullmatch(r"\d{4}", year, re.ASCII):
        return "", ""
    if not (month.isascii() and month.isdigit() and 1 <= int(month) <= 12):
        return year, year
    name = _MONTHS[int(month) - 1]
    if not (day.isascii() and day.isdigit() and 1 <= int(day) <= 31):
        return f"{name} {year}", f"{year}-{int(month):02}"
    return f"{int(day)} {name} {year}", f"{year}-{int(month):02}-{int(day):02}"


def person_name(node: Element | None) -> str:
    """Return a name as people are called: given names first."""
    if node is None:
        return ""
    parts = [plain_text(child(node, part)) for part in ("given-names", "surname", "suffix")]
    return " ".join(part for part in parts if part)


def _put(lines: list[Line], label: str, shown: str, name: str, value: str = "") -> None:
    if shown:
        lines.append([Piece(label), Piece(shown, ({"name": name, "value": value or shown},))])


def _put_subjects(lines: list[Line], categories: Element | None) -> None:
    kinds, subjects = dict[str, str](), dict[str, str]()
    for group in children(categories, "subj-group"):
        is_kind = attribute(group, "subj-group-type") == "heading"
        for subject in descendants(group, "subject"):
            text = plain_text(subject)
            (kinds if is_kind else subjects).setdefault(text.lower(), text)
    for label, name, shown in (
        ("Article type: ", "type", kinds),
        ("Subjects: ", "subject", subjects),
    ):
        named = filter(None, shown.values())
        pieces = [Piece(text, ({"name": name, "value": text},)) for text in named]
        if pieces:
            lines.append([Piece(label), *_listed(pieces)])


def _listed(pieces: list[Piece]) -> Line:
    line: Line = []
    for place, piece in enumerate(pieces):
        line += [Piece("; "), piece] if place else [piece]
    return line


def _put_people(lines: list[Line], meta: Element | None) -> None:
    """Write authors with the numbers of their affiliations, these, and the editors."""
    affiliations = {attribute(node, "id"): node for node in descendants(meta, "aff")}
    order: dict[str, list[str]] = {}
    authors: list[Line] = []
    editors: list[Line] = []
    for contributor in descendants(meta, "contrib"):
        name = person_name(child(contributor, "name")) or plain_text(child(contributor, "collab"))
        if not name:
            continue
        role = attribute(contributor, "contrib-type")
        targets = [
            attribute(node, "rid")
            for node in children(contributor, "xref")
            if attribute(node, "ref-type") == "aff" and attribute(node, "rid") in affiliations
        ]
        if role == "editor":
            editors.append(_editor_line(name, [affiliations[target] for target in targets]))
        elif role in ("author", ""):
            for target in targets:
                order.setdefault(target, []).append(name)
            authors.append(
                _author_line(contributor, name, [list(order).index(t) + 1 for t in targets])
            )
    lines += authors
    for number, (target, people) in enumerate(order.items(), start=1):
        lines.append([Piece(f"Affiliation {number}: "), *_place(affiliations[target], people)])
    lines += editors


def _author_line(contributor: Element, name: str, numbers: list[int]) -> Line:
    is_corresponding = attribute(contributor, "corresp") == "yes" or any(
        attribute(node, "ref-type") == "corresp" for node in children(contributor, "xref")
    )
    marks = [{"name": "author", "value": name}]
    if is_corresponding:
        marks.append({"name": "corresponding_author", "value": name})
    line = [Piece("Author: "), Piece(name, tuple(marks))]
    if numbers:
        word = "affiliation" if len(numbers) == 1 else "affiliations"
        line.append(Piece(f" ({word} {', '.join(map(str, numbers))})"))
    if is_corresponding:
        line.append(Piece(", corresponding author"))
    return line


def _editor_line(name: str, places: list[Element]) -> Line:
    line = [Piece("Editor: "), Piece(name, ({"name": "editor", "value": name},))]
    for place in places:
        line += [Piece(" ("), *_place(place, [name]), Piece(")")]
    return line


def _place(node: Element, people: list[str]) -> Line:
    """Return an affiliation, its last part (the country, as a rule) as a piece of its own."""
    shown = plain_text(node, without=("label",)).rstrip(".; ")
    before, comma, last = shown.rpartition(", ")
    said = tuple({"name": "country", "value": last, "person": person} for person in people)
    whole = tuple({"name": "affiliation", "value": shown, "person": person} for person in people)
    if not comma:
        return [Piece(shown, whole)]
    return [Piece(before + comma), Piece(last, (*said, *whole))]


def _put_dates(lines: list[Line], meta: Element | None) -> None:
    for node in children(child(meta, "history"), "date"):
        kind = attribute(node, "date-type")
        shown, iso = shown_date(node)
        if kind in _DATE_LABELS:
            _put(lines, f"{_DATE_LABELS[kind]}: ", shown, kind.replace("rev-recd", "revised"), iso)
    for node in children(meta, "pub-date"):
        shown, iso = shown_date(node)
        if attribute(node, "pub-type") == "epub" and shown:
            _put(lines, "Published: ", shown, "published", iso)
            return
