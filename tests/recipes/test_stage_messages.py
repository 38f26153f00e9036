"""What a stage tells in one line."""

import json
import logging

import pytest

from longloom.errors import DataError
from longloom.recipes import api
from longloom.recipes.stage_messages import lost_steps_message, skipped_message
from longloom.records import Split
from longloom.runlog import MetricLog, MetricRow, read_metrics
from tiny_folder import TINY_TRAINING, Toy, toy


@pytest.fixture(scope="module")
def parts() -> Toy:
    return toy()


class Told(api.SilentListener):
    """Keeps what it is told; stops at a step."""

    def __init__(self, last_step: int = 100) -> None:
        self.messages: list[str] = []
        self.last_step = last_step

    def on_message(self, message: str) -> None:
        self.messages.append(message)

    def on_step(self, stage: str, num_steps: int, result) -> None:
        if result.step > self.last_step:
            raise KeyboardInterrupt


def rows_of(path, numbers, *, split="train", long=()):
    rows = [
        {
            "data_source": "numerical",
            "prompt": f"{number} + 1? {'word ' * 300 * (number in long)}The answer is?",
            "reward_model": {"ground_truth": number + 1},
            "extra_info": {"split": split},
        }
        for number in numbers
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_skipped_steps_and_long_prompts_are_told(parts, tmp_path) -> None:
    listener = Told()
    source = rows_of(tmp_path / "rows.jsonl", range(12), long=(3, 5))
    changes = (*TINY_TRAINING, "training.max_prompt_tokens=200")
    api.train(
        source, output=tmp_path / "t", model=parts.model, overrides=changes, listener=listener
    )
    left_out, skipped = listener.messages
    assert left_out == "left out of 12 examples: 2 with a prompt of over 200 tokens"
    # A random model answers nothing: all rewards are 0.
    assert skipped == (
        "stage-1: 2 of 2 steps changed nothing: no answer was better than its group "
        "(training/skipped_steps)"
    )


def test_steps_that_changed_something_are_not_told(tmp_path) -> None:
    path = tmp_path / "metrics.jsonl"
    with MetricLog(path) as log:
        log.log(1, {"training/skipped_steps": 0.0}, stage="a")
        log.log(2, {"training/skipped_steps": 1.0}, stage="b")
        log.log(3, {"training/skipped_steps": 0.0}, stage="b")
    assert skipped_message(path, "a") == ""
    assert skipped_message(path, "b").startswith("b: 1 of 2 steps changed nothing")


def test_lost_metrics_are_told_and_training_goes_on(parts, tmp_path, caplog) -> None:
    settings = {"output": tmp_path / "t", "model": parts.model}
    changes = (*TINY_TRAINING, "training.num_steps=4")
    with pytest.raises(KeyboardInterrupt):
        api.train(parts.questions, overrides=changes, listener=Told(3), **settings)
    metrics = tmp_path / "t/metrics.jsonl"
    metrics.write_text("".join(metrics.read_text("utf-8").splitlines(True)[:2]), "utf-8")
    with caplog.at_level(logging.WARNING):
        trained = api.train(parts.questions, overrides=changes, **settings)
    assert "lacks 2 of the 3 steps that are in the checkpoint (step 2, 3)" in caplog.text
    assert trained.num_steps == 4
    assert [row.step for row in read_metrics(metrics)] == [1, 4]
    metrics.unlink()
    assert api.train(parts.questions, overrides=changes, **settings).num_steps == 0


def test_no_step_is_lost_where_all_are_logged() -> None:
    rows = [MetricRow(step=step, stage="", metrics={}) for step in (1, 2, 2)]
    assert lost_steps_message(rows, 2) == ""
    assert "(step 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, ...)" in lost_steps_message(rows, 20)


def test_rows_that_are_all_held_out_are_refused_with_what_to_do(parts, tmp_path) -> None:
    source = rows_of(tmp_path / "rows.jsonl", range(4), split="test")
    with pytest.raises(DataError, match=r"\(all 4 are held out\).* as rows.validation_file"):
        api.train(source, output=tmp_path / "t", model=parts.model, overrides=TINY_TRAINING)
    train = rows_of(tmp_path / "train.jsonl", range(12), split=Split.TRAIN.value)
    changes = (*TINY_TRAINING, "training.validation.every_steps=1")
    with pytest.raises(DataError, match="there are no held-out examples; give rows with split="):
        api.train(train, output=tmp_path / "t", model=parts.model, overrides=changes)


def test_fine_tuning_on_a_folder_says_which_rows_are_wanted(parts, tmp_path) -> None:
    with pytest.raises(DataError, match=r"learns worked answers; expected a file of rows"):
        api.train(parts.questions, output=tmp_path / "t", model=parts.model, stage="sft")
    assert not (tmp_path / "t").exists()


def test_rows_too_long_to_be_learned_are_told(parts, tmp_path) -> None:
    rows = [{"prompt": "a", "response": "b " * (500 if place == 2 else 1)} for place in range(4)]
    path = tmp_path / "chats.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    listener = Told()
    changes = ("sft.max_tokens=100", "sft.num_epochs=1", "sft.batch_size=4")
    api.train(
        path,
        output=tmp_path / "t",
        model=parts.model,
        stage="sft",
        overrides=changes,
        listener=listener,
    )
    assert listener.messages == ["left out of 4 rows: 1 with over 100 tokens"]
