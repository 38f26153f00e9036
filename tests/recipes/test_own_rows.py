"""Somebody's own files, trained on as they are."""

import json
import os
import shutil
from pathlib import Path

import pytest

from longloom.errors import ConfigError, DataError
from longloom.recipes import api
from longloom.recipes.stage_data import rows_file
from longloom.recipes.stage_settings import parse_tasks
from longloom.report import ROLLOUT_SCHEMA
from longloom.runlog import read_manifest, read_metrics, read_records
from longloom.synthesis.rows import RowsConfig, RowStore, importing
from tiny_folder import TINY_TRAINING, Toy, toy

MODULES = ("heapq", "sched", "bisect", "copy", "glob", "gzip", "shelve", "queue")


@pytest.fixture(scope="module")
def parts() -> Toy:
    return toy()


def row(number: int, **changes):
    module = MODULES[number % len(MODULES)]
    chat = [{"role": "user", "content": f"{number} import {module}. What is the module? answer is"}]
    return {
        "data_source": "my/modules",
        "prompt": chat,
        "reward_model": {"style": "rule", "ground_truth": module},
        "extra_info": {"split": "test" if number >= 8 else "train"},
        **changes,
    }


@pytest.fixture
def source(tmp_path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row(number)) + "\n" for number in range(12)), "utf-8")
    return path


OVERRIDES = (*TINY_TRAINING, "logged_groups=all")
TASKS = ("my/modules=reading_comprehension",)


def test_rows_are_trained_on_with_their_own_prompts(parts, source, tmp_path) -> None:
    trained = api.train(
        source,
        output=tmp_path / "t",
        model=parts.model,
        overrides=(*OVERRIDES, "training.validation.every_steps=1"),
        tasks=TASKS,
    )
    assert trained.num_steps == 2
    assert "reward/reading_comprehension" in trained.last_metrics
    assert "validation/reward_mean" in trained.last_metrics
    logged = read_records(tmp_path / "t/rollouts.jsonl", schema=ROLLOUT_SCHEMA).records
    assert len(logged) == 10  # every group of two steps
    for group in logged:
        number = int(group["sources"][0].rpartition("/")[2])
        assert number < 8
        assert row(number)["prompt"][0]["content"] in group["context_text"]
        assert group["answer"] == MODULES[number]
        for rollout in group["rollouts"]:
            assert rollout["turns"][0]["prompt_text"] == group["context_text"]


def test_same_rows_give_the_same_weights_from_any_file(parts, source, tmp_path) -> None:
    whole = source.with_suffix(".json")
    whole.write_text(json.dumps([row(number) for number in range(12)]), "utf-8")
    weights = [
        (
            api.train(
                path, output=tmp_path / f"t{i}", model=parts.model, overrides=OVERRIDES, tasks=TASKS
            ).model
            / "model.safetensors"
        ).read_bytes()
        for i, path in enumerate((source, whole))
    ]
    assert weights[0] == weights[1]


class Stopper(api.SilentListener):
    """Stops a training after its first step."""

    def on_step(self, stage: str, num_steps: int, result: object) -> None:
        raise KeyboardInterrupt


def test_resumed_training_neither_reads_nor_encodes_rows_again(
    parts, source, tmp_path, monkeypatch
) -> None:
    settings = {"model": parts.model, "overrides": OVERRIDES, "tasks": TASKS}
    whole = api.train(source, output=tmp_path / "whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        api.train(source, output=tmp_path / "two", listener=Stopper(), **settings)
    monkeypatch.setattr(importing, "read_plain_rows", None)
    resumed = api.train(source, output=tmp_path / "two", **settings)
    files = [outcome.model / "model.safetensors" for outcome in (whole, resumed)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_bad_rows_leave_no_folder(parts, source, tmp_path) -> None:
    with pytest.raises(DataError, match=r"12 rows of .* cannot be used"):
        api.train(source, output=tmp_path / "t", model=parts.model, overrides=OVERRIDES)
    assert not (tmp_path / "t").exists()


def test_rows_survive_a_training_that_is_begun_afresh(parts, source, tmp_path, monkeypatch) -> None:
    settings = {"output": tmp_path / "t", "model": parts.model, "tasks": TASKS}
    api.train(source, overrides=OVERRIDES, **settings)
    read = importing.read_plain_rows
    monkeypatch.setattr(importing, "read_plain_rows", None)
    others = (*OVERRIDES, "training.learning_rate=0.001")
    with pytest.raises(ConfigError, match="start it again with --fresh"):
        api.train(source, overrides=others, **settings)
    api.train(source, overrides=others, fresh=True, **settings)
    # Rows that changed since are read again.
    monkeypatch.setattr(importing, "read_plain_rows", read)
    source.write_text("".join(json.dumps(row(n)) + "\n" for n in range(7)), "utf-8")
    trained = api.train(source, overrides=OVERRIDES, fresh=True, **settings)
    assert trained.num_steps == 2
    assert len(list((tmp_path / "t/rows").iterdir())) == 1


def stored(folder: Path) -> list[str]:
    """Return the answers of the rows that a run folder keeps."""
    (kept,) = (folder / "rows").glob("*.arrow")
    return [example.answer for example in RowStore(kept).examples]


def test_rows_are_told_apart_by_what_they_hold_not_by_their_time(parts, source, tmp_path) -> None:
    settings = {"output": tmp_path / "t", "model": parts.model, "tasks": TASKS}
    api.train(source, overrides=OVERRIDES, **settings)
    times = (source.stat().st_atime, source.stat().st_mtime)
    other = [row(number, reward_model={"ground_truth": "zlib"}) for number in range(12)]
    source.write_text("".join(json.dumps(plain) + "\n" for plain in other), "utf-8")
    os.utime(source, (times[0] - 100, times[1] - 100))  # as `cp -p` and `mv` leave it
    api.train(source, overrides=OVERRIDES, fresh=True, **settings)
    assert stored(tmp_path / "t") == ["zlib"] * 12


def test_other_rows_for_validation_are_read_again(parts, source, tmp_path) -> None:
    held_out = tmp_path / "held_out.jsonl"
    held_out.write_text(json.dumps(row(20)) + "\n", "utf-8")
    changes = (*OVERRIDES, f"rows.validation_file={held_out}")
    settings = {"output": tmp_path / "t", "model": parts.model, "tasks": TASKS}
    api.train(source, overrides=changes, **settings)
    held_out.write_text(json.dumps(row(21)) + "\n", "utf-8")
    with pytest.raises(ConfigError, match=r"other content of rows.validation_file \(.*held_out"):
        api.train(source, overrides=changes, **settings)
    api.train(source, overrides=changes, fresh=True, **settings)
    assert stored(tmp_path / "t")[-1] == MODULES[21 % len(MODULES)]


def test_other_tokenizer_at_the_same_place_makes_other_rows(parts, source, tmp_path) -> None:
    model = shutil.copytree(parts.model, tmp_path / "model")
    settings = RowsConfig(tasks={"*": "multi_hop"})
    places = {"run_folder": tmp_path / "t", "model": model}
    first = rows_file(source, settings, **places)
    assert rows_file(source, settings, **places) == first
    text = (model / "tokenizer_config.json").read_text("utf-8")
    (model / "tokenizer_config.json").write_text(text + " ", "utf-8")
    assert rows_file(source, settings, **places) != first


def test_resumed_training_refuses_other_rows_and_another_model(parts, source, tmp_path) -> None:
    model = shutil.copytree(parts.model, tmp_path / "model")
    settings = {"output": tmp_path / "t", "model": model, "overrides": OVERRIDES, "tasks": TASKS}
    with pytest.raises(KeyboardInterrupt):
        api.train(source, listener=StopsAtSecond(), **settings)
    text = source.read_text("utf-8")
    source.write_text(text.replace("What is", "Name"), "utf-8")
    with pytest.raises(ConfigError, match=r"other content of examples \(.*rows.jsonl\)"):
        api.train(source, **settings)
    source.write_text(text, "utf-8")
    weights = model / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ConfigError, match=r"other content of model \(.*model\)"):
        api.train(source, **settings)
    weights.write_bytes(content)
    assert api.train(source, **settings).num_steps == 2


class StopsAtSecond(api.SilentListener):
    """Stops a training whose first step is saved."""

    def on_step(self, stage: str, num_steps: int, result: object) -> None:
        if result.step == 2:
            raise KeyboardInterrupt


def test_settings_of_a_training_that_saved_nothing_may_be_replaced(parts, source, tmp_path) -> None:
    settings = {"output": tmp_path / "t", "model": parts.model, "tasks": TASKS}
    with pytest.raises(KeyboardInterrupt):
        api.train(source, overrides=OVERRIDES, listener=Stopper(), **settings)
    others = (*OVERRIDES, "training.learning_rate=0.25")
    assert api.train(source, overrides=others, **settings).num_steps == 2
    manifest = read_manifest(tmp_path / "t/run.yaml")
    assert manifest.config["training"]["learning_rate"] == 0.25
    with pytest.raises(
        ConfigError, match=r"training.learning_rate is 0.25 there and .* here; choose another"
    ):
        api.train(source, overrides=OVERRIDES, **settings)


def test_memory_agent_needs_documents_apart_from_questions(parts, source, tmp_path) -> None:
    with pytest.raises(ConfigError, match="longloom import"):
        api.train(source, output=tmp_path / "t", model=parts.model, stage="memory", tasks=TASKS)


def test_tasks_are_given_for_all_rows_or_by_source() -> None:
    assert parse_tasks(["numerical", "a=b/c=multi_hop"]) == {
        "*": "numerical",
        "a=b/c": "multi_hop",
    }
    with pytest.raises(ConfigError, match="'sums' is unknown; expected one of dialogue_memory"):
        parse_tasks(["a=sums"])


CHATS = [
    {"messages": [{"role": "user", "content": f"import {m}"}, {"role": "assistant", "content": m}]}
    for m in MODULES
]
SFT = ("sft.batch_size=3", "sft.num_epochs=2", "sft.learning_rate=0.01")


@pytest.fixture
def chats(tmp_path) -> Path:
    path = tmp_path / "chats.jsonl"
    path.write_text("".join(json.dumps(chat) + "\n" for chat in CHATS), "utf-8")
    return path


def test_stage_sft_learns_chats_with_any_recipe(parts, chats, tmp_path) -> None:
    trained = api.train(chats, output=tmp_path / "t", model=parts.model, stage="sft", overrides=SFT)
    assert trained.num_steps == 6  # 8 rows by 3, twice
    losses = [
        row.metrics["training/nll_nats"] for row in read_metrics(tmp_path / "t/metrics.jsonl")
    ]
    assert losses[-1] < losses[0]
    again = api.train(chats, output=tmp_path / "t", model=parts.model, stage="sft", overrides=SFT)
    assert again.num_steps == 6


def test_stopped_fine_tuning_resumes_to_the_same_weights(parts, chats, tmp_path) -> None:
    settings = {"model": parts.model, "stage": "sft", "overrides": SFT}
    whole = api.train(chats, output=tmp_path / "whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        api.train(chats, output=tmp_path / "two", listener=Stopper(), **settings)
    resumed = api.train(chats, output=tmp_path / "two", **settings)
    files = [outcome.model / "model.safetensors" for outcome in (whole, resumed)]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert [row.step for row in read_metrics(tmp_path / "two/metrics.jsonl")] == [*range(1, 7)]


def test_rows_without_answers_cannot_be_fine_tuned_on(parts, source, tmp_path) -> None:
    with pytest.raises(DataError, match="12 rows of"):
        api.train(source, output=tmp_path / "t", model=parts.model, stage="sft")
