"""Facts of guidelines in numbered sections (NIST SP 800-63): headings, references, definitions.

A section is called `SP 800-63B, Section 5.1.1`. A reference counts if it is a link, so that the
publication it leads into is known, or if its sentence names none; numbers are taken only where a
section states one of their kind.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from longloom.records import BlockKind, Document
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.relation import EntityKind, Relation

KINDS: tuple[EntityKind, ...] = (
    EntityKind(name="guideline section", plural="guideline sections"),
    EntityKind(name="publication", plural="publications"),
    EntityKind(name="glossary term", plural="glossary terms"),
)

RELATIONS: tuple[Relation, ...] = (
    Relation(
        name="guideline.section_title",
        subject_kind="guideline section",
        value_kind="text",
        question="What is the heading of {x}?",
        noun="the heading of {x}",
        clause="headed {v}",
        is_key=True,
    ),
    Relation(
        name="guideline.refers_to",
        subject_kind="guideline section",
        value_kind="guideline section",
        question="Which section of the guidelines does {x} refer to?",
        noun="the section that {x} refers to",
        clause="that refer to {v}",
        is_functional=False,
    ),
    Relation(
        name="guideline.cites",
        subject_kind="guideline section",
        value_kind="publication",
        question="Which publication does {x} cite in square brackets?",
        noun="the publication that {x} cites in square brackets",
        clause="that cite {v}",
        is_functional=False,
    ),
    Relation(
        name="guideline.minimum_characters",
        subject_kind="guideline section",
        value_kind="number",
        question='How many characters does {x} ask for as a minimum ("at least")?',
        noun="the least number of characters in {x}",
        clause="that ask for at least {v} characters",
    ),
    Relation(
        name="guideline.minimum_bits",
        subject_kind="guideline section",
        value_kind="number",
        question='How many bits does {x} ask for as a minimum ("at least")?',
        noun="the least number of bits in {x}",
        clause="that ask for at least {v} bits",
    ),
    Relation(
        name="guideline.definition",
        subject_kind="glossary term",
        value_kind="text",
        question="How do the definitions explain {x}?",
        noun="the definition of {x}",
        clause="defined as {v}",
    ),
)

_HEADING = re.compile(r"\s*(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+(\S[^\n]{1,120})")
_PUBLICATION = re.compile(r"SP 800-\d+[A-Z]?(?:-\d)?")
_LINK_SECTION = re.compile(r"Section\s+(\d{1,2}(?:\.\d{1,2}){0,4})\b")
_TARGET_FILE = re.compile(r"(?:^|/)sp(800-\d+[a-z]?(?:-\d)?)\.html", re.IGNORECASE)
_CITED = re.compile(r"\[([A-Z][\w ./\-]{1,40})\]")
_AT_LEAST = re.compile(r"\bat least (\d{1,4})[- ](characters|bits)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    """A numbered section, from its heading to the next heading."""

    number: str
    title: str
    title_start: int
    start: int
    end: int


def extract(reading: Reading) -> list[Fact]:
    """Return the facts of a chapter of a guideline; none for other documents."""
    document = reading.document
    publication = _PUBLICATION.match(document.title)
    if document.genre != "guideline" or publication is None:
        return []
    sections = _sections(document)
    found: list[Fact] = []
    for section in sections:
        subject = f"{publication.group()}, Section {section.number}"
        title_span = (section.title_start, section.title_start + len(section.title))
        found.append(_fact(document, subject, "section_title", section.title, "text", title_span))
        found += _minimum_facts(document, subject, section)
    found += _link_facts(reading, publication.group(), sections)
    return found + list(_definition_facts(document))


def _sections(document: Document) -> list[_Section]:
    """Return the sections whose number stands once in the document, in order."""
    headings = [block for block in document.blocks if block.kind is BlockKind.HEADING]
    ends = [block.start for block in headings[1:]] + [len(document.text)]
    found: list[_Section] = []
    for block, end in zip(headings, ends[: len(headings)], strict=True):
        match = _HEADING.match(document.text, block.start, block.end)
        if match:
            found.append(
                _Section(
                    number=match.group(1),
                    title=match.group(2).strip(),
                    title_start=match.start(2),
                    start=block.start,
                    end=end,
                )
            )
    numbers = [section.number for section in found]
    return [section for section in found if numbers.count(section.number) == 1]


def _minimum_facts(document: Document, subject: str, section: _Section) -> Iterator[Fact]:
    matches = list(_AT_LEAST.finditer(document.text, section.start, section.end))
    for unit in ("characters", "bits"):
        of_unit = [match for match in matches if match.group(2) == unit]
        if len({match.group(1) for match in of_unit}) == 1:
            match = of_unit[0]
            yield _fact(
                document, subject, f"minimum_{unit}", match.group(1), "number", match.span(1), unit
            )


def _link_facts(reading: Reading, publication: str, sections: list[_Section]) -> Iterator[Fact]:
    """Yield references and citations, each once for a section."""
    document = reading.document
    starts = [section.start for section in sections]
    seen: set[tuple[str, str, str]] = set()
    for mark in reading.marks:
        if mark.name != "link":
            continue
        place = bisect_right(starts, mark.start) - 1
        if place < 0 or mark.start >= sections[place].end:
            continue
        number = sections[place].number
        subject = f"{publication}, Section {number}"
        shown = document.text[mark.start : mark.end]
        target = mark.attributes.get("target", "")
        fact = _reference(document, subject, publication, shown, target, mark.start)
        if fact and fact.value != subject and (subject, fact.relation, fact.value) not in seen:
            seen.add((subject, fact.relation, fact.value))
            yield fact


def _reference(
    document: Document, subject: str, publication: str, shown: str, target: str, start: int
) -> Fact | None:
    section = _LINK_SECTION.match(shown)
    if section:
        into = _TARGET_FILE.search(target)
        if not into and not target.startswith("#"):
            return None
        named = f"SP {into.group(1).upper()}" if into else publication
        value = f"{named}, Section {section.group(1)}"
        span = (start + section.start(1), start + section.end(1))
        return _fact(document, subject, "refers_to", value, "guideline section", span)
    cited = _CITED.fullmatch(shown)
    if cited:
        span = (start + cited.start(1), start + cited.end(1))
        return _fact(document, subject, "cites", cited.group(1), "publication", span)
    return None


def _definition_facts(document: Document) -> Iterator[Fact]:
    """Yield the entries of a glossary: a heading without number and one paragraph below it."""
    if "efinitions" not in document.title:
        return
    blocks = document.blocks
    for place in range(len(blocks) - 1):
        heading, body = blocks[place], blocks[place + 1]
        ends = place + 2 >= len(blocks) or blocks[place + 2].kind is BlockKind.HEADING
        is_entry = heading.kind is BlockKind.HEADING and body.kind is BlockKind.PARAGRAPH and ends
        term = document.text[heading.start : heading.end].strip()
        meaning = document.text[body.start : body.end]
        if is_entry and heading.level == 4 and 20 <= len(meaning) <= 400:
            span = (body.start, body.end)
            subject = f'the term "{term}"'
            yield _fact(document, subject, "definition", meaning, "text", span, term=term)


def _fact(
    document: Document,
    subject: str,
    name: str,
    value: str,
    value_kind: str,
    span: tuple[int, int],
    unit: str = "",
    term: str = "",
) -> Fact:
    return Fact(
        subject=subject,
        relation=f"guideline.{name}",
        value=value,
        value_kind=value_kind,
        subject_kind="glossary term" if term else "guideline section",
        doc_id=document.doc_id,
        start=span[0],
        end=span[1],
        certainty=1 if value_kind in {"guideline section", "publication"} else 2,
        label=term,
        unit=unit,
    )
