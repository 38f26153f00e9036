import json
from dataclasses import replace
from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.evaluation.cells import (
    EvaluationCell,
    ExampleScore,
    cell_path,
    read_cell,
    read_cells,
    write_cell,
)
from longloom.records import TaskType

SCORE = ExampleScore(
    example_id="a1",
    task_type=TaskType.NUMERICAL,
    rewards=(1.0, 0.0, 0.25),
    num_prompt_tokens=90,
    finish="stop",
)
CELL = EvaluationCell(
    checkpoint="stage-1",
    suite="windows-8",
    agent="memory",
    num_samples=3,
    max_prompt_tokens=96,
    seconds=1.5,
    scores=(SCORE, replace(SCORE, example_id="a2", finish="length")),
)


def damage(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_cell_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = write_cell(tmp_path / "evaluation", CELL)
    assert path == tmp_path / "evaluation" / "stage-1--windows-8--memory.json"
    assert read_cells(tmp_path / "evaluation") == (CELL,)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_mean_reward_is_over_samples() -> None:
    assert SCORE.mean_reward == pytest.approx(1.25 / 3)


def test_missing_folder_has_no_cells(tmp_path: Path) -> None:
    assert read_cells(tmp_path / "none") == ()


def test_cells_come_in_order_of_their_names_and_other_files_are_left_alone(tmp_path: Path) -> None:
    write_cell(tmp_path, CELL)
    write_cell(tmp_path, replace(CELL, checkpoint="base"))
    (tmp_path / "notes.json").write_text("not a cell")
    assert [cell.checkpoint for cell in read_cells(tmp_path)] == ["base", "stage-1"]


@pytest.mark.parametrize("name", ["", "a/b", "../a", "a--b", "a b", "-a", "a-"])
def test_names_that_would_not_be_one_file_name_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="cannot be part of a file name"):
        cell_path(tmp_path, checkpoint=name, suite="stage-1", agent="memory")


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ((SCORE, SCORE), "scored twice"),
        ((replace(SCORE, rewards=(1.0,)),), "has 1 rewards, expected num_samples = 3"),
        ((replace(SCORE, rewards=(1.0, 2.0, 0.0)),), "expected numbers from 0 to 1"),
        ((replace(SCORE, rewards=(1.0, float("nan"), 0.0)),), "expected numbers from 0 to 1"),
    ],
)
def test_cell_that_contradicts_itself_is_not_written(
    tmp_path: Path, scores: tuple[ExampleScore, ...], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        write_cell(tmp_path, replace(CELL, scores=scores))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": "other"}, "has schema 'other'"),
        ({"version": 2}, "version 2, expected"),
        ({"agent": "oracle"}, "expected one of single_pass, truncated"),
        ({"scores": [{"example_id": "a1"}]}, "is not an evaluation cell"),
        ({"scores": 3}, "is not an evaluation cell"),
        ({"num_samples": 2}, "expected num_samples = 2"),
        ({"checkpoint": "base"}, "holds the cell of base--windows-8--memory.json"),
    ],
)
def test_damaged_cell_is_one_clear_error(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    path = write_cell(tmp_path, CELL)
    damage(path, **changes)
    with pytest.raises(DataError, match=message) as caught:
        read_cells(tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_file_that_is_not_json_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = write_cell(tmp_path, CELL)
    path.write_bytes(content)
    with pytest.raises(DataError, match="delete it and evaluate again"):
        read_cell(path)
