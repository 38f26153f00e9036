"""DocMath: all of test-mini, and the questions of it that QwenLong-L1 uses."""

from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.benchmarks.docmath import BENCHMARK, L1_BENCHMARK, L1_FILE
from official_files import WRITERS, docmath_row, write_json, write_json_lines

SETTINGS = ReadSettings(count_tokens=len)
MESSAGE = (
    "Please read the following text and answer the question below.\n\n<text>\n"
    "This is a report.\nThe north mill earned 1,200 thousand.\n"
    "The south mill earned 34.5 thousand.\n</text>\n\n"
    "What did both mills earn together, in thousands?\n\n"
    'Format your response as follows: "Therefore, the answer is (insert answer here)".'
)


def test_prompt_gold_and_evidence(tmp_path: Path) -> None:
    WRITERS["docmath"](tmp_path)
    found = BENCHMARK.read(tmp_path, SETTINGS)
    assert [question.facets["task"] for question in found.questions] == [
        "complong",
        "compshort",
        "simplong",
        "simpshort",
    ]
    first = found.questions[0]
    asked = found.ask(first)
    assert asked.message == MESSAGE
    assert first.golds == ("1234.5",)
    assert [asked.context[start:end].strip() for start, end in asked.evidence] == [
        "The north mill earned 1,200 thousand.",
        "The south mill earned 34.5 thousand.",
    ]
    # The first of 92 characters is the 18th: "This is a report." and a line break are ahead.
    assert first.depths[0] == 18 / len(asked.context)
    assert (first.facets["source"], found.questions[1].facets["source"]) == ("own", "tatqa")


def test_scores_of_a_right_and_a_wrong_answer(tmp_path: Path) -> None:
    WRITERS["docmath"](tmp_path)
    question = BENCHMARK.read(tmp_path, SETTINGS).questions[0]
    right = BENCHMARK.score(question, "Therefore, the answer is $1,234.5.")
    wrong = BENCHMARK.score(question, "Therefore, the answer is 1165.5.")
    shifted = BENCHMARK.score(question, "Therefore, the answer is 12345.")
    assert (right.parity, right.strict, wrong.parity, wrong.strict) == (1.0, 1.0, 0.0, 0.0)
    # Any power of ten is right there.
    assert (shifted.parity, shifted.strict) == (1.0, 0.0)


def test_arrays_are_read_too_and_hidden_answers_refused(tmp_path: Path) -> None:
    for subset in ("complong", "compshort", "simplong", "simpshort"):
        write_json(tmp_path / f"{subset}_testmini.json", [docmath_row(subset)])
    assert len(BENCHMARK.read(tmp_path, SETTINGS).questions) == 4
    hidden = docmath_row("simplong") | {"ground_truth": None}
    path = write_json(tmp_path / "simplong_testmini.json", [hidden])
    with pytest.raises(DataError, match=r"is None; expected a number .*test-mini") as caught:
        BENCHMARK.read(tmp_path, SETTINGS)
    assert str(path) in str(caught.value)


def test_questions_of_qwenlong_l1_are_looked_up(tmp_path: Path) -> None:
    WRITERS["docmath"](tmp_path)
    write_json_lines(
        tmp_path / "compshort_testmini.jsonl",
        [docmath_row("compshort", number) for number in (1, 2)],
    )
    chosen = [
        {"prompt": [{"role": "user", "content": MESSAGE.replace("1,200", earned) + "\n"}]}
        for earned in ("3,200", "7,200")
    ]
    write_json_lines(tmp_path / L1_FILE, chosen)
    found = L1_BENCHMARK.read(tmp_path, SETTINGS)
    assert [question.question_id for question in found.questions] == ["compshort-testmini-2"]
    assert found.notes == (f"1 of the 2 questions of {L1_FILE} are in test-mini",)
    assert BENCHMARK.read(tmp_path, SETTINGS).notes == ("questions here: 5; officially: 800",)
    assert L1_FILE in found.source
    write_json_lines(tmp_path / L1_FILE, [{"prompt": []}])
    with pytest.raises(DataError, match="`prompt` has no message"):
        L1_BENCHMARK.read(tmp_path, SETTINGS)
