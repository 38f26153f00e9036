"""The live view of a run: from its files alone, whatever state they are in."""

import json
import os

import pytest

from indexed_nodes import stage_node
from longloom.errors import ConfigError
from longloom.evaluation.cells import EvaluationCell, ExampleScore, write_cell
from longloom.recipes.live.reading import LiveStage, latest_run, read_view
from longloom.recipes.live.screen import (
    seconds_left,
    shown_duration,
    sparkline,
    tokens_per_second,
    view_lines,
)
from longloom.records import TaskType
from longloom.runlog import (
    IndexedNode,
    MetricLog,
    NodeKind,
    RecordWriter,
    RunIndex,
    Status,
    write_index,
)
from longloom.runlog.events import EVENTS_SCHEMA

STAGE = stage_node()
CELL = IndexedNode(
    kind=NodeKind.CELL,
    name="base--stage-1--single_pass",
    key="0123456789",
    place="evaluation/base--stage-1--single_pass-01234567.json",
    status=Status.TO_DO,
    is_wanted=True,
    needs=("base",),
)


@pytest.fixture
def folder(tmp_path):
    """Return a run that is at step 4 of 10: half a second and 100 tokens a step."""
    write_index(tmp_path, RunIndex(recipe="r", part="--until stage-1", nodes=(STAGE, CELL)))
    with MetricLog(tmp_path / STAGE.place / "metrics.jsonl") as log:
        for step in range(1, 5):
            metrics = {
                "reward/mean": step / 10,
                "training/entropy_nats": 0.5,
                "training/step_seconds": 0.5,
                "rollout/sampled_tokens": 100.0,
            }
            log.log(step, metrics, stage="stage-1")
    with RecordWriter(tmp_path / "events.jsonl", schema=EVENTS_SCHEMA) as events:
        events.append({"time": "2026-01-01T10:11:12+00:00", "kind": "message", "text": "a\x1b[2Jb"})
    (tmp_path / "now.json").write_text(
        json.dumps({"description": "training stage-1", "num_done": 4, "num_total": 10})
    )
    return tmp_path


def text_of(folder) -> str:
    return "\n".join(view_lines(read_view(folder), is_unicode=False))


def test_view_shows_graph_step_pace_curve_and_messages(folder) -> None:
    text = text_of(folder)
    assert "running: training stage-1 4/10" in text
    assert "--until stage-1" in text
    assert "partly, at step 4 of 10" in text
    assert "stage-1  step 4 of 10  200 tokens/s  3 s left of this stage" in text
    assert "  reward   _" in text
    assert "0.400" in text
    assert "evaluation: 0 of 1 cells done" in text
    assert "10:11:12  a?[2Jb" in text  # no message moves the cursor


def test_cells_are_shown_as_they_come(folder) -> None:
    score = ExampleScore(
        example_id="e", task_type=TaskType.NUMERICAL, rewards=(1.0, 0.0), num_prompt_tokens=1,
        finish="stop",
    )  # fmt: skip
    cell = EvaluationCell(
        checkpoint="base", suite="stage-1", agent="single_pass", num_samples=2,
        max_prompt_tokens=9, seconds=1.0, scores=(score,),
    )  # fmt: skip
    write_cell(folder / "evaluation", cell, key="01234567")
    text = text_of(folder)
    assert "evaluation: 1 of 1 cells done" in text
    assert "base       stage-1    single pass reward 0.500" in text


@pytest.mark.parametrize(
    "name",
    ["stages.json", "checkpoints/stage-1-ab12cd34/metrics.jsonl", "events.jsonl", "now.json"],
)
def test_half_written_files_are_left_out(folder, name) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 3])
    assert text_of(folder)
    path.unlink()
    assert text_of(folder)


def test_damaged_cell_is_left_out(folder) -> None:
    (folder / "evaluation").mkdir()
    (folder / CELL.place).write_text("{")
    assert "evaluated last" not in text_of(folder)


def test_folder_that_appears_later_is_said_to_be_empty(tmp_path) -> None:
    assert "nothing is written yet" in text_of(tmp_path / "later")


def test_file_is_refused(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a file; expected a run folder"):
        read_view(tmp_path / "file")


def test_a_run_is_finished_when_all_that_was_asked_for_is_there(folder) -> None:
    nodes = tuple(
        IndexedNode(**{**{f: getattr(n, f) for f in n.__slots__}, "status": Status.DONE})
        for n in (STAGE,)
    )
    write_index(folder, RunIndex(recipe="r", part="", nodes=nodes))
    assert read_view(folder).is_finished
    assert "\nfinished; last written " in text_of(folder)


def test_the_run_written_last_is_taken(tmp_path) -> None:
    with pytest.raises(ConfigError, match="no run lies in"):
        latest_run(tmp_path)
    for place, name in enumerate(("old", "new", "older")):
        (tmp_path / name).mkdir()
        write_index(tmp_path / name, RunIndex(recipe="r", part="", nodes=()))
        moment = (100, 200, 50)[place]
        os.utime(tmp_path / name / "stages.json", (moment, moment))
    assert latest_run(tmp_path) == tmp_path / "new"


def test_curve_goes_from_the_lowest_to_the_highest_value() -> None:
    assert sparkline([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], columns=6, is_unicode=False) == "_.-=*#"
    assert sparkline([1.0, 3.0, 5.0, 7.0], columns=2, is_unicode=False) == "_#"
    assert sparkline([2.0, 2.0], columns=9, is_unicode=False) == "__"
    assert sparkline([float("nan")], columns=9) == ""


def test_times_are_said_as_people_say_them() -> None:
    assert [shown_duration(s) for s in (8.2, 179.0, 7_500.0)] == ["8 s", "3 min", "2 h 05 min"]


def test_nothing_is_said_of_a_pace_that_is_not_known() -> None:
    stage = LiveStage(node=STAGE, rows=())
    assert seconds_left(stage) is None
    assert tokens_per_second(stage) is None
