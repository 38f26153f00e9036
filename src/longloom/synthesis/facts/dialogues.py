"""Facts of conversations: who says what when, stated values, and what is booked.

    mark `turn` (+ `act`) -> dialogue.turn    value: the utterance, word for word
    mark `slot`           -> dialogue.slot    label: the slot in words, value: as it is said
    mark `call`           -> dialogue.booked  label: the slot in words, value: as last confirmed

The subject is the title of the conversation and `position` the turn. What a speaker does in a
turn (asks about the price, suggests a hotel) stands in the qualifier `acts`, one `ACT:slot` each,
because a reader sees it in the utterance as a whole. Dates and times keep the words of the
dialogue as value, since it never says the year; the qualifier `canonical` holds what they stand
for. All of it is asserted by the annotation: certainty 1.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from longloom.records import DocumentKind
from longloom.synthesis.documents.building import Mark, Reading
from longloom.synthesis.facts.dialogue_words import intent_words, service_words, slot_words
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.relation import EntityKind, Relation

TURN = "dialogue.turn"
SLOT = "dialogue.slot"
BOOKED = "dialogue.booked"

KINDS: tuple[EntityKind, ...] = (
    EntityKind(name="dialogue", plural="dialogues", is_document=True),
    EntityKind(name="meeting", plural="meetings", is_document=True),
    EntityKind(name="transcript", plural="transcripts", is_document=True),
)
RELATIONS: tuple[Relation, ...] = (
    Relation(
        name=TURN,
        subject_kind="dialogue",
        value_kind="text",
        question="What is said in {x}?",
        noun="what is said in {x}",
        clause="in which somebody says {v}",
        is_functional=False,
        is_key=True,
    ),
    Relation(
        name=SLOT,
        subject_kind="dialogue",
        value_kind="text",
        question="What value is stated in {x}?",
        noun="the value stated in {x}",
        clause="in which {v} is stated",
        is_functional=False,
        is_key=True,
    ),
    Relation(
        name=BOOKED,
        subject_kind="dialogue",
        value_kind="text",
        question="What is booked in {x}?",
        noun="what is booked in {x}",
        clause="in which {v} is booked",
        is_functional=False,
        is_key=True,
    ),
)
"""`is_key` keeps them out of general chains: one label alone says nothing without its turn."""

_DONE = "done"
_PARAMETER = "parameter:"


def extract(reading: Reading) -> list[Fact]:
    """Return the facts of a conversation; nothing for other documents."""
    document = reading.document
    if document.kind is not DocumentKind.DIALOGUE:
        return []
    source = _Source(doc_id=document.doc_id, title=document.title, kind=document.genre)
    acts: dict[int, list[str]] = {}
    service_by_turn: dict[int, str] = {}
    for mark in reading.marks:
        if mark.name == "act":
            acts.setdefault(_turn(mark), []).append(_act(mark.attributes))
            service_by_turn[_turn(mark)] = service_words(mark.attributes["service"])
    facts: list[Fact] = []
    slots: list[Fact] = []
    for mark in reading.marks:
        shown = document.text[mark.start : mark.end]
        if mark.name == "turn" and shown:
            number = int(mark.attributes["number"])
            qualifiers = {
                "acts": _acts(acts.get(number, ())),
                "service": service_by_turn.get(number, ""),
                "speaker": mark.attributes["speaker"],
            }
            facts.append(source.fact(TURN, mark, shown, "text", number, qualifiers))
        elif mark.name == "slot" and shown:
            slots.append(_slot_fact(source, mark, shown))
        elif mark.name == "call" and mark.attributes["outcome"] == _DONE:
            facts.extend(_booked(mark, slots))
    return facts + slots


@dataclass(frozen=True, slots=True)
class _Source:
    """What all facts of one conversation share."""

    doc_id: str
    title: str
    kind: str

    def fact(
        self,
        relation: str,
        mark: Mark,
        value: str,
        value_kind: str,
        position: int,
        qualifiers: Mapping[str, str],
        label: str = "",
    ) -> Fact:
        return Fact(
            subject=self.title,
            relation=relation,
            value=value,
            value_kind=value_kind,
            subject_kind=self.kind,
            doc_id=self.doc_id,
            start=mark.start,
            end=mark.end,
            certainty=1,
            label=label,
            qualifiers=tuple(sorted((key, said) for key, said in qualifiers.items() if said)),
            position=position,
        )


def _act(attributes: Mapping[str, str]) -> str:
    if attributes["slot"] == "intent":
        return f"{attributes['act']}:{intent_words(attributes.get('intent', ''))}"
    return f"{attributes['act']}:{slot_words(attributes['service'], attributes['slot'])}"


def _acts(acts: Iterable[str]) -> str:
    """Join the acts of a turn; an offer after a failure repairs it and suggests nothing new."""
    distinct = dict.fromkeys(acts)
    if "NOTIFY_FAILURE:" not in distinct:
        return ";".join(distinct)
    return ";".join(f"COUNTER_{act}" if act.startswith("OFFER:") else act for act in distinct)


def _slot_fact(source: _Source, mark: Mark, shown: str) -> Fact:
    """State a value as a number where it is shown as one, else as the dialogue says it."""
    attributes = mark.attributes
    canonical = _plain_number(attributes["value"]) or attributes["value"]
    is_number = canonical == _plain_number(shown.lstrip("$"))
    return source.fact(
        SLOT,
        mark,
        canonical if is_number else shown,
        "number" if is_number else "text",
        _turn(mark),
        {
            "act": attributes["act"],
            "canonical": canonical,
            "service": service_words(attributes["service"]),
            "slot": attributes["slot"],
            "speaker": attributes["speaker"],
        },
        label=slot_words(attributes["service"], attributes["slot"]),
    )


def _booked(mark: Mark, slots: Iterable[Fact]) -> Iterable[Fact]:
    """State what a successful call was made with, at the place that says it last."""
    shared = {
        "intent": intent_words(mark.attributes["method"]),
        "service": service_words(mark.attributes["service"]),
    }
    before = [fact for fact in slots if fact.position < _turn(mark)]
    for name, parameter in mark.attributes.items():
        if not name.startswith(_PARAMETER):
            continue
        slot = name.removeprefix(_PARAMETER)
        value = _plain_number(parameter) or parameter
        stated = [
            fact
            for fact in before
            if ("slot", slot) in fact.qualifiers and ("canonical", value) in fact.qualifiers
        ]
        if stated:
            yield _as_booked(stated[-1], {**shared, "canonical": value, "slot": slot}, _turn(mark))


def _as_booked(stated: Fact, qualifiers: Mapping[str, str], position: int) -> Fact:
    return Fact(
        subject=stated.subject,
        relation=BOOKED,
        value=stated.value,
        value_kind=stated.value_kind,
        subject_kind=stated.subject_kind,
        doc_id=stated.doc_id,
        start=stated.start,
        end=stated.end,
        certainty=1,
        label=stated.label,
        qualifiers=tuple(sorted(qualifiers.items())),
        position=position,
    )


def _plain_number(text: str) -> str:
    """Return `4` for `4.00`; nothing for what is no plain decimal."""
    if not (text.isascii() and text.replace(".", "", 1).isdigit() and len(text) < 16):
        return ""
    return f"{Decimal(text).normalize():f}"


def _turn(mark: Mark) -> int:
    return int(mark.attributes["turn"])
