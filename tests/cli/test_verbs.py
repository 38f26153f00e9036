"""Every verb does its work on the files that the others write."""

import json
import shutil

import pytest

from longloom.recipes.catalogue import RECIPES
from tiny_folder import TINY_TRAINING


def _sets(*overrides: str) -> list[str]:
    return [word for override in overrides for word in ("--set", override)]


def test_synthesize_writes_examples_and_counts_them(longloom, parts, tmp_path) -> None:
    shown = longloom(
        "miniature", parts.documents, "-o", "questions", "--model", parts.model,
        "--train", 5, "--held-out", 5, *_sets("synthesis.length_bands=[96]"),
    )  # fmt: skip
    assert shown.code == 0, shown.err
    assert "5 for training, 5 held out\nexamples: questions\n" in shown.out
    written = sorted(path.name for path in (tmp_path / "questions").iterdir())
    assert written == ["contexts.parquet", "examples.parquet", "summary.json"]


def test_train_prints_a_line_per_step_and_resumes_when_finished(longloom, parts, tmp_path) -> None:
    call = ("train", parts.questions, "-o", "t", "--model", parts.model, *_sets(*TINY_TRAINING))
    shown = longloom(*call)
    assert shown.code == 0, shown.err
    lines = [line for line in shown.out.splitlines() if line.startswith("stage-1 ")]
    assert [line.split()[1] for line in lines] == ["1/2", "2/2"]
    assert all(len(line) < 100 for line in lines)
    assert shown.out.endswith("model: t/checkpoints/stage-1/final\n")
    weights = (tmp_path / "t/checkpoints/stage-1/final/model.safetensors").read_bytes()
    again = longloom(*call)
    assert again.code == 0
    assert "stage-1 " not in again.out
    assert (tmp_path / "t/checkpoints/stage-1/final/model.safetensors").read_bytes() == weights


def test_models_are_trained_by_memory_merged_and_evaluated(longloom, parts, tmp_path) -> None:
    trained = longloom(
        "train", parts.long_questions, "-o", "notes", "--model", parts.model, "--stage", "memory",
        *_sets("training.num_steps=1", "training.group_size=2", "training.sampling.batch_size=3"),
    )  # fmt: skip
    assert trained.code == 0, trained.err
    final = "notes/checkpoints/memory/final"
    merged = longloom("merge", final, parts.model, "--pivot", parts.model, "-o", "merged")
    assert merged.code == 0, merged.err
    assert merged.out.endswith("model: merged\n")
    call = ("evaluate", parts.questions, "--model", "merged", "-o", "scores")
    evaluated = longloom(*call, "--samples", 2, "--questions", 5)
    assert evaluated.code == 0, evaluated.err
    lines = (tmp_path / "scores/scores.jsonl").read_text("utf-8").splitlines()[1:]
    assert [len(json.loads(line)["answers"]) for line in lines] == [2] * 5
    assert evaluated.out.endswith("report: scores/report.html\n")


@pytest.mark.parametrize("agent", ["memory", "single_pass", "closed_book"])
def test_long_documents_are_evaluated_by_every_agent(longloom, parts, agent, tmp_path) -> None:
    call = ("evaluate", parts.long_questions, "--model", parts.model, "--agent", agent)
    shown = longloom(*call, "-o", "scores")
    assert shown.code == 0, shown.err
    answers = (tmp_path / "scores/answers.jsonl").read_text("utf-8").splitlines()[1:]
    found = [json.loads(line) for line in answers]
    assert [one["failure"] for one in found] == [""] * len(found)
    assert {one["is_prompt_cut"] for one in found} == {agent == "single_pass"}


def test_mergekit_file_is_a_merge(longloom, parts, tmp_path) -> None:
    for name in ("first", "second"):
        shutil.copytree(parts.model, tmp_path / name)
    (tmp_path / "merge.yaml").write_text(
        f"merge_method: sce\nbase_model: {parts.model}\nmodels:\n"
        "  - model: first\n  - model: second\n"
    )
    shown = longloom("merge", "merge.yaml", "-o", "merged")
    assert shown.code == 0, shown.err
    assert (tmp_path / "merged/model.safetensors").is_file()


def test_reading_shows_sections_and_saves_the_history(longloom, parts, tmp_path) -> None:
    shown = longloom(
        "read", parts.documents / "heapq.py", "-q", "What is the module of heappush?",
        "--model", parts.model, "--mode", "memory", "-o", "history.json",
    )  # fmt: skip
    assert shown.code == 0, shown.err
    saved = json.loads((tmp_path / "history.json").read_text())
    assert (saved["schema"], saved["version"]) == ("longloom.reading", 2)
    (history,) = saved["readings"]
    num_sections = len(history["sections"])
    assert num_sections > 1
    first, *lines = shown.out.splitlines()
    assert first == f"sections to read: {num_sections}"
    assert [line.split("  ")[0] for line in lines[:num_sections]] == [
        f"section {index} of {num_sections}" for index in range(1, num_sections + 1)
    ]
    assert history["mode"] == "memory"


def test_reading_with_the_tiny_base_says_what_it_can_read(longloom, tmp_path) -> None:
    (tmp_path / "a.py").write_text("def f(a): pass\n")
    shown = longloom("read", "a.py", "-q", "What is the module of f?")
    assert shown.code == 0, shown.err
    assert shown.out.startswith("tiny-base reads outlines of statements only; give a real model ")


@pytest.mark.parametrize(("window", "way"), [(1000, "in one pass"), (330, "section by section")])
def test_documents_beyond_the_window_are_read_in_sections(longloom, parts, window, way) -> None:
    call = ("read", parts.documents / "heapq.py", parts.documents / "sched.py", "-q", "Why?")
    shown = longloom(*call, "--model", parts.model, "--window", window)
    assert shown.code == 0, shown.err
    assert way in shown.out


def test_yarn_lengthens_the_window_of_a_model(longloom, parts) -> None:
    call = ("read", parts.documents / "heapq.py", "-q", "Why?", "--model", parts.model)
    shown = longloom(*call, "--window", 2000)
    assert (shown.code, "expected 1 to 1024" in shown.err) == (2, True)
    shown = longloom(*call, "--window", 2000, "--yarn-factor", 2)
    assert shown.code == 0, shown.err
    shown = longloom("evaluate", parts.questions, "--model", parts.model, "--yarn-factor", 0.5)
    assert (shown.code, "expected more than 1" in shown.err) == (2, True)


def test_report_of_a_stage_by_hand(longloom, parts, tmp_path) -> None:
    longloom("train", parts.questions, "-o", "t", "--model", parts.model, *_sets(*TINY_TRAINING))
    shown = longloom("report", "t")
    assert (shown.code, shown.out) == (0, "report: t/report.html\n")
    assert (tmp_path / "t/report.html").is_file()
    assert "seed 0" in longloom("report", "t", "--markdown").out


@pytest.mark.parametrize("kind", ["jsonl", "trl", "verl"])
def test_export_writes_one_file(longloom, parts, tmp_path, kind) -> None:
    shown = longloom("export", parts.questions, "-o", "all.out", "--for", kind)
    assert shown.code == 0, shown.err
    assert shown.out == "30 examples: all.out\n"


def test_recipes_are_listed_and_printed(longloom) -> None:
    listed = longloom("recipe")
    names = [line.split()[0] for line in listed.out.splitlines()[1:]]
    assert names == list(RECIPES)
    printed = longloom("recipe", "tiny-cpu", "--set", "seed=7")
    assert "\nseed: 7\n" in printed.out
    assert "# G, rollouts per prompt." in printed.out
    assert "#" not in longloom("recipe", "tiny-cpu", "--bare").out


def test_all_suites_and_benchmarks_are_listed(longloom) -> None:
    shown = longloom("evaluate", "--list")
    assert shown.code == 0, shown.err
    for name in ("qwenlong-l15 ", "held-out-tiny ", "longbench-v2 ", "ruler-4m ", "generated here"):
        assert name in shown.out
    nothing = longloom("evaluate")
    assert (nothing.code, "--list shows what there is" in nothing.err) == (2, True)
