"""Read the Schema-Guided Dialogue format: one file of many annotated task dialogues.

    [{"dialogue_id": "1_00000", "services": [...], "turns": [{"speaker", "utterance", "frames"}]}]

Every dialogue becomes a document. What annotators said of a turn becomes marks: `act` (what the
speaker does), `slot` (a value, where it stands), `state` (what a user turn changes in the goal)
and `call` (what the system does with a service, and whether that went well).

The corpus states where free values stand. Categorical values (2 for a party of two) have no span
there; they get one if the turn shows the number once, as a digit or a word, outside other values.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from longloom.synthesis.documents.building import DocumentBuilder, Reading, Span, clean_text
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.documents.transcripts import MIN_TURNS, conversation_builder, write_turn

_MAX_TURNS = 400
_MAX_FRAMES = 20
_MAX_ACTIONS = 60
_NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SUCCESS = "NOTIFY_SUCCESS"
_Slots = Mapping[tuple[str, str], tuple[str, ...]]


def is_schema_guided(parsed: object) -> bool:
    """Return whether `parsed` has the form of a file of annotated dialogues."""
    return (
        isinstance(parsed, list)
        and bool(parsed)
        and isinstance(parsed[0], Mapping)
        and isinstance(parsed[0].get("dialogue_id"), str)
        and isinstance(parsed[0].get("turns"), list)
    )


def schema_guided_readings(parsed: Sequence[object], source: SourceFile) -> Iterable[Reading]:
    """Yield one document a dialogue; entries without an id and turns are passed over."""
    for dialogue in parsed:
        if not isinstance(dialogue, Mapping):
            continue
        name, turns = _text(dialogue, "dialogue_id").split(), _list(dialogue, "turns")
        if name and MIN_TURNS <= len(turns) <= _MAX_TURNS:
            yield _reading(" ".join(name)[:60], turns, source)


def _reading(name: str, turns: Sequence[object], source: SourceFile) -> Reading:
    builder = conversation_builder(f"Dialogue {name}", "dialogue", source)
    state: _Slots = {}
    number = 0
    for turn in turns:
        speaker = _text(turn, "speaker").upper()
        utterance = clean_text(_text(turn, "utterance")).strip()
        if not speaker or not utterance:
            continue
        number += 1
        span = write_turn(builder, speaker, utterance, number)
        shared = {"speaker": speaker, "turn": str(number)}
        for frame in _list(turn, "frames")[:_MAX_FRAMES]:
            _mark_frame(builder, frame, span, utterance, shared)
            state = _mark_state(builder, frame, span, state, shared)
    return builder.build()


def _mark_frame(
    builder: DocumentBuilder,
    frame: object,
    span: Span,
    utterance: str,
    shared: Mapping[str, str],
) -> None:
    keys = {**shared, "service": _text(frame, "service")}
    actions = _list(frame, "actions")[:_MAX_ACTIONS]
    for action in actions:
        attributes = {"act": _text(action, "act"), "slot": _text(action, "slot")}
        canonical = _strings(action, "canonical_values")
        if attributes["slot"] == "intent" and canonical:
            attributes["intent"] = canonical[0]
        builder.mark("act", span, **keys, **attributes)
    for action, place in _places(actions, _list(frame, "slots"), utterance):
        builder.mark(
            "slot",
            (span[0] + place[0], span[0] + place[1]),
            **keys,
            act=_text(action, "act"),
            slot=_text(action, "slot"),
            value=_strings(action, "canonical_values")[0],
        )
    _mark_call(builder, frame, span, actions, keys)


def _places(
    actions: Sequence[object], slots: Sequence[object], utterance: str
) -> Iterable[tuple[object, Span]]:
    """Yield the actions whose value the utterance shows, with the place."""
    stated: dict[tuple[str, str], Span] = {}
    for slot in slots:
        start, end = _whole(slot, "start"), _whole(slot, "exclusive_end")
        if 0 <= start < end <= len(utterance):
            stated[_text(slot, "slot"), utterance[start:end]] = (start, end)
    taken = list(stated.values())
    for action in actions:
        values, canonical = _strings(action, "values"), _strings(action, "canonical_values")
        if len(values) != 1 or len(canonical) != 1 or _text(action, "act").startswith("REQUEST"):
            continue
        place = stated.get((_text(action, "slot"), values[0]))
        place = place or _number_place(canonical[0], utterance, taken)
        if place is not None:
            yield action, place


def _number_place(value: str, utterance: str, taken: Sequence[Span]) -> Span | None:
    """Find a small whole number that the utterance shows exactly once outside `taken`."""
    if not (value.isascii() and value.isdigit() and len(value) < 4):
        return None
    word = f"|{_NUMBER_WORDS[int(value)]}" if len(value) == 1 else ""
    pattern = rf"(?<![\w.,:$+-])(?:{value}{word})(?![\w:]|[.,]\d)"
    places = [
        match.span()
        for match in re.finditer(pattern, utterance, re.IGNORECASE)
        if not any(start < match.end() and match.start() < end for start, end in taken)
    ]
    return places[0] if len(places) == 1 else None


def _mark_call(
    builder: DocumentBuilder,
    frame: object,
    span: Span,
    actions: Sequence[object],
    keys: Mapping[str, str],
) -> None:
    call = frame.get("service_call") if isinstance(frame, Mapping) else None
    parameters = call.get("parameters") if isinstance(call, Mapping) else None
    if not isinstance(parameters, Mapping):
        return
    is_done = any(_text(action, "act") == _SUCCESS for action in actions)
    builder.mark(
        "call",
        span,
        **keys,
        method=_text(call, "method"),
        outcome="done" if is_done else "searched_or_failed",
        **{
            f"parameter:{name}": value
            for name, value in list(parameters.items())[:_MAX_ACTIONS]
            if isinstance(name, str) and isinstance(value, str)
        },
    )


def _mark_state(
    builder: DocumentBuilder, frame: object, span: Span, state: _Slots, shared: Mapping[str, str]
) -> _Slots:
    """Mark the slots whose accepted values a user turn changes; return the new state."""
    stated = frame.get("state") if isinstance(frame, Mapping) else None
    values = stated.get("slot_values") if isinstance(stated, Mapping) else None
    if not isinstance(values, Mapping):
        return state
    service = _text(frame, "service")
    current = {
        (service, slot): tuple(_strings(values, slot)) for slot in values if isinstance(slot, str)
    }
    for (_, slot), accepted in current.items():
        if accepted and state.get((service, slot)) != accepted:
            keys = {**shared, "service": service, "slot": slot}
            builder.mark("state", span, **keys, value=accepted[0])
    others = {key: accepted for key, accepted in state.items() if key[0] != service}
    return {**others, **current}


def _text(node: object, key: str) -> str:
    value: Any = node.get(key) if isinstance(node, Mapping) else None
    return value if isinstance(value, str) else ""


def _list(node: object, key: str) -> list[object]:
    value: Any = node.get(key) if isinstance(node, Mapping) else None
    return value if isinstance(value, list) else []


def _strings(node: object, key: str) -> list[str]:
    return [value for value in _list(node, key) if isinstance(value, str)]


def _whole(node: object, key: str) -> int:
    value: Any = node.get(key) if isinstance(node, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else -1
