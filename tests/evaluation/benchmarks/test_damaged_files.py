"""Damaged official files of every benchmark are refused with the place of the damage."""

import json
from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.benchmarks.catalogue import BENCHMARKS
from official_files import WRITERS

SETTINGS = ReadSettings(count_tokens=len)
NEEDED = {
    "corpusqa": ("id", "prompt", "question", "answer"),
    "docmath": ("question_id", "paragraphs", "ground_truth"),
    "frames": ("Prompt", "Answer", "wiki_items"),
    "hotpotqa": ("_id", "input", "context", "answers"),
    "hotpotqa-distractor": ("_id", "answer", "context", "supporting_facts"),
    "leval": ("task", "id", "context", "questions", "answers"),
    "longbench-v1": ("_id", "input", "context", "answers", "length", "language"),
    "longbench-v1-qa": ("_id", "input", "context", "answers"),
    "longbench-v2": ("_id", "answer", "difficulty", "context", "question", "choice_C"),
    "mrcr": ("prompt", "answer", "random_string_to_prepend", "n_needles", "desired_msg_index"),
    "tatqa": ("table", "paragraphs", "questions"),
}
WITHOUT_IDS = {"frames", "mrcr"}
"""Their rows have none: one that is there twice is two questions."""


def refusal(folder: Path, name: str) -> str:
    """Return what is said about the files of a benchmark."""
    with pytest.raises(DataError) as caught:
        BENCHMARKS[name].read(folder, SETTINGS)
    return str(caught.value)


def rows_of(path: Path) -> list[dict[str, object]]:
    """Return the rows of a file written for the test."""
    text = path.read_text("utf-8")
    return json.loads(text) if text.startswith("[") else list(map(json.loads, text.splitlines()))


def rewrite(path: Path, rows: list[dict[str, object]]) -> None:
    """Write rows in the layout of the file."""
    is_array = path.read_text("utf-8").startswith("[")
    text = json.dumps(rows) if is_array else "\n".join(json.dumps(row) for row in rows)
    path.write_text(text, "utf-8")


@pytest.mark.parametrize("name", WRITERS)
def test_whole_files_are_read(tmp_path: Path, name: str) -> None:
    path = WRITERS[name](tmp_path)
    found = BENCHMARKS[name].read(tmp_path, SETTINGS)
    assert path.name in found.source
    for question in found.questions:
        asked = found.ask(question)
        assert question.golds
        assert asked.context in asked.message or asked.is_chat
        assert all(0 <= depth <= 1 for depth in question.depths)
        assert all(0 <= start < end <= len(asked.context) for start, end in asked.evidence)
        assert set(BENCHMARKS[name].facets) <= set(question.facets)


@pytest.mark.parametrize("name", WRITERS)
def test_cut_and_empty_files_are_refused(tmp_path: Path, name: str) -> None:
    path = WRITERS[name](tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert str(path) in refusal(tmp_path, name)
    path.write_bytes(b"")
    assert str(path) in refusal(tmp_path, name)
    rewrite(path, [])
    assert str(path) in refusal(tmp_path, name)


@pytest.mark.parametrize("name", WRITERS)
def test_another_ending_is_a_missing_file(tmp_path: Path, name: str) -> None:
    path = WRITERS[name](tmp_path)
    path.rename(path.with_suffix(".txt"))
    said = refusal(tmp_path, name)
    assert path.stem in said
    assert "https://" in said


@pytest.mark.parametrize(("name", "field"), [(n, field) for n in WRITERS for field in NEEDED[n]])
def test_missing_fields_are_named_with_their_place(tmp_path: Path, name: str, field: str) -> None:
    path = WRITERS[name](tmp_path)
    rows = rows_of(path)
    del rows[-1][field]
    rewrite(path, rows)
    said = refusal(tmp_path, name)
    assert field in said
    assert f"{path}, byte " in said


@pytest.mark.parametrize("name", sorted(set(WRITERS) - WITHOUT_IDS))
def test_an_id_that_is_there_twice_is_refused(tmp_path: Path, name: str) -> None:
    path = WRITERS[name](tmp_path)
    rows = rows_of(path)
    rewrite(path, [*rows, rows[0]])
    said = refusal(tmp_path, name)
    assert "is there twice, first in" in said
    assert said.count(f"{path}, byte ") == 2
