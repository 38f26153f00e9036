from dataclasses import replace
from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.executor import Beat, Failure, InlineExecutor
from longloom.synthesis.steps import ShardTask, Step, digest_of


def _write(task: ShardTask, beat: Beat) -> None:
    beat(str(task.content))
    task.target.write_text(f"made of {task.content}", "utf-8")


class FailsOn:
    """An executor whose worker dies on some contents, as a crash would have it."""

    def __init__(self, contents: set[object]) -> None:
        self.contents = contents

    def map(self, function, tasks, *, silent_seconds=None):
        for outcome in InlineExecutor().map(lambda task, beat: None, tasks):
            task = tasks[outcome.place]
            if task.content in self.contents:
                yield replace(outcome, result=Failure(reason="died", last_beat=str(task.content)))
            else:
                function(task, lambda _: None)
                yield outcome


def _step(folder: Path, **options) -> Step:
    return Step(name="write", folder=folder, make=_write, **options)


def test_shards_are_made_once(tmp_path: Path) -> None:
    step = _step(tmp_path)
    tasks = step.tasks([("a", 1), ("b", 2)], suffix=".txt")
    paths = step.run(tasks, InlineExecutor())
    assert [path.read_text("utf-8") for path in paths] == ["made of 1", "made of 2"]
    paths[0].write_text("kept", "utf-8")
    step.run(tasks, InlineExecutor())
    assert paths[0].read_text("utf-8") == "kept"


def test_a_failed_task_is_tried_in_its_other_form(tmp_path: Path) -> None:
    step = _step(
        tmp_path, make_after_failure=lambda task, failure: replace(task, content=failure.last_beat)
    )
    tasks = step.tasks([("a", 1), ("b", 2)], suffix=".txt")
    paths = step.run(tasks, FailsOn({2}))
    assert [path.read_text("utf-8") for path in paths] == ["made of 1", "made of 2"]


def test_a_task_without_another_form_ends_the_step(tmp_path: Path) -> None:
    step = _step(tmp_path, make_after_failure=lambda task, failure: None)
    with pytest.raises(DataError, match="step 'write': a worker failed on 2: died"):
        step.run(step.tasks([("b", 2)]), FailsOn({2}))


def test_progress_counts_what_was_there(tmp_path: Path) -> None:
    step = _step(tmp_path)
    tasks = step.tasks([("a", 1), ("b", 2)], suffix=".txt")
    step.run(tasks[:1], InlineExecutor())
    told = []
    step.run(tasks, InlineExecutor(), progress=lambda *news: told.append(news))
    assert told == [("write", 2, 2)]


def test_digests_depend_on_every_part() -> None:
    assert digest_of(1, {"a": [1, 2]}) == digest_of(1, {"a": [1, 2]})
    assert len({digest_of(1, "a"), digest_of("1", "a"), digest_of(1, "b"), digest_of(1)}) == 4
