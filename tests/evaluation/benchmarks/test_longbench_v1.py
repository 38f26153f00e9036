"""LongBench v1: 21 datasets by their own prompts and measures, five of them as the paper asks."""

import json
import zipfile
from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.benchmarks.catalogue import BENCHMARKS
from longloom.evaluation.benchmarks.longbench_v1 import (
    BENCHMARK,
    EVEN_BENCHMARK,
    QA_BENCHMARK,
    QA_DATASETS,
)
from longloom.evaluation.benchmarks.longbench_v1_sets import DATASETS
from longloom.text.prompts import load_templates
from official_files import WRITERS, longbench_v1_row, write_json_lines

SETTINGS = ReadSettings(count_tokens=len)
CONTEXT = "Mira keeps the bees. {input} Olav keeps the hens."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one question of each dataset."""
    WRITERS["longbench-v1"](tmp_path)
    return tmp_path


def test_counts_are_those_of_the_paper() -> None:
    assert len(DATASETS) == 21
    assert list(DATASETS) == sorted(DATASETS)
    sources = [benchmark.source for benchmark in (BENCHMARK, EVEN_BENCHMARK, QA_BENCHMARK)]
    assert [source and source.num_questions for source in sources] == [4_750, 3_668, 1_000]
    assert sum(dataset.num_even > 0 for dataset in DATASETS.values()) == 13


def test_own_prompts_keep_the_context_as_it_is_and_are_said(folder: Path) -> None:
    found = BENCHMARK.read(folder, SETTINGS)
    assert len(found.questions) == 21
    assert any("worded by Longloom" in note for note in found.notes)
    assert any("without a chat template" in note for note in found.notes)
    for question in found.questions:
        asked = found.ask(question)
        template = load_templates()[f"longbench_v1_{DATASETS[question.facets['task']].template}"]
        before, after = template.split("{context}")
        assert asked.message == before + CONTEXT + after.replace("{input}", "Who keeps the bees?")
        assert asked.problem == "Who keeps the bees?"
        assert (asked.problem in asked.query) == ("{input}" in template)
        assert CONTEXT not in asked.query
        assert question.max_new_tokens == DATASETS[question.facets["task"]].max_new_tokens


def test_official_prompts_are_used_where_they_lie_beside_the_files(folder: Path) -> None:
    prompts = {name: f"[{name}] {{context}}\nQ: {{input}} {{other}}" for name in DATASETS}
    path = folder / "config" / "dataset2prompt.json"
    path.parent.mkdir()
    path.write_text(json.dumps(prompts))
    found = BENCHMARK.read(folder, SETTINGS)
    question = next(q for q in found.questions if q.facets["task"] == "narrativeqa")
    asked = found.ask(question)
    assert asked.message == f"[narrativeqa] {CONTEXT}\nQ: Who keeps the bees? {{other}}"
    assert asked.query == "Q: Who keeps the bees? {other}"
    assert not any("worded by Longloom" in note for note in found.notes)
    trec = next(q for q in found.questions if q.facets["task"] == "trec")
    assert found.ask(trec).query == "[trec]\n\nQ: Who keeps the bees? {other}"


@pytest.mark.parametrize("text", ["{", "[]", '{"lcc": "{context}"}', '{"lcc": 1}'])
def test_damaged_official_prompts_are_refused(folder: Path, text: str) -> None:
    (folder / "dataset2prompt.json").write_text(text)
    with pytest.raises(DataError, match=r"dataset2prompt\.json .*(no JSON|no prompt with)"):
        BENCHMARK.read(folder, SETTINGS)


def test_every_dataset_is_scored_by_its_own_measure(folder: Path) -> None:
    questions = {q.facets["task"]: q for q in BENCHMARK.read(folder, SETTINGS).questions}
    # Two of three words are right, both of the gold's: precision 2/3, recall 1, F1 0.8.
    assert BENCHMARK.score(questions["hotpotqa"], "Mira Lund herself").parity == pytest.approx(0.8)
    assert BENCHMARK.score(questions["hotpotqa"], "Olav").parity == 0.0
    assert questions["trec"].scoring["classes"] == ["Person", "Place"]
    # The numbers of a reply are compared: the gold answer here has none, so nothing is right.
    assert BENCHMARK.score(questions["passage_count"], "12").parity == 0.0
    assert BENCHMARK.score(questions["lcc"], "Mira").parity == 1.0


def test_five_datasets_are_asked_and_scored_as_the_paper_does(folder: Path) -> None:
    found = QA_BENCHMARK.read(folder, SETTINGS)
    assert [question.facets["task"] for question in found.questions] == list(QA_DATASETS)
    assert [question.question_id for question in found.questions][:1] == ["2wikimqa/id-2wikimqa"]
    question = found.questions[0]
    assert found.ask(question).message == (
        "Please read the following text and answer the question below.\n\n<text>\n"
        f"{CONTEXT}\n</text>\n\nWho keeps the bees?\n\n"
        'Format your response as follows: "Therefore, the answer is (insert answer here)".'
    )
    right = QA_BENCHMARK.score(question, "Therefore, the answer is Mira of the farm.")
    wrong = QA_BENCHMARK.score(question, "Therefore, the answer is Olav.")
    assert (right.parity, right.strict) == (1.0, 1.0)
    assert (wrong.parity, wrong.strict) == (0.0, 0.0)
    assert QA_BENCHMARK.mean_over == "task"


def test_each_of_the_five_is_a_benchmark_of_its_own(folder: Path) -> None:
    for name in QA_DATASETS:
        benchmark = BENCHMARKS[name]
        (question,) = benchmark.read(folder, SETTINGS).questions
        assert question.question_id == f"{name}/id-{name}"
        assert benchmark.source is not None
        assert (benchmark.source.num_questions, benchmark.source.folder) == (200, "longbench-v1")


def test_even_lengths_are_filed_under_their_bins(tmp_path: Path) -> None:
    for name, dataset in DATASETS.items():
        if dataset.num_even:
            rows = [
                longbench_v1_row(name, length=length) | {"_id": f"{name}{length}"}
                for length in (3_999, 4_000, 8_000)
            ]
            write_json_lines(tmp_path / f"{name}_e.jsonl", rows)
    found = EVEN_BENCHMARK.read(tmp_path, SETTINGS)
    assert [question.facets["length"] for question in found.questions[:3]] == [
        "0-4K",
        "4-8K",
        "8K+",
    ]
    assert found.questions[0].facets["task"] == "2wikimqa"
    assert len(found.questions) == 3 * 13
    assert found.ask(found.questions[0]).problem == "Who keeps the bees?"


def test_the_official_archive_is_enough(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for name in QA_DATASETS:
            archive.writestr(f"data/{name}.jsonl", json.dumps(longbench_v1_row(name)) + "\n")
    assert len(QA_BENCHMARK.read(tmp_path, SETTINGS).questions) == 5


def test_a_question_without_an_answer_is_refused(folder: Path) -> None:
    write_json_lines(folder / "qasper.jsonl", [longbench_v1_row("qasper") | {"answers": []}])
    with pytest.raises(DataError, match=r"qasper\.jsonl, byte 0: `answers` is empty"):
        BENCHMARK.read(folder, SETTINGS)
