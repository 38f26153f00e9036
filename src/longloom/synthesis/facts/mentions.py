"""Mentions of names in the chapters of a book, and quoted speech with its speaker.

A mention is the appearance of exact words: `Darcy` is mentioned wherever that word stands, within
`Mr. Darcy` and `Miss Darcy` too, and in `Darcy's`. So that first mentions and counts are right,
every capitalised word that may be a name is taken; the qualifier `stands = alone` tells where a
name stands in the middle of a sentence and in no longer name, which shows that it is one.
Speech is taken where the paragraph itself names who speaks: `"...," said Mr. Darcy`.
"""

import re
from collections.abc import Iterator

from longloom.records import BlockKind
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.name_words import NO_NAMES, TITLES
from longloom.synthesis.facts.relation import EntityKind, Relation

KINDS: tuple[EntityKind, ...] = (
    EntityKind(name="chapter", plural="chapters", is_document=True),
    EntityKind(name="book", plural="books"),
    EntityKind(name="name", plural="names"),
    EntityKind(name="quotation", plural="quotations"),
    EntityKind(name="person", plural="people"),
)


def _relation(name: str, value_kind: str, question: str, noun: str, clause: str) -> Relation:
    return Relation(
        name=f"chapter.{name}",
        subject_kind="quotation" if name == "speaker" else "chapter",
        value_kind=value_kind,
        question=question,
        noun=noun,
        clause=clause,
        is_functional=name not in {"mentions", "says"},
        is_key=name in {"number", "title"},
    )


RELATIONS: tuple[Relation, ...] = (
    _relation("book", "book", "Which book is {x} of?", "the book of {x}", "of {v}"),
    _relation("author", "person", "Who wrote {x}?", "the author of {x}", "by {v}"),
    _relation(
        "number", "number", "What is the number of {x}?", "the number of {x}", "numbered {v}"
    ),
    _relation("title", "text", "What is the title of {x}?", "the title of {x}", "titled {v}"),
    _relation(
        "mentions", "name", "Which name does {x} mention?", "a name in {x}", "that mention {v}"
    ),
    _relation(
        "says", "quotation", "What is said in {x}?", "something said in {x}", "in which {v} is said"
    ),
    _relation("speaker", "name", "Who says {x}?", "the speaker of {x}", "spoken by {v}"),
)

_ABBREVIATION = r"(?:Mr|Mrs|Dr|St|Messrs|Mme|Mlle)\."
_WORD = r"(?:[A-Z]['\u2019])?[A-Z][a-zà-ÿ]+(?:[A-Z][a-zà-ÿ]+)?(?:-[A-Z][a-zà-ÿ]+)*"
_RUN = re.compile(
    rf"(?<![\w\u2019'])(?:{_ABBREVIATION} )*{_WORD}"
    rf"(?: (?:{_ABBREVIATION} )?{_WORD}){{0,3}}(?![\w-])"
)
_PIECE = re.compile(rf"{_ABBREVIATION}|{_WORD}")
_BEGINNING = re.compile(r"(?:^|[.!?…]['\u2019”\")\]]*\s|[“\u2018\"(\[]|\n)$")
_LOWER = re.compile(r"(?<![\w\u2019'])[a-z]{2,}(?![\w])")
_NAME = rf"(?:{_ABBREVIATION} )?{_WORD}(?: (?:{_ABBREVIATION} )?{_WORD}){{0,2}}"
_VERBS = "said|cried|replied|answered|asked|returned|remarked|observed|exclaimed"
_SPEECH = re.compile(
    rf"“([^“”\n]{{20,300}}?),?”,? (?:{_VERBS}) ({_NAME})(?=[,.;:]| (?:{_VERBS}|with|in|at|to|as)\b)"
)


def extract(reading: Reading) -> list[Fact]:
    """Return the facts of a chapter; none for other documents."""
    if reading.document.genre != "novel":
        return []
    return [*_header_facts(reading), *_mention_facts(reading), *_speech_facts(reading)]


def _header_facts(reading: Reading) -> Iterator[Fact]:
    kinds = {"book": "book", "author": "person", "number": "number", "title": "text"}
    for mark in reading.marks:
        field = mark.attributes.get("field", "")
        if mark.name == "header" and field in kinds:
            shown = reading.document.text[mark.start : mark.end]
            yield _fact(reading, field, shown, kinds[field], (mark.start, mark.end), certainty=1)


def _mention_facts(reading: Reading) -> Iterator[Fact]:
    """Yield every appearance of every name, by place."""
    text = reading.document.text
    runs = list(_runs(reading))
    ordinary = set(_LOWER.findall(text))
    inner = {piece for _, pieces, begins in runs for piece in pieces[1 if begins else 0 :]}
    num_mentions: dict[str, int] = {}
    for start, pieces, begins in runs:
        first = pieces[0]
        may_be_ordinary = begins and first not in TITLES and first not in inner
        if may_be_ordinary and first.lower() in ordinary:
            start, pieces, begins = start + len(first) + 1, pieces[1:], False
        for name, place, is_whole in _names_within(pieces, start):
            num_mentions[name] = num_mentions.get(name, 0) + 1
            yield _fact(
                reading,
                "mentions",
                name,
                "name",
                (place, place + len(name)),
                position=num_mentions[name],
                qualifiers=(("stands", "alone"),) if is_whole and not begins else (),
            )


def _runs(reading: Reading) -> Iterator[tuple[int, list[str], bool]]:
    """Yield runs of capitalised words: start, words, and whether a sentence begins there."""
    text = reading.document.text
    for block in reading.document.blocks:
        if block.kind is BlockKind.HEADING:
            continue
        for match in _RUN.finditer(text, block.start, block.end):
            begins = match.start() == block.start or bool(
                _BEGINNING.search(text[max(block.start, match.start() - 4) : match.start()])
            )
            start = match.start()
            pieces = _PIECE.findall(match.group())
            while pieces and pieces[0] in NO_NAMES:
                start += len(pieces[0]) + 1
                pieces, begins = pieces[1:], False
            while pieces and pieces[-1] in NO_NAMES:
                pieces = pieces[:-1]
            if pieces:
                yield start, pieces, begins


def _names_within(pieces: list[str], start: int) -> Iterator[tuple[str, int, bool]]:
    """Yield the names in a run of words: name, place, whether it is the whole run."""
    place = start
    for first in range(len(pieces)):
        for last in range(first + 1, len(pieces) + 1):
            words = pieces[first:last]
            is_title_alone = last - first == 1 and words[0] in TITLES
            if not is_title_alone and words[-1] not in TITLES and words[-1][-1] != ".":
                yield " ".join(words), place, last - first == len(pieces)
        place += len(pieces[first]) + 1


def _speech_facts(reading: Reading) -> Iterator[Fact]:
    """Yield quotations that stand once in the chapter, each with its speaker."""
    text = reading.document.text
    for block in reading.document.blocks:
        for match in _SPEECH.finditer(text, block.start, block.end):
            quotation, speaker = match.group(1).rstrip(", "), match.group(2)
            pieces = _PIECE.findall(speaker)
            is_name = pieces[0] not in NO_NAMES and pieces[-1] not in TITLES | NO_NAMES
            if not is_name or text.count(quotation) > 1:
                continue
            begin = match.start(1)
            yield _fact(reading, "says", quotation, "quotation", (begin, begin + len(quotation)))
            yield _fact(reading, "speaker", speaker, "name", match.span(2), subject=quotation)


def _fact(
    reading: Reading,
    name: str,
    value: str,
    value_kind: str,
    span: tuple[int, int],
    *,
    certainty: int = 2,
    position: int = 0,
    qualifiers: tuple[tuple[str, str], ...] = (),
    subject: str = "",
) -> Fact:
    document = reading.document
    return Fact(
        subject=subject or document.title,
        relation=f"chapter.{name}",
        value=value,
        value_kind=value_kind,
        subject_kind="quotation" if subject else "chapter",
        doc_id=document.doc_id,
        start=span[0],
        end=span[1],
        certainty=certainty,
        position=position,
        qualifiers=qualifiers,
    )
