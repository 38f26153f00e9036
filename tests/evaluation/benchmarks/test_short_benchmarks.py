"""The sets without long contexts: MMLU-Pro, AIME and GPQA-Diamond."""

import csv
import json
import random
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from longloom.errors import DataError
from longloom.evaluation.benchmark import Benchmark, ReadSettings
from longloom.evaluation.benchmarks import aime, gpqa, mmlu_pro
from longloom.evaluation.questions import QuestionSet

SETTINGS = ReadSettings(count_tokens=len)


def write_parquet(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def read(benchmark: Benchmark, folder: Path) -> QuestionSet:
    found = benchmark.read(folder, SETTINGS)
    for one in found.questions:
        asked = found.ask(one)
        assert asked.context == ""
        assert asked.message == asked.query
    return found


def scores(benchmark: Benchmark, found: QuestionSet, text: str) -> tuple[float, float]:
    score = benchmark.score(found.questions[0], text)
    return score.parity, score.strict


SOLVED = {
    "question_id": 1,
    "question": "What is 1 + 1?",
    "options": ["1", "2"],
    "answer": "B",
    "answer_index": 1,
    "cot_content": "A: Let's think step by step. One and one are two. The answer is (B).",
    "category": "math",
    "src": "ours",
}
TEST = {
    **SOLVED,
    "question_id": 70,
    "question": "What is 2 + 3?",
    "options": ["4", "5", "6", "N/A"],
    "cot_content": "",
}


def mmlu_folder(folder: Path, tests: list[dict]) -> Path:
    write_parquet(folder / "data/validation-00000-of-00001.parquet", [SOLVED] * 2)
    write_parquet(folder / "data/test-00000-of-00001.parquet", tests)
    return folder


def test_mmlu_pro_shows_solved_questions_of_the_subject(tmp_path: Path) -> None:
    found = read(mmlu_pro.BENCHMARK, mmlu_folder(tmp_path, [TEST]))
    solved = (
        "Question: What is 1 + 1?\nOptions: A. 1\nB. 2\nAnswer: Let's think step by step. One and "
        "one are two. The answer is (B).\n\n"
    )
    assert found.ask(found.questions[0]).message == (
        "The following are multiple choice questions (with answers) about math. Think step by step "
        'and then output the answer in the format of "The answer is (X)" at the end.\n\n'
        f"{solved}{solved}"
        "Question: What is 2 + 3?\nOptions: A. 4\nB. 5\nC. 6\nAnswer: Let's think step by step.\n\n"
    )
    assert found.questions[0].facets == {"subject": "math"}
    assert scores(mmlu_pro.BENCHMARK, found, "So the answer is (B).") == (1.0, 1.0)
    assert scores(mmlu_pro.BENCHMARK, found, "So the answer is (C).") == (0.0, 0.0)
    assert mmlu_pro.BENCHMARK.score(found.questions[0], "...").parts["guessed"] == 1 / 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": "D"}, "answer 'D' is none of the options"),
        ({"answer": ""}, "answer '' is none of the options"),
        ({"category": "law"}, "subject 'law' has no solved questions"),
    ],
)
def test_mmlu_pro_refuses_rows_that_do_not_fit(tmp_path: Path, change: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(mmlu_pro.BENCHMARK, mmlu_folder(tmp_path, [{**TEST, **change}]))


def test_aime_is_read_from_both_layouts(tmp_path: Path) -> None:
    write_parquet(
        tmp_path / "train-00000-of-00001.parquet",
        [{"id": 60, "problem": "Find 20 + 5.", "solution": "25", "answer": "025", "year": "2024"}],
    )
    (tmp_path / "test.jsonl").write_text(
        json.dumps({"problem": "Find 30 + 3.", "answer": "33", "id": "0"})
    )
    benchmark = aime.BENCHMARKS["aime24"]
    found = read(benchmark, tmp_path)
    assert benchmark.num_samples == 32
    assert found.questions[0].question_id == "60"
    assert found.questions[0].golds == ("25",)
    assert found.ask(found.questions[0]).message == (
        "Find 20 + 5.\n\nPlease reason step by step, and put your final answer within \\boxed{}."
    )
    assert scores(benchmark, found, "It is $\\boxed{25}$.") == (1.0, 1.0)
    assert scores(benchmark, found, "It is $\\boxed{26}$.") == (0.0, 0.0)
    assert read(aime.BENCHMARKS["aime25"], tmp_path).questions[0].golds == ("33",)


@pytest.mark.parametrize("answer", ["1000", "-1", "2.5", "", None, "\u0663"])
def test_aime_answers_are_small_integers(tmp_path: Path, answer: str | None) -> None:
    row = {"problem": "Find it.", "answer": answer, "id": "0"}
    (tmp_path / "test.jsonl").write_text(json.dumps(row))
    with pytest.raises(DataError, match="expected an id and an integer from 0 to 999"):
        read(aime.BENCHMARKS["aime25"], tmp_path)


GPQA_ROWS = [
    {
        "Record ID": f"rec{number}",
        "Question": f"Which particle is number {number}?",
        "Correct Answer": f"right {number}",
        "Incorrect Answer 1": "first",
        "Incorrect Answer 2": "second",
        "Incorrect Answer 3": "third",
        "High-level domain": "Physics",
    }
    for number in range(3)
]


def write_gpqa(folder: Path, rows: list[dict]) -> None:
    with (folder / "gpqa_diamond.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_gpqa_permutes_as_simple_evals_does(tmp_path: Path) -> None:
    write_gpqa(tmp_path, GPQA_ROWS)
    found = read(gpqa.BENCHMARK, tmp_path)
    # simple-evals: examples * 4, then one permutation each, from one Random(0).
    generator = random.Random(0)
    expected = [
        (f"rec{number}/{repeat}", generator.sample(range(4), 4))
        for repeat in (1, 2, 3, 4)
        for number in range(3)
    ]
    for one, (question_id, order) in zip(found.questions, expected, strict=True):
        assert one.question_id == question_id
        assert one.golds == ("ABCD"[order.index(0)],)
        number = question_id[3]
        options = [f"right {number}", "first", "second", "third"]
        lines = [f"{'ABCD'[place]}) {options[index]}" for place, index in enumerate(order)]
        assert found.ask(one).message.split("\n")[-4:] == lines
    assert found.questions[0].facets == {"domain": "Physics"}


def test_the_prompt_of_gpqa(tmp_path: Path) -> None:
    write_gpqa(tmp_path, GPQA_ROWS)
    found = read(gpqa.BENCHMARK, tmp_path)
    lines = found.ask(found.questions[0]).message.split("\n")
    assert lines[0] == (
        "Answer the following multiple choice question. The last line of your response should be "
        "of the following format: 'Answer: $LETTER' (without quotes) where LETTER is one of ABCD. "
        "Think step by step before answering."
    )
    assert lines[1:4] == ["", "Which particle is number 0?", ""]
    gold = found.questions[0].golds[0]
    assert scores(gpqa.BENCHMARK, found, f"It must be.\nAnswer: {gold}") == (1.0, 1.0)
    other = "ABCD"["ABCD".index(gold) - 1]
    assert scores(gpqa.BENCHMARK, found, f"It must be.\nAnswer: {other}") == (0.0, 0.0)


def test_gpqa_needs_its_columns(tmp_path: Path) -> None:
    rows = [{name: text for name, text in row.items() if name != "Question"} for row in GPQA_ROWS]
    write_gpqa(tmp_path, rows)
    with pytest.raises(DataError, match="field 'Question' is missing"):
        read(gpqa.BENCHMARK, tmp_path)


def test_gpqa_has_every_record_once(tmp_path: Path) -> None:
    write_gpqa(tmp_path, [GPQA_ROWS[0], GPQA_ROWS[0]])
    with pytest.raises(DataError, match="record 'rec0' is there twice"):
        read(gpqa.BENCHMARK, tmp_path)
