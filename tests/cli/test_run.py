"""`longloom run`: lines, plan, interruption, resumption."""

import signal

import pytest

from longloom.cli import run_console
from longloom.recipes.catalogue import load_config
from longloom.recipes.recipe_yaml import recipe_yaml
from tiny_folder import tiny_run


@pytest.fixture
def short_recipe(parts, tmp_path) -> str:
    """Write two tiny stages and one small evaluation as a recipe file."""
    config = load_config("tiny-cpu", overrides=tiny_run(parts))
    config = config.replace(
        stages=config.stages[:2],
        evaluation=config.evaluation.replace(num_documents=0, num_questions=2, num_samples=1),
    )
    (tmp_path / "short.yaml").write_text(recipe_yaml(config))
    return "short.yaml"


def test_dry_run_prints_settings_and_plan_and_touches_nothing(longloom, tmp_path) -> None:
    shown = longloom("run", "tiny-cpu", "--dry-run", "--seed", 3)
    assert shown.code == 0, shown.err
    assert "\nseed: 3\n" in shown.out
    assert shown.out.endswith("run folder: runs/tiny-cpu-seed-3\n")
    peaks = shown.out.partition("\nmemory   peak")[2].splitlines()[1:6]
    stages = ["stage-1", "stage-2", "stage-3", "memory", "final"]
    assert [line.split()[0] for line in peaks] == stages
    assert all(float(line.split()[1]) > 0.05 and " GB of c" in line for line in peaks)
    assert not list(tmp_path.iterdir())


def test_plan_counts_rollouts_and_tokens(longloom) -> None:
    # 24 steps of 15 prompts, 8 rollouts each, answers of at most 32 tokens.
    sizes = ("num_steps=24", "sampling.batch_size=15", "group_size=8", "max_response_tokens=32")
    words = [word for size in sizes for word in ("--set", f"stages.0.training.{size}")]
    plan = longloom("run", "tiny-cpu", "--dry-run", *words).out
    line = next(line for line in plan.splitlines() if line.startswith("stage-1 "))
    assert line.split()[3:5] == ["24", "2,880"]
    assert line.endswith("92,160 tokens")


def test_plan_without_the_model_at_hand_says_so(longloom) -> None:
    shown = longloom("run", "qwenlong-l1", "--dry-run")
    assert shown.code == 0, shown.err
    assert "\nmemory: not known (model 'deepseek-ai/" in shown.out


@pytest.fixture
def ctrl_c():
    """Let SIGINT interrupt, also where the tests were started with it ignored (in a background)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("ctrl_c")
def test_interrupted_run_resumes_to_the_same_weights(
    longloom, short_recipe, tmp_path, monkeypatch
) -> None:
    whole = longloom("run", short_recipe, "-o", "whole")
    assert whole.code == 0, whole.err
    assert whole.out.endswith("report: whole/report.html\n")
    assert all(len(line) < 100 for line in whole.out.splitlines())

    again = longloom("run", short_recipe, "-o", "whole")
    assert again.code == 0
    assert "evaluated" not in again.out
    assert again.out.endswith("report: whole/report.html\n")

    show = run_console.training_line

    def show_and_interrupt(stage: str, num_steps: int, result: object) -> str:
        if (stage, result.step) == ("stage-1", 2):
            signal.raise_signal(signal.SIGINT)
        return show(stage, num_steps, result)

    monkeypatch.setattr(run_console, "training_line", show_and_interrupt)
    stopped = longloom("run", short_recipe, "-o", "stopped")
    assert stopped.code == 130
    last = stopped.err.strip().splitlines()[-1]
    assert last == "interrupted; the same command continues where it stopped"
    monkeypatch.setattr(run_console, "training_line", show)
    resumed = longloom("run", short_recipe, "-o", "stopped")
    assert resumed.code == 0, resumed.err
    assert "  1/2 " not in resumed.out
    final = "checkpoints/stage-2/model.safetensors"
    assert (tmp_path / "whole" / final).read_bytes() == (tmp_path / "stopped" / final).read_bytes()


@pytest.mark.slow
def test_whole_recipe_runs_and_starts_afresh(longloom, parts, tmp_path) -> None:
    words = [word for override in tiny_run(parts) for word in ("--set", override)]
    call = ["run", "tiny-cpu", "-o", "run", *words]
    first = longloom(*call)
    assert first.code == 0, first.err
    final = tmp_path / "run/checkpoints/final/model.safetensors"
    weights = final.read_bytes()
    (tmp_path / "run/notes.txt").write_text("mine")
    fresh = longloom(*call, "--fresh")
    assert fresh.code == 0, fresh.err
    assert "  1/2 " in fresh.out
    assert final.read_bytes() == weights
    assert (tmp_path / "run/notes.txt").read_text() == "mine"
    other = longloom("run", "tiny-cpu", "-o", "run", *words, "--set", "memory.chunk_tokens=150")
    assert other.code == 0, other.err
    assert "stage-3: done before (key " in other.out
    assert "memory: memory.chunk_tokens is 150, in memory-" in other.out
    assert final.read_bytes()
    back = longloom(*call)
    assert "computed" not in back.out
    assert "final: done before (key " in back.out
    assert final.read_bytes() == weights


def test_parts_and_cleaning_are_refused_in_one_line(longloom, tmp_path) -> None:
    wrong = longloom("run", "tiny-cpu", "--until", "stage-4", "--dry-run")
    assert wrong.code == 2
    assert "--until stage-4: the recipe has no such stage; did you mean 'stage-" in wrong.err
    clean = longloom("run", "tiny-cpu", "--clean")
    assert (clean.code, clean.err.strip()) == (
        2,
        "error: runs/tiny-cpu is no run folder; expected one that `run` has written",
    )
    both = longloom("run", "tiny-cpu", "--clean", "--from", "stage-1")
    assert "--clean was given with --from stage-1" in both.err
    nothing = longloom("watch")
    assert (nothing.code, nothing.err.splitlines()[0][:27]) == (2, "error: no run lies in runs;")
    assert longloom("watch", tmp_path, "--once").out.splitlines()[-1] == "nothing is written yet"
    assert not list(tmp_path.iterdir())


def test_line_of_a_step_is_aligned_with_its_heading() -> None:
    from longloom.training.loop import StepResult

    metrics = {
        "reward/mean": 0.5, "reward/numerical": 1.0, "training/entropy_nats": 0.43,
        "training/negatives_on": 0.0, "rollout/response_tokens": 31.5,
        "training/step_seconds": 12.34,
    }  # fmt: skip
    line = run_console.training_line("stage-1", 24, StepResult(step=3, groups=(), metrics=metrics))
    assert line == (
        "stage-1      3/24   0.500       -       -       -       -   1.000   0.4300  off    31.5"
        "     12.3"
    )
    assert len(line) == len(run_console.HEADING) < 100
