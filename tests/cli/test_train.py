"""`longloom train`: own rows, fine-tuning, the plan, trackers."""

import json
import sys

import pytest

from tiny_folder import TINY_TRAINING

SETS = [word for override in TINY_TRAINING for word in ("--set", override)]


@pytest.fixture
def rows(tmp_path) -> str:
    """Write rows as TRL has them."""
    lines = [
        json.dumps({"prompt": f"What is {number} + 1? The answer is ...", "answer": number + 1})
        for number in range(8)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines) + "\n")
    return "rows.jsonl"


@pytest.fixture
def chats(tmp_path) -> str:
    lines = [json.dumps({"prompt": f"{n} + 1?", "response": f"{n + 1}"}) for n in range(5)]
    (tmp_path / "chats.jsonl").write_text("\n".join(lines) + "\n")
    return "chats.jsonl"


def test_own_rows_are_trained_on_as_the_task_says(longloom, parts, rows) -> None:
    call = ("train", rows, "-o", "t", "--model", parts.model, *SETS)
    shown = longloom(*call)
    assert shown.code == 2
    assert shown.err.startswith("error: 8 rows of ")
    assert "say which task it is with --task TASK" in shown.err
    shown = longloom(*call, "--task", "numerical")
    assert shown.code == 0, shown.err
    assert "trained 2 steps" in shown.out


def test_fine_tuning_prints_a_line_per_step(longloom, parts, chats) -> None:
    shown = longloom(
        "train", chats, "-o", "t", "--model", parts.model, "--stage", "sft",
        "--set", "sft.batch_size=2", "--set", "sft.num_epochs=1",
    )  # fmt: skip
    assert shown.code == 0, shown.err
    lines = [line for line in shown.out.splitlines() if line.startswith("sft ")]
    assert [line.split()[1] for line in lines] == ["1/3", "2/3", "3/3"]
    assert all(len(line) < 100 for line in shown.out.splitlines()[:-1])


def test_dry_run_shows_settings_work_and_memory_and_touches_nothing(
    longloom, parts, tmp_path
) -> None:
    shown = longloom(
        "train", parts.questions, "-o", "t", "--model", parts.model, "--dry-run", *SETS
    )
    assert shown.code == 0, shown.err
    assert "\n  num_steps: 2\n" in shown.out
    plan = {line[:9].strip(): line[9:].strip() for line in shown.out.splitlines()}
    assert plan["rollouts"] == "20"  # 2 steps, 5 prompts, 2 rollouts
    assert plan["sampled"] == "640 tokens at most"  # of 32 tokens each
    assert plan["judge"] == "none: rules alone"
    assert "memory plan (" in shown.out
    assert "\n  fits\n" in shown.out
    assert shown.out.endswith("run folder: t\n")
    assert not list(tmp_path.iterdir())


def test_plan_of_a_file_counts_its_rows(longloom, parts, chats, tmp_path) -> None:
    shown = longloom(
        "train", chats, "-o", "t", "--model", parts.model, "--stage", "sft", "--dry-run",
        "--set", "sft.batch_size=2",
    )  # fmt: skip
    assert shown.code == 0, shown.err
    assert "about 5 rows of" in shown.out
    assert "9 at most (3 epochs of 2 rows)" in shown.out
    assert [path.name for path in tmp_path.iterdir()] == [chats]


def test_plan_that_does_not_fit_says_what_to_change(longloom, parts) -> None:
    shown = longloom(
        "train", parts.questions, "-o", "t", "--model", parts.model, "--dry-run",
        "--set", "training.max_prompt_tokens=2000000000", "--set", "training.group_size=64",
        "--set", "engine.max_batch_tokens=2000000000",
    )  # fmt: skip
    assert shown.code == 0, shown.err
    assert "does not fit: the stage needs" in shown.out


def test_metrics_are_shown_in_tensorboard_too(longloom, parts, tmp_path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    call = ("train", parts.questions, "-o", "t", "--model", parts.model, *SETS)
    shown = longloom(*call, "--track", "tensorboard")
    assert shown.code == 0, shown.err
    accumulator = events.EventAccumulator(str(tmp_path / "t/tensorboard"))
    accumulator.Reload()
    assert [event.step for event in accumulator.Scalars("critic/score/mean")] == [1, 2]
    assert [event.step for event in accumulator.Scalars("reward/mean")] == [1, 2]


def test_missing_tracker_is_said_before_anything_is_trained(longloom, parts, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    call = ("train", parts.questions, "-o", "t", "--model", parts.model, *SETS)
    shown = longloom(*call, "--track", "wandb")
    assert shown.code == 2
    assert "pip install 'longloom[track]'" in shown.err
    shown = longloom(*call)
    assert shown.code == 0, shown.err


def test_unknown_tracker_is_refused(longloom, parts) -> None:
    shown = longloom("train", parts.questions, "-o", "t", "--track", "paper")
    assert shown.code == 2
    assert "'paper'" in shown.err


def test_window_lengthened_by_yarn_stays_with_the_trained_model(longloom, parts, tmp_path) -> None:
    shown = longloom(
        "train", parts.questions, "-o", "t", "--model", parts.model, *SETS,
        "--set", "yarn={factor: 4, original_window_tokens: 512}",
    )  # fmt: skip
    assert shown.code == 0, shown.err
    config = json.loads((tmp_path / "t/checkpoints/stage-1/final/config.json").read_text())
    assert config["max_position_embeddings"] == 2_048


def test_logged_rollouts_are_exported_as_verl_dumps_them(longloom, parts, tmp_path) -> None:
    call = ("train", parts.questions, "-o", "t", "--model", parts.model, *SETS)
    longloom(*call, "--set", "logged_groups=all")
    shown = longloom("export", "t", "-o", "dump.jsonl", "--for", "rollouts")
    assert (shown.code, shown.out) == (0, "20 rollouts: dump.jsonl\n")
    dumped = [json.loads(line) for line in (tmp_path / "dump.jsonl").read_text().splitlines()]
    assert all(set(line) == {"input", "output", "gts", "score", "step"} for line in dumped)
    assert sorted(line["step"] for line in dumped) == [1] * 10 + [2] * 10
    none = longloom("export", parts.questions, "-o", "none.jsonl", "--for", "rollouts")
    assert none.code == 2
    assert "holds no rollouts.jsonl" in none.err
