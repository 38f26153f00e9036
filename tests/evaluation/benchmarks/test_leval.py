"""L-Eval: letters, true or false, and short references, in two layouts."""

from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.benchmarks.leval import BENCHMARK, TASKS
from longloom.evaluation.questions import Question
from official_files import LEVAL_ROWS, WRITERS, write_json_lines

SETTINGS = ReadSettings(count_tokens=len)
REAL = Path(__file__).parents[4] / "shared/data/bench-leval"


def by_id(folder: Path) -> dict[str, Question]:
    """Return the questions of a folder by their ids."""
    return {
        question.question_id: question for question in BENCHMARK.read(folder, SETTINGS).questions
    }


def test_prompts_ask_for_letters_where_there_are_options(tmp_path: Path) -> None:
    WRITERS["leval"](tmp_path)
    found = BENCHMARK.read(tmp_path, SETTINGS)
    questions = by_id(tmp_path)
    assert list(questions) == [
        "quality-0-0",
        "coursera-0-0",
        "coursera-0-1",
        "sci_fi-0-0",
        "scientific_qa-0-0",
    ]
    assert found.ask(questions["quality-0-0"]).message == (
        "Please read the following text and answer the question below.\n\n<text>\n"
        "The lamp went out. Iris lit a candle.\n</text>\n\n"
        "What did Iris light?\n\n (A) A lamp\n (B) A candle\n (C) A fire\n (D) Hay\n\n"
        "Format your response as follows: "
        '"Therefore, the correct answer is (insert answer here)".'
    )
    assert "several correct options" in found.ask(questions["coursera-0-1"]).message
    assert found.ask(questions["scientific_qa-0-0"]).query == (
        "Which corpora are used?\n\n"
        'Format your response as follows: "Therefore, the answer is (insert answer here)".'
    )
    assert questions["sci_fi-0-0"].golds == ("True",)


def test_scores_of_every_rule(tmp_path: Path) -> None:
    WRITERS["leval"](tmp_path)
    questions = by_id(tmp_path)

    def strict(name: str, text: str) -> float:
        return BENCHMARK.score(questions[name], text).strict

    assert strict("quality-0-0", "Therefore, the correct answer is (B) A candle.") == 1.0
    assert strict("quality-0-0", "Therefore, the correct answer is (A).") == 0.0
    assert strict("coursera-0-0", "Therefore, the correct answer is A and B.") == 1.0
    assert strict("coursera-0-0", "Therefore, the correct answer is A.") == 0.0
    assert strict("sci_fi-0-0", "Therefore, the answer is True.") == 1.0
    assert strict("sci_fi-0-0", "Therefore, the answer is False.") == 0.0
    # Two of the gold's three words, nothing besides: precision 1, recall 2/3, F1 0.8.
    partly = BENCHMARK.score(questions["scientific_qa-0-0"], "Therefore, the answer is Reva Tolk.")
    assert partly.strict == pytest.approx(0.8)
    assert partly.parts["cover_exact_match"] == 0.0


def test_official_layout_is_one_file_a_task(tmp_path: Path) -> None:
    for task in TASKS:
        row = {
            "instructions": ["What is here?"],
            "input": f"Here is {task}.",
            "outputs": ["True [fact: True]" if task == "sci_fi" else "A"],
            "source": "own",
            "evaluation": "exam",
        }
        write_json_lines(tmp_path / "LEval" / "Exam" / f"{task}.jsonl", [row, row])
    found = BENCHMARK.read(tmp_path, SETTINGS)
    assert len(found.questions) == 2 * len(TASKS)
    assert {question.facets["task"] for question in found.questions} == set(TASKS)
    assert found.ask(found.questions[0]).context == "Here is coursera."


def test_another_task_or_another_count_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dev.jsonl"
    write_json_lines(path, [LEVAL_ROWS[0] | {"task": "codeU"}])
    with pytest.raises(DataError, match=r"dev\.jsonl, byte 0: task 'codeU' is not read"):
        BENCHMARK.read(tmp_path, SETTINGS)
    write_json_lines(path, [LEVAL_ROWS[0] | {"answers": []}])
    with pytest.raises(DataError, match="byte 0: 1 questions have 0 answers"):
        BENCHMARK.read(tmp_path, SETTINGS)


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data is not there")
def test_every_real_question_is_right_by_its_own_answer() -> None:
    found = BENCHMARK.read(REAL, SETTINGS)
    assert len(found.questions) == 1_117
    for question in found.questions:
        stated = " ".join(question.golds[0].split())
        score = BENCHMARK.score(question, f"Therefore, the answer is {stated}")
        assert score.strict > 0.99, question
