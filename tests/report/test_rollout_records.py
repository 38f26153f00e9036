import json
from dataclasses import replace
from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.records import FinishReason
from longloom.report.rollout_records import (
    ROLLOUT_SCHEMA,
    iterate_rollout_groups,
    rollout_record,
)
from longloom.runlog import RecordWriter


def write(path: Path, *records: dict[str, object]) -> Path:
    with RecordWriter(path, schema=ROLLOUT_SCHEMA) as writer:
        for record in records:
            writer.append(record)
    return path


def test_group_is_read_as_it_was_written(tmp_path: Path, group_maker, turn_maker) -> None:
    turns = (turn_maker("ask", "say \N{GRINNING FACE}", FinishReason.LENGTH),)
    group, context = group_maker(turns, reward=0.25)
    path = write(tmp_path / "rollouts.jsonl", rollout_record(3, "memory", group, context))
    (read,) = iterate_rollout_groups(path)
    assert (read.step, read.stage, read.task_type) == (3, "memory", "multi_hop")
    assert read.question == group.example.question
    assert read.evidence == ((0, 4),)
    assert read.sources == ("stdlib:heapq.py",)
    (rollout,) = read.rollouts
    assert (rollout.reward, rollout.extracted_answer, rollout.error) == (0.25, "builtins", "")
    (turn,) = rollout.turns
    assert turn.response_text == "say \N{GRINNING FACE}"
    assert turn.finish_reason is FinishReason.LENGTH
    assert turn.num_prompt_tokens == 3


def test_context_of_another_example_is_refused(group_maker, turn_maker) -> None:
    group, context = group_maker((turn_maker("a", "b"),))
    with pytest.raises(DataError, match="is about context c, got other"):
        rollout_record(1, "stage-1", group, replace(context, context_id="other"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evidence": [[0, 99]]}, "lies outside a context of 21"),
        ({"evidence": [[4, 4]]}, "lies outside"),
        ({"step": "first"}, "is not a rollout group"),
        ({"rollouts": [{"reward": 1.0}]}, "is not a rollout group"),
    ],
)
def test_damaged_group_names_file_and_line(
    tmp_path: Path, group_maker, turn_maker, changes: dict[str, object], message: str
) -> None:
    record = rollout_record(1, "stage-1", *group_maker((turn_maker("a", "b"),)))
    path = write(tmp_path / "rollouts.jsonl", record, {**record, **changes})
    with pytest.raises(DataError, match=message) as caught:
        list(iterate_rollout_groups(path))
    assert "rollouts.jsonl, line 3" in str(caught.value)


def test_reward_that_is_no_number_is_refused(tmp_path: Path, group_maker, turn_maker) -> None:
    path = tmp_path / "rollouts.jsonl"
    write(path, rollout_record(1, "stage-1", *group_maker((turn_maker("a", "b"),))))
    path.write_text(path.read_text().replace('"reward": 1.0', '"reward": NaN'))
    with pytest.raises(DataError, match="expected a finite number"):
        list(iterate_rollout_groups(path))


def test_torn_last_line_is_left_out(tmp_path: Path, group_maker, turn_maker) -> None:
    record = rollout_record(1, "stage-1", *group_maker((turn_maker("a", "b"),)))
    path = write(tmp_path / "rollouts.jsonl", record)
    with path.open("a") as file:
        file.write(json.dumps(record)[:50])
    assert len(list(iterate_rollout_groups(path))) == 1
