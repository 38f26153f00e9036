"""Facts of Python Enhancement Proposals: their header lines, and which PEPs their body names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from longloom.synthesis.documents.building import Reading
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.relation import EntityKind, Relation

KINDS: tuple[EntityKind, ...] = (
    EntityKind(name="PEP", plural="PEPs", is_document=True),
    EntityKind(name="person", plural="people"),
)


def _relation(
    name: str,
    value_kind: str,
    wording: tuple[str, str, str],
    *,
    is_functional: bool = True,
    is_key: bool = False,
) -> Relation:
    question, noun, clause = wording
    return Relation(
        name=f"pep.{name}",
        subject_kind="PEP",
        value_kind=value_kind,
        question=question,
        noun=noun,
        clause=clause,
        is_functional=is_functional,
        is_key=is_key,
    )


RELATIONS: tuple[Relation, ...] = (
    _relation(
        "author",
        "person",
        ("Who wrote {x}?", "the author of {x}", "written by {v}"),
        is_functional=False,
    ),
    _relation(
        "cites",
        "PEP",
        (
            "Which PEP does the body of {x} mention?",
            "the PEP mentioned in the body of {x}",
            "whose body, below the header, mentions {v}",
        ),
        is_functional=False,
    ),
    _relation(
        "created",
        "date",
        (
            "On what date was {x} created, according to its header?",
            "the date on which {x} was created",
            "created {v}",
        ),
    ),
    _relation(
        "delegate",
        "person",
        (
            "Who was the delegate appointed to decide on {x}?",
            "the delegate appointed to decide on {x}",
            "with {v} as the deciding delegate",
        ),
        is_functional=False,
    ),
    _relation(
        "discussed_on",
        "text",
        (
            "Which mailing list does the header of {x} give for discussion?",
            "the mailing list on which {x} was to be discussed",
            "to be discussed on the mailing list {v}",
        ),
        is_functional=False,
    ),
    _relation(
        "first_posted",
        "date",
        (
            "What is the earliest date in the post history of {x}?",
            "the earliest date in the post history of {x}",
            "whose post history begins {v}",
        ),
    ),
    _relation(
        "last_posted",
        "date",
        (
            "What is the latest date in the post history of {x}?",
            "the latest date in the post history of {x}",
            "whose post history ends {v}",
        ),
    ),
    _relation(
        "python_version",
        "text",
        (
            "Which version of Python does {x} target, according to its header?",
            "the Python version targeted by {x}",
            "targeting Python {v}",
        ),
        is_functional=False,
    ),
    _relation(
        "replaces",
        "PEP",
        (
            "Which PEP does {x} replace, according to its header?",
            "the PEP replaced by {x}",
            "whose header says it replaces {v}",
        ),
        is_functional=False,
    ),
    _relation(
        "requires",
        "PEP",
        (
            "Which PEP does {x} require, according to its header?",
            "the PEP required by {x}",
            "whose header says it requires {v}",
        ),
        is_functional=False,
    ),
    _relation(
        "resolved",
        "date",
        (
            "On what date was {x} resolved, according to its header?",
            "the date of the resolution of {x}",
            "resolved {v}",
        ),
    ),
    _relation(
        "sponsor",
        "person",
        ("Who sponsored {x}?", "the sponsor of {x}", "sponsored by {v}"),
        is_functional=False,
    ),
    _relation(
        "status",
        "text",
        ("What is the status of {x}?", "the status of {x}", "with the status {v}"),
    ),
    _relation(
        "superseded_by",
        "PEP",
        (
            "By which PEP is {x} superseded, according to its header?",
            "the PEP by which {x} is superseded",
            "whose header says it is superseded by {v}",
        ),
        is_functional=False,
    ),
    _relation(
        "title",
        "text",
        ("What is the title of {x}?", "the title of {x}", "titled {v}"),
        is_key=True,
    ),
    _relation(
        "topic",
        "text",
        (
            "Which topic does the header of {x} give?",
            "the topic of {x}",
            "on the topic {v}",
        ),
        is_functional=False,
    ),
    _relation(
        "type",
        "text",
        ("What type of PEP is {x}?", "the type of {x}", "of the type {v}"),
    ),
)

_PEOPLE = {"author": "author", "sponsor": "sponsor"} | dict.fromkeys(
    ("pep-delegate", "bdfl-delegate", "delegate"), "delegate"
)
_NUMBERS = {"requires": "requires", "replaces": "replaces", "superseded-by": "superseded_by"}
_LISTS = {"topic": "topic", "python-version": "python_version"}
_PERSON = re.compile(r"([^,<(]+)(?:<[^<>]{0,200}>|\([^()]{0,200}\))?")
_GROUP = re.compile(r"(?i)\b(?:community|council|committee|developers|group|team|and|members)\b")
_NUMBER = re.compile(r"\b\d{1,5}\b")
_PART = re.compile(r"[^,\s](?:[^,]*[^,\s])?")
_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?")
_ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+\.\w+")
_DATE = re.compile(r"\b(\d{1,2})-([A-Z][a-z]{2})-(\d{4})\b|\b(\d{4})-(\d\d)-(\d\d)\b")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MENTION = re.compile(
    r"\b(?:PEP[ \u00a0-]?|pep-)0{0,3}(\d{1,4})(?![\w]|\.\d)"
    r"|\bPEPs[ \u00a0](\d{1,4}(?:(?:,? and |,? or |, |/| & )(?:PEP )?\d{1,4})*)(?![\w]|\.\d)"
)


@dataclass(frozen=True, slots=True)
class _Proposal:
    """One proposal and what its facts have in common."""

    name: str
    doc_id: str
    text: str

    def fact(self, relation: str, value: str, start: int, end: int, certainty: int = 1) -> Fact:
        """State something of the proposal."""
        name = f"pep.{relation}"
        return Fact(
            subject=self.name,
            relation=name,
            value=value,
            value_kind=_VALUE_KIND[name],
            subject_kind="PEP",
            doc_id=self.doc_id,
            start=start,
            end=end,
            certainty=certainty,
        )

    def found(self, pattern: re.Pattern[str], span: tuple[int, int]) -> Iterator[re.Match[str]]:
        """Yield the matches of a pattern inside a span."""
        return pattern.finditer(self.text, *span)


_VALUE_KIND = {relation.name: relation.value_kind for relation in RELATIONS}


def extract(reading: Reading) -> list[Fact]:
    """Return the facts of a proposal; none of any other document."""
    if reading.document.genre != "proposal":
        return []
    header = [mark for mark in reading.marks if mark.name == "header"]
    text = reading.document.text
    span_by_name = {mark.attributes["name"]: (mark.start, mark.end) for mark in reversed(header)}
    number = text[slice(*span_by_name["pep"])] if "pep" in span_by_name else ""
    if not number.isdecimal():
        return []
    proposal = _Proposal(f"PEP {int(number)}", reading.document.doc_id, text)
    facts: list[Fact] = []
    for name, span in span_by_name.items():
        facts += _header_facts(proposal, name, span)
    body_start = max(end for _, end in span_by_name.values())
    facts += _mentions(proposal, body_start)
    first_by_key = {(fact.relation, fact.value): fact for fact in reversed(facts)}
    return sorted(first_by_key.values(), key=lambda fact: (fact.start, fact.end, fact.relation))


def _header_facts(proposal: _Proposal, name: str, span: tuple[int, int]) -> Iterator[Fact]:
    if name in _PEOPLE:
        yield from _people(proposal, _PEOPLE[name], span)
    elif name in _NUMBERS:
        for match in proposal.found(_NUMBER, span):
            yield proposal.fact(_NUMBERS[name], f"PEP {int(match[0])}", *match.span())
    elif name in _LISTS:
        for match in proposal.found(_PART, span):
            if name == "topic" or _VERSION.fullmatch(match[0]):
                yield proposal.fact(_LISTS[name], match[0], *match.span())
    elif name in ("status", "type", "title"):
        yield proposal.fact(name, " ".join(proposal.text[slice(*span)].split()), *span)
    elif name == "discussions-to":
        for match in proposal.found(_ADDRESS, span):
            yield proposal.fact("discussed_on", match[0], *match.span())
    else:
        yield from _dates(proposal, name, span)


def _people(proposal: _Proposal, relation: str, span: tuple[int, int]) -> Iterator[Fact]:
    for match in proposal.found(_PERSON, span):
        name = match[1].strip()
        is_name = len(name) > 1 and name[0].isupper() and "@" not in name
        if is_name and not _GROUP.search(name):
            start = match.start(1) + match[1].index(name)
            person = " ".join(name.split())
            yield proposal.fact(relation, person, start, start + len(name))


def _dates(proposal: _Proposal, name: str, span: tuple[int, int]) -> Iterator[Fact]:
    dated = [(_iso(match), match.span()) for match in proposal.found(_DATE, span)]
    dated = [(date, place) for date, place in dated if date]
    if name == "post-history" and dated:
        yield proposal.fact("first_posted", *_flat(min(dated)))
        yield proposal.fact("last_posted", *_flat(max(dated)))
    elif name in ("created", "resolution") and len(dated) == 1:
        yield proposal.fact("created" if name == "created" else "resolved", *_flat(dated[0]))


def _flat(dated: tuple[str, tuple[int, int]]) -> tuple[str, int, int]:
    return dated[0], dated[1][0], dated[1][1]


def _iso(match: re.Match[str]) -> str:
    if match[4]:
        return match[0]
    if match[2] not in _MONTHS:
        return ""
    return f"{match[3]}-{_MONTHS.index(match[2]) + 1:02}-{int(match[1]):02}"


def _mentions(proposal: _Proposal, body_start: int) -> Iterator[Fact]:
    for match in _MENTION.finditer(proposal.text, body_start):
        if match[1]:
            spans = [(match[1], match.span())]
        else:
            spans = [
                (number[0], number.span())
                for number in _NUMBER.finditer(proposal.text, match.start(2), match.end(2))
            ]
        for number, span in spans:
            name = f"PEP {int(number)}"
            if name != proposal.name:
                yield proposal.fact("cites", name, *span, certainty=2)
