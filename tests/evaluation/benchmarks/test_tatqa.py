"""TAT-QA: a table as Markdown, its text, and several questions about both."""

from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.benchmarks.tatqa import BENCHMARK, NUM_QUESTIONS
from official_files import TATQA_ROWS, WRITERS, write_json

SETTINGS = ReadSettings(count_tokens=len)
REAL = Path(__file__).parents[4] / "shared/data/bench-tatqa"
TABLE = "| (in thousands) | 2019 | 2018 |\n| --- | --- | --- |\n| Sales \\| net | $1,250 | $1,000 |"


def test_prompt_names_the_scale(tmp_path: Path) -> None:
    WRITERS["tatqa"](tmp_path)
    found = BENCHMARK.read(tmp_path, SETTINGS)
    change, places, sales = found.questions
    assert found.ask(change).message == (
        "Please read the following text and answer the question below.\n\n<text>\n"
        f"{TABLE}\n\nThe table shows sales.\n\nSales grew in Oslo and Bergen.\n</text>\n\n"
        "What was the change in sales in 2019? Give a percentage.\n\n"
        'Format your response as follows: "Therefore, the answer is (insert answer here)".'
    )
    assert found.ask(sales).problem == "What were the sales in 2018? Give amounts in thousands."
    assert found.ask(places).problem == "Where did sales grow?"
    assert (change.golds, places.golds, sales.golds) == (("25",), ("Oslo; Bergen",), ("$1,000",))


def test_evidence_is_the_table_and_the_related_paragraphs(tmp_path: Path) -> None:
    WRITERS["tatqa"](tmp_path)
    found = BENCHMARK.read(tmp_path, SETTINGS)
    evidence = []
    for question in found.questions:
        asked = found.ask(question)
        evidence.append([asked.context[start:end] for start, end in asked.evidence])
    assert evidence == [
        [TABLE],
        ["Sales grew in Oslo and Bergen."],
        [TABLE, "The table shows sales."],
    ]
    assert found.questions[0].depths == (0.0,)


def test_scores_of_numbers_and_spans(tmp_path: Path) -> None:
    WRITERS["tatqa"](tmp_path)
    change, places, sales = BENCHMARK.read(tmp_path, SETTINGS).questions

    def strict(question, stated: str) -> float:
        return BENCHMARK.score(question, f"Therefore, the answer is {stated}.").strict

    assert (strict(change, "25%"), strict(change, "20%")) == (1.0, 0.0)
    assert (strict(sales, "$1,000 thousand"), strict(sales, "$1,250")) == (1.0, 0.0)
    assert (strict(places, "Bergen and Oslo"), strict(places, "Oslo")) == (1.0, 0.0)
    half = BENCHMARK.score(places, "Therefore, the answer is Oslo.")
    assert half.parts["found_fraction"] == 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"answer_type": "essay"}, "answer type 'essay'"),
        ({"scale": "dozen"}, "the scale 'dozen'"),
        ({"answer": None}, "'q1' has the answer None"),
        ({"answer": []}, r"'q1' has the answer \[\]"),
        ({"question": 3}, "'question' is of type int"),
    ],
)
def test_damaged_questions_are_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    row = TATQA_ROWS[0]
    questions = [row["questions"][0] | changes]
    path = write_json(tmp_path / "dev.json", [row | {"questions": questions}])
    with pytest.raises(DataError, match=message) as caught:
        BENCHMARK.read(tmp_path, SETTINGS)
    assert f"{path}, byte 4" in str(caught.value)


@pytest.mark.parametrize("table", [None, [], {"table": []}, {"table": ["x"]}])
def test_damaged_tables_are_refused(tmp_path: Path, table: object) -> None:
    write_json(tmp_path / "dev.json", [TATQA_ROWS[0] | {"table": table}])
    with pytest.raises(DataError, match="`table` holds no list of rows"):
        BENCHMARK.read(tmp_path, SETTINGS)


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data is not there")
def test_every_real_question_is_right_by_its_own_answer() -> None:
    found = BENCHMARK.read(REAL, SETTINGS)
    assert len(found.questions) == NUM_QUESTIONS
    wrong = [
        question.golds
        for question in found.questions
        if BENCHMARK.score(question, f"Therefore, the answer is {question.golds[0]}.").strict < 1
    ]
    assert not wrong
