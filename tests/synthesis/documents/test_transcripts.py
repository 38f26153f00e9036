"""Plain transcripts are read by their `NAME: text` lines."""

import pytest

from longloom.errors import DataError
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.documents.transcripts import read_transcript


def _turns(text: str) -> list[tuple[str, str]]:
    (reading,) = read_transcript(SourceFile(name="talks/garden.txt", payload=text.encode()))
    return [
        (mark.attributes["speaker"], reading.document.text[mark.start : mark.end])
        for mark in reading.marks
    ]


@pytest.mark.parametrize(
    "layout", ["{name}: {text}", "[00:12] {name}: {text}", "{name} (01:02:03): {text}"]
)
def test_times_around_the_name_are_left_out(layout: str) -> None:
    said = [("Ann Lee", "Dig here."), ("Bo", "Why?"), ("Ann Lee", "Roses."), ("Bo", "Fine: ok.")]
    text = "\n".join(layout.format(name=name, text=words) for name, words in said)
    assert _turns(text) == said


def test_a_line_without_a_name_continues_the_turn() -> None:
    text = "Ann: One.\nand two.\nBo: Three.\nAnn: Four.\nBo: Five."
    assert _turns(text)[0] == ("Ann", "One.\nand two.")


def test_titles_tell_role_dialogues_from_talk_of_people() -> None:
    text = "user: a b\nsystem: c d\nuser: e f\nsystem: g h"
    (reading,) = read_transcript(SourceFile(name="x/help.txt", payload=text.encode()))
    assert (reading.document.title, reading.document.genre) == ("Dialogue help", "dialogue")
    assert reading.document.text.endswith("SYSTEM: g h")


@pytest.mark.parametrize("text", ["Note: prose.\nMore prose.\nAnd more.", "", "a: b\n" * 9])
def test_prose_is_no_transcript(text: str) -> None:
    with pytest.raises(DataError, match="not a transcript"):
        _turns(text)


def test_bytes_that_are_not_text_are_refused() -> None:
    with pytest.raises(DataError, match="UTF-8"):
        list(read_transcript(SourceFile(name="x.txt", payload=b"\xff\xfe\x00a")))
