"""The scripts in examples/ run, one after the other, at toy size."""

import runpy

import pytest

from repository import ROOT
from tiny_folder import TINY_TRAINING, toy


def _run(name: str, *arguments: object) -> None:
    script = runpy.run_path(str(ROOT / "examples" / f"{name}.py"))
    script["main"](*map(str, arguments))


def test_example_reads_a_document(capsys) -> None:
    parts = toy()
    _run("read_document", parts.documents / "heapq.py", "What is heapq?", parts.model)
    shown = capsys.readouterr().out
    assert shown.startswith("section 1 of ")
    assert "tokens read; answer:" in shown


def test_examples_train_merge_and_evaluate(tmp_path, capsys) -> None:
    parts = toy()
    _run("train_stage", parts.questions, tmp_path / "t", parts.model, *TINY_TRAINING)
    trained = tmp_path / "t/checkpoints/stage-1/final"
    _run("merge_models", tmp_path / "merged", parts.model, trained, parts.model)
    _run("evaluate_checkpoint", parts.questions, parts.model, tmp_path / "merged", 1, tmp_path)
    shown = capsys.readouterr().out
    assert "stage-1 2/2  reward" in shown
    assert "opposite directions" in shown
    assert "difference" in shown


@pytest.mark.slow
def test_example_makes_questions(tmp_path, capsys) -> None:
    parts = toy()
    _run("synthesize_documents", parts.documents, tmp_path / "questions", parts.model, 5)
    assert "because:" in capsys.readouterr().out


def test_examples_are_short() -> None:
    scripts = sorted((ROOT / "examples").glob("*.py"))
    assert len(scripts) == 5
    assert all(len(script.read_text("utf-8").splitlines()) < 60 for script in scripts)
