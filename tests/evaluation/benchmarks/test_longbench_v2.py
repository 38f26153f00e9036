"""LongBench v2: the prompt to the letter, and scores worked by hand."""

from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.benchmarks.longbench_v2 import BENCHMARK, L1_BENCHMARK
from official_files import LONGBENCH_V2_ROWS, WRITERS, write_json

SETTINGS = ReadSettings(count_tokens=len)


def test_prompt_is_the_official_one(tmp_path: Path) -> None:
    WRITERS["longbench-v2"](tmp_path)
    found = BENCHMARK.read(tmp_path, SETTINGS)
    first, second = found.questions
    asked = found.ask(first)
    assert asked.message == (
        "Please read the following text and answer the question below.\n\n<text>\n"
        "The ferry left the mill at noon. It landed at the quay.\n</text>\n\n"
        "What is the correct answer to this question: Where does the ferry land?\nChoices:\n"
        "(A) At the mill\n(B) At the quay\n(C) At the weir\n(D) Nowhere\n\n"
        'Format your response as follows: "The correct answer is (insert answer here)".'
    )
    assert asked.message.endswith(asked.query)
    assert first.facets["difficulty"] == "easy"
    assert found.ask(second).context == "def run():\n    return 4"


def test_l1_frame_asks_for_its_own_form(tmp_path: Path) -> None:
    WRITERS["longbench-v2"](tmp_path)
    found = L1_BENCHMARK.read(tmp_path, SETTINGS)
    asked = found.ask(found.questions[0])
    assert asked.problem == (
        "Where does the ferry land?\nChoices:\n"
        "(A) At the mill\n(B) At the quay\n(C) At the weir\n(D) Nowhere"
    )
    assert asked.after == (
        f"\n</text>\n\n{asked.problem}\n\nFormat your response as follows: "
        '"Therefore, the correct answer is (insert answer here)".'
    )


@pytest.mark.parametrize("benchmark", [BENCHMARK, L1_BENCHMARK])
def test_stated_letter_is_scored(tmp_path: Path, benchmark) -> None:
    WRITERS["longbench-v2"](tmp_path)
    first, second = benchmark.read(tmp_path, SETTINGS).questions
    right = benchmark.score(first, "It landed there. Therefore, the correct answer is (B).")
    wrong = benchmark.score(second, "The correct answer is (B).")
    assert (right.strict, wrong.parity, wrong.strict) == (1.0, 0.0, 0.0)
    assert benchmark.score(first, "The correct answer is (B).").parity == 1.0


def test_an_answer_that_is_no_letter_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "data.json", [{**LONGBENCH_V2_ROWS[0], "answer": "E"}])
    with pytest.raises(DataError, match="byte 4: the answer is 'E'; expected one of A, B, C, D"):
        BENCHMARK.read(tmp_path, SETTINGS)
