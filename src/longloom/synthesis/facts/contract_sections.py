"""The sections of an agreement: headings, references, definitions and amounts.

A section is a block, or a run of blocks, that begins with its number. A number that stands twice
with different headings (an exhibit that numbers anew) belongs to no section and is left out, and so
are lines of a table of contents.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from longloom.records import BlockKind, Document
from longloom.synthesis.facts.fact import Fact

_HEAD = re.compile(
    r"(?:Section\s+|SECTION\s+)?(\d{1,2}(?:\.\d{1,2}){0,3})\.?\s+"
    r"([A-Z][^.:;\n\"“]{2,70}?)(?:[.:](?=\s|$)|$)"
)
_NUMBER_ALONE = re.compile(r"(?:Section\s+|SECTION\s+)?(\d{1,2}(?:\.\d{1,2}){1,3})\.?\s+\S")
_MAJOR = re.compile(r"(?:(?:ARTICLE|Article)\s+([IVXLC]{1,7}|\d{1,2})\b|(\d{1,2})\.\s+[A-Z])")
_CONTENTS_LINE = re.compile(r"(?:\.\s?){4,}|\s\d{1,3}$")
_NUMBER = r"\d{1,2}(?:\.\d{1,2}){0,3}"
_REFERENCE = re.compile(
    rf"\bSections?\s+{_NUMBER}(?:\([a-zA-Z0-9]{{1,4}}\))*"
    rf"(?:(?:,\s*(?:and\s+|or\s+)?|\s+(?:and|or|through)\s+){_NUMBER}(?:\([a-zA-Z0-9]{{1,4}}\))*)*"
    r"(?!\s+(?:of|to|under)\s+(?:the|that|such|its|an?|Regulation|Title)\s)(?![\w.]*\d)"
)
_EACH_NUMBER = re.compile(rf"(?<![(\d.]){_NUMBER}\b")
_AMOUNT = re.compile(
    r"(?:US|U\.S\.\s?)?\$\s?(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?![\d,]*\d)(\s+(?:million|billion))?"
)
_DEFINITION = re.compile(
    r"[\"“]([A-Z][^\"“”\n]{1,60}?)[\"”](?:\s+or\s+[\"“][^\"“”\n]{1,60}[\"”])?\s*"
    r"(?:shall\s+mean|means|refers\s+to|has\s+the\s+meaning|shall\s+have\s+the\s+meaning)\b[:,]?\s*"
)
_SENT_TO = re.compile(
    r"(?:set\s+forth|given|ascribed|assigned|provided|defined|specified|stated)?[^.;]{0,60}?"
    r"\b(Section\s+\d{1,2}(?:\.\d{1,2}){1,3})\b"
)
_SENTENCE_END = re.compile(r"[.;](?=\s|$)|\n")
_MAX_MEANING = 320
_MIN_AMOUNT = 10  # smaller ones are par values and list marks
_MAX_SECTION = 15_000  # longer ones run on into schedules without numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A numbered section of an agreement."""

    number: str
    """`4.2`."""
    title: str
    """Its heading; empty if it has none."""
    title_start: int
    """First character of the heading."""
    start: int
    """First character of the section."""
    end: int
    """One past its last character."""


def section_facts(document: Document) -> list[Fact]:
    """Return what the sections of an agreement state."""
    sections = sections_of(document)
    numbers = {section.number for section in sections}
    found: list[Fact] = []
    for section in sections:
        if section.title:
            span = (section.title_start, section.title_start + len(section.title))
            title = " ".join(section.title.split())
            found.append(_section_fact(document, section, "section_title", title, "text", span))
        if section.end - section.start <= _MAX_SECTION:
            found += _reference_facts(document, section, numbers)
            found += _amount_facts(document, section)
    return found + list(_definition_facts(document, sections, numbers))


def sections_of(document: Document) -> list[Section]:
    """Return the sections whose number is not ambiguous, in order."""
    text = document.text
    begun: list[tuple[str, str, int, int]] = []
    for block in document.blocks:
        if block.kind not in {BlockKind.HEADING, BlockKind.PARAGRAPH}:
            continue
        line = text[block.start : min(block.end, block.start + 200)]
        first_line = line.split("\n", 1)[0]
        head = _HEAD.match(first_line)
        if _CONTENTS_LINE.search(first_line[:120] if head is None else head.group()):
            continue
        if head and len(head.group(2).split()) <= 9:
            begun.append((head.group(1), head.group(2), block.start + head.start(2), block.start))
        elif bare := _NUMBER_ALONE.match(first_line):
            begun.append((bare.group(1), "", block.start, block.start))
        elif _MAJOR.match(first_line):
            begun.append(("", "", block.start, block.start))
    ends = [start for _, _, _, start in begun[1:]] + [len(text)][: len(begun)]
    counts: dict[str, int] = {}
    for number, *_ in begun:
        counts[number] = counts.get(number, 0) + 1
    return [
        Section(number=number, title=title, title_start=title_start, start=start, end=end)
        for (number, title, title_start, start), end in zip(begun, ends, strict=True)
        if number and counts[number] == 1
    ]


def section_name(document: Document, number: str) -> str:
    """Return how a section is called outside of its agreement."""
    return f"Section {number} of the {document.title}"


def _reference_facts(document: Document, section: Section, numbers: set[str]) -> list[Fact]:
    found: dict[str, Fact] = {}
    text = document.text
    for match in _REFERENCE.finditer(text, section.start, section.end):
        for named in _EACH_NUMBER.finditer(text, match.start(), match.end()):
            number = named.group()
            is_own = f"{section.number}.".startswith(f"{number}.")
            if number not in numbers or is_own or number in found:
                continue
            name = section_name(document, number)
            found[number] = _section_fact(
                document, section, "section_refers", name, "section", named.span()
            )
    return list(found.values())


def _amount_facts(document: Document, section: Section) -> list[Fact]:
    """Return the amount of a section that states exactly one."""
    matches = list(_AMOUNT.finditer(document.text, section.start, section.end))
    if len(matches) != 1:
        return []
    whole, cents, scale = matches[0].groups()
    power = 0 if not scale else 6 if "million" in scale else 9
    value = _scaled(whole.replace(",", ""), (cents or "").strip("."), power)
    if float(value) < _MIN_AMOUNT:
        return []
    fact = _section_fact(
        document, section, "section_amount", value, "number", matches[0].span(), unit="USD"
    )
    return [fact]


def _scaled(whole: str, cents: str, power: int) -> str:
    """Return a plain decimal: `2`, `5`, 6 -> `2500000`."""
    part = cents.ljust(power, "0")
    shown = (whole + part[:power]).lstrip("0") or "0"
    rest = part[power:].rstrip("0")
    return f"{shown}.{rest}" if rest else shown


def _definition_facts(
    document: Document, sections: list[Section], numbers: set[str]
) -> Iterator[Fact]:
    """Yield definitions, and where a definition only sends on to a section, that section."""
    text = document.text
    terms: dict[str, int] = {}
    matches = list(_DEFINITION.finditer(text))
    for match in matches:
        terms[match.group(1)] = terms.get(match.group(1), 0) + 1
    for match in matches:
        term = " ".join(match.group(1).split()).rstrip(",")
        if terms[match.group(1)] > 1:
            continue
        end = _SENTENCE_END.search(text, match.end())
        meaning_end = end.start() if end else len(text)
        if "meaning" in match.group():
            yield from _sent_on(document, term, (match.end(), meaning_end), numbers)
        elif 20 <= meaning_end - match.end() <= _MAX_MEANING:
            yield Fact(
                subject=document.title,
                relation="contract.definition",
                value=" ".join(text[match.end() : meaning_end].split()),
                value_kind="text",
                subject_kind="agreement",
                doc_id=document.doc_id,
                start=match.end(),
                end=meaning_end,
                certainty=2,
                label=term,
                qualifiers=_in_section(sections, match.start()),
            )


def _sent_on(
    document: Document, term: str, span: tuple[int, int], numbers: set[str]
) -> Iterator[Fact]:
    match = _SENT_TO.match(document.text, span[0], min(len(document.text), span[0] + 140))
    if match is None:
        return
    number = match.group(1).split()[-1]
    if number not in numbers:
        return
    yield Fact(
        subject=f'the term "{term}" in the {document.title}',
        relation="contract.term_section",
        value=section_name(document, number),
        value_kind="section",
        subject_kind="defined term",
        doc_id=document.doc_id,
        start=match.end(1) - len(number),
        end=match.end(1),
        certainty=2,
    )


def _in_section(sections: list[Section], place: int) -> tuple[tuple[str, str], ...]:
    for section in sections:
        if section.start <= place < section.end:
            return (("section", section.number),)
    return ()


def _section_fact(
    document: Document,
    section: Section,
    name: str,
    value: str,
    value_kind: str,
    span: tuple[int, int],
    unit: str = "",
) -> Fact:
    return Fact(
        subject=section_name(document, section.number),
        relation=f"contract.{name}",
        value=value,
        value_kind=value_kind,
        subject_kind="section",
        doc_id=document.doc_id,
        start=span[0],
        end=span[1],
        certainty=2,
        unit=unit,
    )
