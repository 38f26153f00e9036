"""The whole pipeline on invented documents."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.executor import InlineExecutor, ProcessExecutor
from longloom.records import Split, TaskType
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.pipeline import synthesize_corpus
from longloom.synthesis.storage import read_examples
from longloom.synthesis.verification import verify_folder
from synthesis.small_corpus import write_small_corpus

FINAL_FILES = ("examples.parquet", "contexts.parquet", "summary.json", "data_card.md")


def _config(root: Path, **changes: object) -> SynthesisConfig:
    settings = {
        "documents": (str(root),),
        "num_examples": 120,
        "min_context_tokens": 1_500,
        "max_context_tokens": 4_000,
        "held_out_fraction": 0.2,
        **changes,
    }
    return SynthesisConfig.model_validate(settings)


def _digests(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FINAL_FILES}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def woven(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("woven")
    synthesize_corpus(_config(corpus), folder=folder, executor=InlineExecutor())
    return folder


def test_every_example_can_be_executed_again_from_the_files(woven: Path) -> None:
    report = verify_folder(woven)
    assert report.num_examples >= 60
    assert report.findings == ()


def test_contexts_fit_and_are_shared(woven: Path) -> None:
    examples, contexts = read_examples(woven)
    assert len(contexts) < len(examples)
    assert all(example.num_context_tokens <= 4_000 for example in examples)
    assert {example.task_type for example in examples} >= {
        TaskType.MULTI_HOP,
        TaskType.NUMERICAL,
        TaskType.DIALOGUE_MEMORY,
    }


def test_held_out_documents_never_stand_in_training_contexts(woven: Path) -> None:
    examples, contexts = read_examples(woven)
    last_by_split: dict[Split, set[str]] = {Split.TRAIN: set(), Split.HELD_OUT: set()}
    shown: set[str] = set()
    for example in examples:
        last_by_split[example.split].add(example.evidence[-1].doc_id)
        if example.split is Split.TRAIN:
            shown |= {part.doc_id for part in contexts[example.context_id].parts}
    assert last_by_split[Split.HELD_OUT]
    assert last_by_split[Split.HELD_OUT].isdisjoint(shown)


def test_licences_and_sources_travel(woven: Path) -> None:
    examples, _ = read_examples(woven)
    assert {licence for example in examples for licence in example.licences} == {"CC0-1.0"}
    assert all(example.provenance for example in examples)
    assert "CC0-1.0" in (woven / "data_card.md").read_text("utf-8")


def test_same_settings_give_the_same_files_in_processes(
    corpus: Path, woven: Path, tmp_path
) -> None:
    synthesize_corpus(_config(corpus), folder=tmp_path, executor=ProcessExecutor(2))
    assert _digests(tmp_path) == _digests(woven)


def test_lost_shards_are_made_again_and_nothing_else(corpus: Path, woven: Path, tmp_path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(woven, folder)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("steps/**/*") if path.is_file()}
    lost = sorted(folder.glob("steps/weave/*.done"))[0]
    lost.unlink()
    (folder / "examples.parquet").unlink()
    synthesize_corpus(_config(corpus), folder=folder, executor=InlineExecutor())
    assert _digests(folder) == _digests(woven)
    changed = {path for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert changed
    assert all(path.is_relative_to(lost.with_suffix("")) or path == lost for path in changed)


@pytest.mark.slow
def test_another_seed_gives_other_questions(corpus: Path, woven: Path, tmp_path) -> None:
    synthesize_corpus(_config(corpus, seed=1), folder=tmp_path, executor=InlineExecutor())
    first = {example.question for example in read_examples(woven)[0]}
    second = {example.question for example in read_examples(tmp_path)[0]}
    assert len(first & second) < len(first) / 2


def test_documents_without_facts_are_refused_with_advice(tmp_path) -> None:
    root = tmp_path / "texts"
    root.mkdir()
    for number in range(3):
        (root / f"{number}.txt").write_text("la la la " * 40 + str(number), "utf-8")
    with pytest.raises(DataError, match="no question could be made"):
        synthesize_corpus(_config(root), folder=tmp_path / "out", executor=InlineExecutor())


def test_missing_folder_is_named(tmp_path) -> None:
    with pytest.raises(DataError, match="gone"):
        synthesize_corpus(
            _config(tmp_path / "gone"), folder=tmp_path / "out", executor=InlineExecutor()
        )


def test_an_output_inside_of_the_documents_is_not_read(tmp_path) -> None:
    root = write_small_corpus(tmp_path / "corpus")
    folder = root / "out"
    first = synthesize_corpus(_config(root), folder=folder, executor=InlineExecutor())
    second = synthesize_corpus(_config(root), folder=folder, executor=InlineExecutor())
    assert first.summary["num_documents"] == second.summary["num_documents"] == 42


def test_what_is_left_out_is_named_with_its_reason(tmp_path) -> None:
    root = write_small_corpus(tmp_path / "corpus")
    (root / "broken.xml").write_text("<a><b></a>", "utf-8")
    (root / "talks" / "copy.txt").write_bytes((root / "talks" / "talk-1.txt").read_bytes())
    folder = tmp_path / "out"
    synthesize_corpus(_config(root), folder=folder, executor=InlineExecutor())
    reasons = json.loads((folder / "dropped_documents.json").read_text("utf-8"))
    assert len(reasons) == 2
    assert "not well-formed XML" in reasons["corpus/broken.xml"]
    (copied,) = [reason for name, reason in reasons.items() if name != "corpus/broken.xml"]
    assert copied == "near duplicate: 0.96 of Dialogue copy"  # but for the titles they are equal


def test_a_run_without_questions_leaves_no_example_files(tmp_path) -> None:
    root = tmp_path / "texts"
    root.mkdir()
    (root / "one.txt").write_text("Nothing here is stated in a form that is read. " * 30, "utf-8")
    with pytest.raises(DataError, match="no question could be made"):
        synthesize_corpus(_config(root), folder=tmp_path / "out", executor=InlineExecutor())
    assert not (tmp_path / "out" / "examples.parquet").exists()
