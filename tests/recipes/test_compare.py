"""`compare` over folders: evaluations, runs of a recipe, and folders that are neither."""

import html
import re
import shutil
from pathlib import Path

import pytest

from evaluation_folder import benchmark, evaluation, question, scored, write_evaluation
from longloom.errors import ConfigError, DataError
from longloom.evaluation.cells import EvaluationCell, ExampleScore, write_cell
from longloom.evaluation.questions import Asked
from longloom.recipes.api import compare, comparison_notes, report_markdown, write_report
from longloom.records import TaskType
from longloom.runlog import RunFolder, describe_run, write_manifest

HOSTILE = "<script>alert(1)</script>"


def plain_text(path: Path) -> str:
    body = re.sub(r"<style\b.*?</style>", "", path.read_text("utf-8"), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def run_of(folder: Path, *scores: float, **fields: object) -> Path:
    own = [
        question(number, scored(score, extracted=f"said {score:.0f} {HOSTILE}"), golds=(HOSTILE,))
        for number, score in enumerate(scores)
    ]
    return write_evaluation(folder, evaluation(benchmark(own), **fields))


def recipe_run(folder: Path, *rewards: float, seed: int = 0, temperature: float = 0.7) -> Path:
    run = RunFolder(folder)
    run.create()
    config = {"evaluation": {"temperature": temperature}, "stages_of": "training", "judge": None}
    write_manifest(
        run.run_file, describe_run(recipe="tiny-cpu", seed=seed, num_threads=1, config=config)
    )
    scores = tuple(
        ExampleScore(
            example_id=f"e{number}",
            task_type=TaskType.MULTI_HOP,
            rewards=(reward,),
            num_prompt_tokens=9,
            finish="stop",
        )
        for number, reward in enumerate(rewards)
    )
    if scores:
        cell = EvaluationCell(
            checkpoint="final",
            suite="stage-1",
            agent="single_pass",
            num_samples=1,
            max_prompt_tokens=96,
            seconds=1.0,
            scores=scores,
        )
        write_cell(folder / "evaluation", cell)
    return folder


def test_two_evaluations_are_compared_and_their_flips_shown(tmp_path: Path) -> None:
    before = run_of(tmp_path / "before", 0, 0, 1, 1)
    after = run_of(tmp_path / "after", 1, 0, 0, 1, model="model-b")
    page = tmp_path / "flips.html"
    found = compare(before, after, output=page)
    assert (found.baseline, found.candidate) == ("before", "after")
    (one,) = found.paired
    assert (one.difference.value, one.num_won, one.num_lost) == (0.0, 1, 1)
    text = plain_text(page)
    assert "after against before" in text
    assert "B after: model-b" in text
    assert "1 won q0 A 0.0 , B 100.0" in text
    assert "1 lost q2 A 100.0 , B 0.0" in text
    assert "are not at hand" in text
    assert f"said 1 {HOSTILE}" in text
    assert HOSTILE not in page.read_text("utf-8")
    assert "http" not in page.read_text("utf-8").replace("http-equiv", "")


def test_the_page_shows_questions_and_evidence_where_texts_are_at_hand(tmp_path: Path) -> None:
    page = tmp_path / "flips.html"
    compare(
        run_of(tmp_path / "a", 0),
        run_of(tmp_path / "b", 1),
        output=page,
        asked_of=lambda name, key: Asked(context="in the text", query=f"What is {key}?"),
    )
    assert "What is q0?" in plain_text(page)
    assert "not at hand" not in plain_text(page)


def test_each_side_shows_an_answer_that_explains_its_score(tmp_path: Path) -> None:
    def run(name: str, *scores: float) -> Path:
        answers = [scored(score, extracted=f"{name} {score:.0f}") for score in scores]
        return write_evaluation(
            tmp_path / name, evaluation(benchmark([question(0, *answers, golds=())]))
        )

    page = tmp_path / "page.html"
    compare(run("first", 1, 0, 0), run("second", 0, 1, 1), output=page)
    assert "A, one of 3 answers first 0" in plain_text(page)
    assert "B, one of 3 answers second 1" in plain_text(page)


def test_parity_and_strict_may_disagree(tmp_path: Path) -> None:
    folders = [
        write_evaluation(tmp_path / name, evaluation(benchmark([question(0, scored(*both))])))
        for name, both in (("a", (0.0, 1.0)), ("b", (1.0, 0.0)))
    ]
    assert compare(*folders).paired[0].difference.value == 1.0
    assert compare(*folders, mode="parity").paired[0].difference.value == -1.0
    with pytest.raises(ConfigError, match="mode 'both' is unknown; expected parity or strict"):
        compare(*folders, mode="both")


def test_notes_say_what_is_left_out_and_what_is_unfair(tmp_path: Path) -> None:
    before = run_of(tmp_path / "a", 0, 1, 1)
    after = run_of(tmp_path / "b", 0, agent="memory", settings={"seed": 3, "temperature": 0.7})
    assert comparison_notes(compare(before, after)) == [
        "FRAMES: 2 questions in A only, left out, for example q1",
        "not the same: agent: A single_pass, B memory",
        "not the same: seed: A 0, B 3",
    ]


def test_two_runs_are_compared_cell_by_cell(tmp_path: Path) -> None:
    before = recipe_run(tmp_path / "a", 0, 0, 1)
    after = recipe_run(tmp_path / "b", 1, 1, 1, seed=4, temperature=1.0)
    page = tmp_path / "page.html"
    found = compare(before, after, output=page)
    (one,) = found.paired
    assert one.name == "final, stage-1, single_pass"
    assert one.difference.value == pytest.approx(2 / 3)
    assert (one.num_won, one.num_lost) == (2, 0)
    assert [(each.name, each.baseline, each.candidate) for each in found.unlike] == [
        ("evaluation.temperature", "0.7", "1.0"),
        ("seed", "0", "4"),
    ]
    assert "2 won" in plain_text(page)
    assert "e0 0.0 100.0" in plain_text(page)
    # Folders that `evaluate` wrote cells into have no run.yaml.
    by_hand = [
        shutil.copytree(one / "evaluation", tmp_path / f"{one.name}-cells")
        for one in (before, after)
    ]
    assert compare(*by_hand).paired[0].difference.value == one.difference.value


def test_folders_that_cannot_be_compared_say_why(tmp_path: Path) -> None:
    done = run_of(tmp_path / "done", 1)
    empty = tmp_path / "empty"
    empty.mkdir()
    unfinished = tmp_path / "unfinished"
    shutil.copytree(done, unfinished)
    (unfinished / "results.json").unlink()
    run = recipe_run(tmp_path / "run", 1)
    bare = recipe_run(tmp_path / "bare")
    other = run_of(tmp_path / "other", 1)
    for first, second, message in (
        (done, tmp_path / "none", "none does not exist"),
        (empty, done, "is no run: it has neither results.json nor run.yaml"),
        (done, unfinished, "has not ended"),
        (done, run, "is an evaluation and .* is a run with evaluated checkpoints"),
        (run, bare, "no evaluated checkpoint yet"),
    ):
        with pytest.raises(DataError, match=message):
            compare(first, second)
    with pytest.raises(ConfigError, match=r"ends in \.html"):
        compare(done, other, output=tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_the_report_of_an_evaluation_is_made_anew(tmp_path: Path) -> None:
    folder = run_of(tmp_path / "run", 1, 0)
    assert write_report(folder) == folder / "report.html"
    assert "| FRAMES | 2 | 50.0 (" in report_markdown(folder)
    (folder / "results.json").unlink()
    with pytest.raises(DataError, match="no finished evaluation"):
        write_report(folder)
