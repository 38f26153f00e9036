"""QMSum meetings become one document each."""

import json

import pytest

from longloom.errors import DataError
from longloom.synthesis.documents.dialogues import read_dialogues
from longloom.synthesis.documents.meetings import spoken_words
from longloom.synthesis.documents.reader import SourceFile

MEETING = {
    "topic_list": [
        {"topic": "Lamps", "relevant_text_span": [["0", "2"]]},
        {"topic": "Bad", "relevant_text_span": [["x"], 3, ["4", "99999"]]},
    ],
    "meeting_transcripts": [
        {"speaker": "Chair", "content": "Lamps first , {vocalsound} please ."},
        {"speaker": "Ida", "content": "{vocalsound}"},
        {"speaker": "Ida", "content": "It 's {disfmarker} dark ."},
        {"speaker": "Chair", "content": "True ."},
        {"speaker": "Ida", "content": "Done ?"},
    ],
}


def test_a_meeting_keeps_turns_with_words_and_marks_its_topics() -> None:
    source = SourceFile(name="qmsum/XY1.json", payload=json.dumps(MEETING).encode())
    (reading,) = read_dialogues(source)
    document = reading.document
    assert document.title == "Meeting XY1"
    assert document.text == (
        "Meeting XY1\n\nChair: Lamps first, please.\n\nIda: It's dark."
        "\n\nChair: True.\n\nIda: Done?"
    )
    topics = [
        document.text[mark.start : mark.end] for mark in reading.marks if mark.name == "topic"
    ]
    assert topics == ["Lamps first, please.\n\nIda: It's dark.", "Done?"]


def test_recogniser_marks_and_loose_punctuation_are_closed_up() -> None:
    assert spoken_words("Mm - hmm , we 're {gap} ready . {pause}") == "Mm-hmm, we're ready."


def test_a_meeting_of_few_turns_is_refused() -> None:
    payload = json.dumps({"meeting_transcripts": MEETING["meeting_transcripts"][:2]}).encode()
    with pytest.raises(DataError, match="at least 4"):
        list(read_dialogues(SourceFile(name="m.json", payload=payload)))
