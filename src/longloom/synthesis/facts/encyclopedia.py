"""Facts of encyclopedia pages: infobox rows and links to other pages.

    infobox mark -> infobox.laid_down(German submarine U-502) = 1940-04-02
    link mark    -> page.links_to(German submarine U-502) = Deutsche Werft

The subject is the title of the page. Table cells are left to `tables.py`.
"""

import re
from collections import Counter, defaultdict

from longloom.synthesis.documents.building import Mark, Reading
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.quantities import parse_quantity, plain
from longloom.synthesis.facts.relation import EntityKind, Relation
from longloom.synthesis.facts.tables import column_slug, parse_date

KINDS: tuple[EntityKind, ...] = (EntityKind(name="page", plural="pages", is_document=True),)

RELATIONS: tuple[Relation, ...] = (
    Relation(
        name="page.links_to",
        subject_kind="page",
        value_kind="page",
        question="Which topic does the page on {x} mention?",
        noun="a topic mentioned on the page on {x}",
        clause="that mentions {v}",
        is_functional=False,
    ),
)

PREFIX = "infobox."
"""Prefix of the open family of infobox rows."""

_MAX_VALUE_CHARACTERS = 100
_YEAR = re.compile(r"(?:1[0-9]|20)\d\d")
_COUNT_LABEL = re.compile(
    r"popul|area|length|height|elevation|depth|width|capacity|attendance|seats|number|no\.|total|"
    r"students|members|employees|enrol|speed|power|weight|displacement|density|circulation|runs|"
    r"points|goals|caps|rank|episodes|pages|matches|games|wins|losses|strength|size",
    re.IGNORECASE,
)
_NOT_ASKED = frozenset({"website", "url", "homepage"})
_BRACKETED_TAIL = re.compile(r"\s*[(;].*$", re.DOTALL)
_DATE_LIKE = re.compile(r"(?:\d{1,2} )?[A-Z][a-z]+ \d{1,4}|\d{4}.*")


def extract(reading: Reading) -> list[Fact]:
    """Return the facts of an encyclopedia page; none for any other document."""
    if reading.document.genre != "encyclopedia":
        return []
    links = [mark for mark in reading.marks if mark.name == "link"]
    rows = [mark for mark in reading.marks if mark.name == "infobox"]
    return [*_infobox_facts(reading, rows, links), *_link_facts(reading, links)]


def relation_for(fact: Fact) -> Relation:
    """Return how to word the infobox row a fact belongs to."""
    return Relation(
        name=fact.relation,
        subject_kind="page",
        value_kind=fact.value_kind,
        question=f'What does the infobox of {{x}} give as "{fact.label}"?',
        noun=f'the "{fact.label}" in the infobox of {{x}}',
        clause=f'whose infobox gives {{v}} as "{fact.label}"',
    )


def _infobox_facts(reading: Reading, rows: list[Mark], links: list[Mark]) -> list[Fact]:
    sections: dict[str, set[str]] = defaultdict(set)
    for mark in rows:
        sections[mark.attributes["label"]].add(mark.attributes["section"])
    targets = {(mark.start, mark.end): mark.attributes["target"] for mark in links}
    labels = []
    for mark in rows:
        label, section = mark.attributes["label"], mark.attributes["section"]
        is_shared = len(sections[label]) > 1 and section
        labels.append(f"{section}: {label}" if is_shared else label)
    counts = Counter(column_slug(label) for label in labels)
    facts = []
    for mark, label in zip(rows, labels, strict=True):
        is_askable = any(map(str.isalpha, label)) and label.lower() not in _NOT_ASKED
        if counts[column_slug(label)] == 1 and is_askable and not _is_row_of_table(reading, mark):
            facts += _row_facts(reading, mark, label, targets)
    return facts


def _is_row_of_table(reading: Reading, mark: Mark) -> bool:
    """Return whether the row has further cells, as standings that stand in an infobox do."""
    text = reading.document.text
    end = text.find("\n", mark.end)
    return " | " in text[mark.end : end if end >= 0 else len(text)]


def _row_facts(
    reading: Reading, mark: Mark, label: str, targets: dict[tuple[int, int], str]
) -> list[Fact]:
    """Return the fact of a row; none if its value is a list or too long to be asked for."""
    text = reading.document.text[mark.start : mark.end]
    value, kind, unit, scale, num_characters = _normalised(label, text)
    if kind == "text":
        target = targets.get((mark.start, mark.end), "")
        if target.casefold() == text.casefold():
            value, kind = target, "page"
        elif ";" in text or len(text) > _MAX_VALUE_CHARACTERS or not text[0].isalnum():
            return []
    subject = reading.document.title
    if value.casefold() == subject.casefold():
        return []
    fact = Fact(
        subject=subject,
        relation=PREFIX + column_slug(label),
        value=value,
        value_kind=kind,
        subject_kind="page",
        doc_id=reading.document.doc_id,
        start=mark.start,
        end=mark.start + num_characters,
        certainty=1,
        label=label,
        unit=unit,
        scale=scale,
    )
    return [fact]


def _normalised(label: str, text: str) -> tuple[str, str, str, int, int]:
    """Return value, kind, unit, scale and the number of characters that show them.

    `644.83 sq mi (1,670 km2)` is a number in square miles; what is in brackets says it again.
    """
    head = _BRACKETED_TAIL.sub("", text)
    if ";" in text[len(head) :]:
        return text, "text", "", 0, len(text)
    # `Turned pro | 2002` is a year whatever its label; only what is counted may look like one.
    is_year = _YEAR.fullmatch(head) and not _COUNT_LABEL.search(label)
    date = head if is_year else parse_date(head)
    if date:
        return date, "date", "", 0, len(head)
    quantity = parse_quantity(head)
    if quantity is not None:
        value = plain(quantity.magnitude.scaleb(quantity.scale))
        return value, "number", quantity.unit, quantity.scale, len(head)
    return text, "text", "", 0, len(text)


def _link_facts(reading: Reading, links: list[Mark]) -> list[Fact]:
    """Return one fact for every page that is named in full where it is linked.

    Names of one word are left out: a text may well use the word without linking it, and whoever
    reads sees words, not links.
    """
    text = reading.document.text
    seen = {reading.document.title.casefold()}
    facts = []
    for mark in links:
        target = mark.attributes["target"]
        folded = target.casefold()
        is_name = " " in target and text[mark.start].isupper() and not _DATE_LIKE.fullmatch(target)
        if folded in seen or not is_name or text[mark.start : mark.end].casefold() != folded:
            continue
        seen.add(folded)
        fact = Fact(
            subject=reading.document.title,
            relation="page.links_to",
            value=target,
            value_kind="page",
            subject_kind="page",
            doc_id=reading.document.doc_id,
            start=mark.start,
            end=mark.end,
            certainty=1,
        )
        facts.append(fact)
    return facts
