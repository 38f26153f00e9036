"""Twins of woven examples are exact, verified like the originals, and about other names."""

import json
from pathlib import Path

import pytest

from longloom.executor import InlineExecutor
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.pipeline import synthesize_corpus
from longloom.synthesis.storage import read_examples
from longloom.synthesis.twinning import TwinSummary, write_twins
from longloom.synthesis.verification import verify_folder
from longloom.text.token_counts import EstimatedCounter
from synthesis.small_corpus import PEOPLE, write_small_corpus


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_small_corpus(tmp_path_factory.mktemp("corpus"))
    folder = tmp_path_factory.mktemp("woven")
    config = SynthesisConfig(
        documents=(str(root),),
        num_examples=150,
        min_context_tokens=1_500,
        max_context_tokens=4_000,
    )
    synthesize_corpus(config, folder=folder, executor=InlineExecutor())
    return folder


@pytest.fixture(scope="module")
def summary(folder: Path) -> TwinSummary:
    return write_twins(folder, 1.0, counter=EstimatedCounter(), seed=0, template="l1")


def test_most_examples_have_a_twin_that_verifies(folder: Path, summary: TwinSummary) -> None:
    num_originals = len(read_examples(folder)[0])
    assert summary.num_examples + sum(summary.refused.values()) == num_originals
    assert summary.num_examples > num_originals / 2
    report = verify_folder(folder / "twins")
    assert report.num_examples == summary.num_examples
    assert report.findings == ()


def test_twins_name_nobody_of_the_originals(folder: Path, summary: TwinSummary) -> None:
    examples, contexts = read_examples(folder / "twins")
    written = [context.text for context in contexts.values()]
    written += [example.question + example.answer for example in examples]
    assert written
    assert not any(person in text for person in PEOPLE for text in written)


def test_some_answers_tell_who_did_not_read(folder: Path, summary: TwinSummary) -> None:
    assert summary.num_telling > 0
    stored = json.loads((folder / "twins" / "summary.json").read_text("utf-8"))
    assert stored["num_telling"] == summary.num_telling


def test_no_context_drawn_gives_no_twin(folder: Path) -> None:
    summary = write_twins(folder, 0.0, counter=EstimatedCounter(), seed=0, template="l1")
    assert summary.num_examples == 0
