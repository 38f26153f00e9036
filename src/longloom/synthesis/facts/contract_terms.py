"""The terms of an agreement that one sentence states: law, duration, renewal, notice, cure."""

import re
from collections.abc import Iterator

from longloom.records import BlockKind, Document
from longloom.synthesis.facts.fact import Fact

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
DATE = (
    rf"(?:{_MONTH}\s+{_DAY},?\s+\d{{4}}|{_DAY}\s+(?:day\s+of\s+)?{_MONTH},?\s+\d{{4}}"
    rf"|\d{{4}}-\d{{2}}-\d{{2}})"
)
"""Pattern of a date with a day, in words or ISO; to be used ignoring case, without groups."""
_DATE_PARTS = re.compile(r"\d+|[A-Za-z]{3,}")
_NUMBER_WORDS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "twelve": 12,
    "fifteen": 15,
    "eighteen": 18,
    "twenty": 20,
    "thirty": 30,
    "forty-five": 45,
    "sixty": 60,
    "ninety": 90,
    "one hundred eighty": 180,
}
_WORD = "|".join(sorted(_NUMBER_WORDS, key=len, reverse=True))
_COUNT = rf"(?:(?:{_WORD})\s*\(\s*\d{{1,3}}\s*\)|(?:{_WORD})|\d{{1,3}})"
_UNIT = r"(?:years?|months?|days?)"
_DURATION = re.compile(rf"\b({_COUNT})[\s-]+(?:calendar\s+|consecutive\s+)?({_UNIT})\b", re.I)
_SENTENCE = re.compile(r"(?<=[.;])\s+(?=[\"“(A-Z0-9])")
_MAX_SENTENCE = 900

_LAW = re.compile(
    r"(?:governed\s+by|construed\s+(?:in\s+accordance\s+with|under)|in\s+accordance\s+with)"
    r"[^.;]{0,120}?\blaws?\s+of\s+(?:the\s+)?(?:(?:State|Commonwealth|Province|Republic)\s+of\s+)?"
    r"(England\s+and\s+Wales|United\s+States|[A-Z][a-z]+(?:\s+(?!and\b|or\b|State\b)[A-Z][a-z]+)?)"
)
_NOT_A_PLACE = frozenset(
    {"State", "Country", "Jurisdiction", "Territory", "Licensee", "United States"}
)
_TERM_SUBJECT = re.compile(
    r"\b(?:initial\s+term|term\s+of\s+this\s+agreement|term\s+of\s+the\s+agreement"
    r"|this\s+agreement\s+(?:shall|will)\s+(?:continue|remain|be\s+in\s+effect|be\s+effective)"
    r"|the\s+term\s+(?:shall|will)\s+(?:be|continue|commence|begin))",
    re.IGNORECASE,
)
_TERM_DURATION = re.compile(
    rf"\b(?:period|term|effect|duration|continue|remain)\s+(?:of|for|is|be|in\s+effect\s+for)?\s*"
    rf"(?:a\s+|an\s+)?(?:initial\s+)?(?:period\s+of\s+|term\s+of\s+|for\s+|be\s+|shall\s+be\s+)*"
    rf"(?:a\s+)?(?:period\s+of\s+)?({_COUNT})[\s-]+(years?|months?)\b",
    re.IGNORECASE,
)
_RENEWAL = re.compile(
    rf"\brenew(?:ed|s|able)?\b[^.;]{{0,100}}?\b(?:additional|successive|consecutive|further|renewal)"
    rf"\b[^.;\d]{{0,40}}?({_COUNT})[\s-]+(years?|months?)\b",
    re.IGNORECASE,
)
_RENEWS_ITSELF = re.compile(
    r"\bautomatic|\b(?:shall|will)\s+(?:then\s+|thereafter\s+)?(?:be\s+)?(?:extended|renew)",
    re.IGNORECASE,
)
_WITHOUT_CAUSE = re.compile(
    r"\b(?:without\s+cause|for\s+(?:its\s+)?convenience|for\s+any\s+(?:or\s+no\s+)?reason"
    r"|for\s+no\s+reason|with\s+or\s+without\s+cause|at\s+its\s+sole\s+discretion)",
    re.IGNORECASE,
)
_NOTICE = re.compile(
    rf"({_COUNT})[\s-]+(?:calendar\s+)?days?['\u2019]?\s*(?:prior\s+|advance\s+|written\s+|prior,?\s+)*"
    rf"notice\b",
    re.IGNORECASE,
)
_CURE = re.compile(
    rf"\b(?:cured?|remed(?:y|ied)|uncured)\b[^.;\d]{{0,80}}?\bwithin\s+(?:a\s+period\s+of\s+)?"
    rf"({_COUNT})[\s-]+(?:calendar\s+)?days?\b",
    re.IGNORECASE,
)


def iso_date(words: str) -> str:
    """Return a date in words as ISO, or nothing if it is none: `May 6, 2019` -> `2019-05-06`."""
    numbers: list[str] = []
    month = 0
    for part in _DATE_PARTS.findall(words):
        if part.isdigit():
            numbers.append(part)
            continue
        named = [n for n, name in enumerate(_MONTHS, 1) if name == part.lower()[:3]]
        month = month or (named[0] if named and part.lower() != "day" else 0)
    if len(numbers) == 3 and len(numbers[0]) == 4:
        year, month, day = int(numbers[0]), int(numbers[1]), int(numbers[2])
    elif len(numbers) == 2 and month:
        day, year = int(numbers[0]), int(numbers[1])
    else:
        return ""
    is_date = 1 <= month <= 12 and 1 <= day <= 31 and 1900 <= year <= 2100
    return f"{year:04}-{month:02}-{day:02}" if is_date else ""


def term_facts(document: Document) -> Iterator[Fact]:
    """Yield what single sentences state of the agreement's terms."""
    for block in document.blocks:
        if block.kind is not BlockKind.PARAGRAPH:
            continue
        text = document.text[block.start : block.end]
        place = 0
        for sentence in _SENTENCE.split(text):
            start = text.find(sentence, place)
            place = start + len(sentence)
            if len(sentence) <= _MAX_SENTENCE:
                yield from _sentence_facts(document, sentence, block.start + start)


def _sentence_facts(document: Document, sentence: str, shift: int) -> Iterator[Fact]:
    """Yield what one sentence states; durations only where they are the only ones."""
    law = _LAW.search(sentence)
    if law and "conflict" not in law.group()[:40] and law.group(1) not in _NOT_A_PLACE:
        place = " ".join(law.group(1).split())
        yield _fact(document, "governing_law", place, "jurisdiction", law.span(1), shift)
    num_durations = len({counted(match.group(1)) for match in _DURATION.finditer(sentence)})
    if num_durations != 1:
        return
    term = _TERM_DURATION.search(sentence)
    renewal = _RENEWAL.search(sentence)
    if term and not renewal and _TERM_SUBJECT.search(sentence):
        value = _duration(term.group(1), term.group(2))
        yield _fact(document, "term", value, "text", (term.start(1), term.end(2)), shift)
    # A right to renew is no renewal: the question asks for how long an agreement renews itself.
    if renewal and _RENEWS_ITSELF.search(sentence):
        value = _duration(renewal.group(1), renewal.group(2))
        yield _fact(document, "renewal", value, "text", (renewal.start(1), renewal.end(2)), shift)
    notice = _NOTICE.search(sentence)
    if notice and "terminat" in sentence and _WITHOUT_CAUSE.search(sentence):
        days = str(counted(notice.group(1)))
        yield _fact(document, "notice_days", days, "number", notice.span(1), shift)
    cure = _CURE.search(sentence)
    if cure and "terminat" in sentence and "breach" in sentence:
        days = str(counted(cure.group(1)))
        yield _fact(document, "cure_days", days, "number", cure.span(1), shift)


def counted(words: str) -> int:
    """Return the number in `thirty (30)`, `thirty` or `30`; -1 if it is none."""
    digits = re.search(r"\d+", words)
    if digits:
        return int(digits.group())
    return _NUMBER_WORDS.get(" ".join(words.lower().split()), -1)


def _duration(count: str, unit: str) -> str:
    number = counted(count)
    singular = unit.lower().rstrip("s")
    return f"{number} {singular}" if number == 1 else f"{number} {singular}s"


def _fact(
    document: Document, name: str, value: str, value_kind: str, span: tuple[int, int], shift: int
) -> Fact:
    return Fact(
        subject=document.title,
        relation=f"contract.{name}",
        value=value,
        value_kind=value_kind,
        subject_kind="agreement",
        doc_id=document.doc_id,
        start=span[0] + shift,
        end=span[1] + shift,
        certainty=2,
        unit="days" if value_kind == "number" else "",
    )
