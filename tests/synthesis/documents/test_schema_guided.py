"""Annotated task dialogues become documents whose marks stand where values are said."""

import json

import pytest

from longloom.errors import DataError
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.dialogues import read_dialogues
from longloom.synthesis.documents.reader import SourceFile
from synthesis.task_dialogue import three_bookings, turn


def _read(payload: bytes) -> list[Reading]:
    return list(read_dialogues(SourceFile(name="sgd/part.json", payload=payload)))


def _slots(reading: Reading) -> list[tuple[str, str, str]]:
    return [
        (
            mark.attributes["slot"],
            reading.document.text[mark.start : mark.end],
            mark.attributes["value"],
        )
        for mark in reading.marks
        if mark.name == "slot"
    ]


def test_every_dialogue_is_a_document_of_turns() -> None:
    readings = _read(three_bookings())
    titles = [reading.document.title for reading in readings]
    assert titles == ["Dialogue 9_1", "Dialogue 9_2", "Dialogue 9_3"]
    assert readings[0].document.text.startswith(
        "Dialogue 9_1\n\nUSER: Book Blue Fig for me please.\n\nSYSTEM: In which city shall"
    )


def test_slot_marks_stand_at_the_value_that_is_said() -> None:
    assert _slots(_read(three_bookings())[0])[-4:] == [
        ("restaurant_name", "Blue Fig", "Blue Fig"),
        ("location", "Oslo", "Oslo"),
        ("time", "7 pm", "19:00"),
        ("number_of_seats", "2", "2"),
    ]


@pytest.mark.parametrize(
    ("utterance", "shown"),
    [
        ("A table for two, please.", ["two"]),
        ("A table for 2 at 12:02 on the 2nd.", ["2"]),
        ("Either 2 or two.", []),
        ("No number here.", []),
    ],
)
def test_a_number_without_a_span_is_placed_only_if_it_stands_once(
    utterance: str, shown: list[str]
) -> None:
    turns = [turn("USER", utterance, [("INFORM", "number_of_seats", "2", "2")])]
    turns += [turn("SYSTEM", "Fine, noted.", [])] * 3
    (reading,) = _read(json.dumps([{"dialogue_id": "x", "turns": turns}]).encode())
    assert [said for _, said, _ in _slots(reading)] == shown


def test_state_marks_name_the_values_that_a_turn_changes() -> None:
    turns = [turn("USER", f"Words {number}.", []) for number in range(4)]
    for number, time in enumerate(["noon", "noon", "one", "one"]):
        turns[number]["frames"][0]["state"] = {"slot_values": {"time": [time]}}  # type: ignore[index]
    (reading,) = _read(json.dumps([{"dialogue_id": "x", "turns": turns}]).encode())
    states = [mark for mark in reading.marks if mark.name == "state"]
    assert [(mark.attributes["turn"], mark.attributes["value"]) for mark in states] == [
        ("1", "noon"),
        ("3", "one"),
    ]


def test_hostile_annotations_are_passed_over() -> None:
    turns: list[object] = [turn("USER", f"Words {number}.", []) for number in range(4)]
    turns.append(
        {"speaker": "USER", "utterance": "Hi.", "frames": [7, {"actions": [3], "slots": 1}]}
    )
    wrong = {"slot": "time", "start": -4, "exclusive_end": 10**9}
    turns.append({"speaker": "USER", "utterance": "Ho.", "frames": [{"slots": [wrong]}]})
    (reading,) = _read(json.dumps([{"dialogue_id": "x", "turns": turns}, 5]).encode())
    assert _slots(reading) == []
    with pytest.raises(DataError):
        _read(json.dumps([{"dialogue_id": "x", "turns": []}]).encode())
