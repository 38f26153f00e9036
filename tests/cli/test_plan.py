"""`longloom plan`: tables, JSON, and wrong calls."""

import json


def test_a_plan_shows_every_stage_and_what_was_assumed(longloom, tmp_path) -> None:
    shown = longloom("plan", "qwenlong-l15", "--gpus", 8, "--gpu-memory", 80, "--price", 2)
    assert shown.code == 0, shown.err
    tables = shown.out.split("\n\n")
    stages = ["stage-1", "stage-2", "stage-3", "memory", "final"]
    memory = next(table for table in tables if table.startswith("GB per device"))
    assert [line.split()[0] for line in memory.splitlines()[1:]] == stages
    times = next(table for table in tables if table.startswith("time"))
    assert [line.split()[0] for line in times.splitlines()[1:]] == [
        "stage-1", "stage-2", "stage-3", "memory", "merged", "final", "evaluation", "all",
    ]  # fmt: skip
    assert "cost" in times.splitlines()[0]
    assert "\n  mfu_training=0.35: " in shown.out
    assert "stage-3 does not fit 73.6 GB: " in shown.out
    assert "never been run here" in shown.out
    assert not list(tmp_path.iterdir())


def test_a_plan_is_printed_as_json(longloom) -> None:
    shown = longloom(
        "plan", "one-gpu-weekend", "--gpu", "h200", "--model", "qwen3-0.6b", "--json",
        "--assume", "answer_fraction=0.25", "--set", "stages.0.training.num_steps=50",
    )  # fmt: skip
    assert shown.code == 0, shown.err
    plan = json.loads(shown.out)
    assert plan["num_weights"] == 596_049_920
    assert plan["assumptions"]["answer_fraction"] == 0.25
    stage = plan["stages"][0]
    assert stage["num_rollouts"] == 50 * 20 * 8
    assert stage["drawn_tokens"] == 50 * 20 * 8 * 3_000
    assert stage["fits"]


def test_a_plan_of_the_cpu_at_hand_measures_it(longloom, parts) -> None:
    shown = longloom("plan", "tiny-cpu", "--cpu", "--model", parts.model)
    assert shown.code == 0, shown.err
    assert "this machine's CPU" in shown.out


def test_wrong_calls_are_answered_in_one_line(longloom) -> None:
    for words, message in (
        (("tiny-cpu", "--gpu", "h10"), "did you mean 'h100'?"),
        (("tiny-cpu", "--cpu", "--gpus", 2), "cpu and GPUs are both given"),
        (
            ("tiny-cpu", "--model", "nobody/nothing"),
            "neither a folder with a config.json nor known",
        ),
        (("tiny-cpu", "--assume", "mfu=1"), "unknown setting 'mfu'"),
        (("tiny-gpu",), "did you mean 'tiny-cpu'?"),
    ):
        shown = longloom("plan", *words)
        assert shown.code == 2
        assert message in shown.err
        assert len(shown.err.splitlines()) == 1
