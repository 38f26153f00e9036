"""Conversations of the common forms become documents of turns."""

import json

import pytest

from longloom.errors import DataError
from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.dialogues import read_dialogues
from longloom.synthesis.documents.reader import SourceFile

MESSAGES = [
    {"role": "user", "content": "Where is the kettle?"},
    {"role": "assistant", "content": "On the shelf."},
    {"role": "user", "content": "And the tea?"},
    {"role": "assistant", "content": [{"type": "text", "text": "Beside it."}, {"type": "image"}]},
]


def _read(name: str, payload: str) -> list[Reading]:
    return list(read_dialogues(SourceFile(name=name, payload=payload.encode())))


def _turns(reading: Reading) -> list[tuple[str, str]]:
    text = reading.document.text
    return [
        (mark.attributes["speaker"], text[mark.start : mark.end])
        for mark in reading.marks
        if mark.name == "turn"
    ]


@pytest.mark.parametrize(
    "parsed",
    [
        MESSAGES,
        {"messages": MESSAGES},
        {
            "conversations": [
                {"from": "human" if turn["role"] == "user" else "gpt", "value": turn["content"]}
                for turn in MESSAGES
            ]
        },
    ],
    ids=["list", "messages", "conversations"],
)
def test_chat_forms_give_the_same_turns(parsed: object) -> None:
    (reading,) = _read("chats/tea.json", json.dumps(parsed))
    assert _turns(reading) == [
        ("USER", "Where is the kettle?"),
        ("ASSISTANT", "On the shelf."),
        ("USER", "And the tea?"),
        ("ASSISTANT", "Beside it."),
    ]
    assert reading.document.title == "Dialogue tea"
    assert reading.document.kind is DocumentKind.DIALOGUE
    assert reading.document.text.startswith("Dialogue tea\n\nUSER: Where is the kettle?\n\n")
    assert [block.kind for block in reading.document.blocks[1:]] == [BlockKind.TURN] * 4


def test_json_lines_give_one_document_a_line_and_pass_over_bad_ones() -> None:
    lines = [json.dumps({"id": "a7", "messages": MESSAGES}), "{broken", json.dumps(MESSAGES)]
    readings = _read("many.jsonl", "\n".join(lines))
    assert [reading.document.title for reading in readings] == ["Dialogue a7", "Dialogue many-2"]


def test_json_lines_of_single_turns_are_one_conversation() -> None:
    readings = _read("one.jsonl", "\n".join(json.dumps(turn) for turn in MESSAGES))
    assert [len(_turns(reading)) for reading in readings] == [4]


@pytest.mark.parametrize(
    "payload",
    ["{}", "[1, 2]", "[" * 100_000, '[{"role": 3, "content": {}}]', '{"messages": "none"}', "{"],
)
def test_what_is_no_conversation_is_refused_with_a_reason(payload: str) -> None:
    with pytest.raises(DataError):
        _read("broken.json", payload)
