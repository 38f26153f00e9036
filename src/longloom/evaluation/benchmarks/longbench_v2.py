"""LongBench v2 (Bai et al., arXiv 2412.15204): 503 multiple-choice questions over long contexts.

Facts of the official `pred.py`, `result.py` and `prompts/0shot.txt` (THUDM/LongBench, MIT): the
answer is the first "The correct answer is (X)"; difficulty and length are fields of a row.
QwenLong-L1.5 does not print how it asks; `longbench-v2-l1` asks in the frame of QwenLong-L1, whose
answer may take thousands of tokens. Both are scored alike.
"""

from dataclasses import replace
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmark import Benchmark, HubFiles, ReadSettings, Source
from longloom.evaluation.benchmarks.files import find_files, questions_of_rows
from longloom.evaluation.benchmarks.l1_template import asked_in_l1_frame
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import Row, RowPlace, describe, text_of
from longloom.evaluation.scoring.choices import score_longbench_v2

NUM_QUESTIONS = 503
_OPTIONS = ("A", "B", "C", "D")
_FACETS = ("difficulty", "length", "domain", "sub_domain")
_BEFORE = "Please read the following text and answer the question below.\n\n<text>\n"
_FORM = 'Format your response as follows: "The correct answer is (insert answer here)".'


def read_longbench_v2(folder: Path, settings: ReadSettings) -> QuestionSet:
    """Read the questions of `data.json`.

    Raises:
        DataError: the file is missing, damaged or of another format.
    """
    return questions_of_rows(
        find_files(folder, BENCHMARK), question=_question, ask=_ask, num_official=NUM_QUESTIONS
    )


def read_longbench_v2_l1(folder: Path, settings: ReadSettings) -> QuestionSet:
    """Read the same questions for the frame of QwenLong-L1.

    Raises:
        DataError: the file is missing, damaged or of another format.
    """
    return questions_of_rows(
        find_files(folder, L1_BENCHMARK),
        question=_question,
        ask=_ask_in_l1_frame,
        num_official=NUM_QUESTIONS,
    )


def _question(row: Row, place: RowPlace) -> Question:
    _ask(row, place)  # damage is said before the first question is asked
    answer = text_of(row, "answer", place)
    if answer not in _OPTIONS:
        raise DataError(
            f"{describe(place)}: the answer is {answer!r}; expected one of {', '.join(_OPTIONS)}; "
            "give the official file"
        )
    return Question(
        question_id=text_of(row, "_id", place),
        golds=(answer,),
        facets={name: text_of(row, name, place) for name in _FACETS},
    )


def _ask(row: Row, place: RowPlace) -> Asked:
    stated = f"What is the correct answer to this question: {_choices(row, place)}"
    return Asked(
        before=_BEFORE,
        context=text_of(row, "context", place).strip(),
        after=f"\n</text>\n\n{stated}\n\n{_FORM}",
        query=f"{stated}\n\n{_FORM}",
        problem=stated,
    )


def _ask_in_l1_frame(row: Row, place: RowPlace) -> Asked:
    return asked_in_l1_frame(
        text_of(row, "context", place), _choices(row, place), template="l1_multiple_choice"
    )


def _choices(row: Row, place: RowPlace) -> str:
    """Return the question with its options."""
    question = text_of(row, "question", place).strip()
    options = (
        f"({letter}) {text_of(row, f'choice_{letter}', place).strip()}" for letter in _OPTIONS
    )
    return "\n".join([question, "Choices:", *options])


_SOURCE = Source(
    files=("data.json",),
    address="https://huggingface.co/datasets/THUDM/LongBench-v2",
    licence="Apache-2.0",
    num_questions=NUM_QUESTIONS,
    folder="longbench-v2",
    hub=HubFiles(repository="THUDM/LongBench-v2", files=("data.json",)),
)

BENCHMARK = Benchmark(
    name="longbench-v2",
    title="LongBench v2",
    measure="accuracy",
    source=_SOURCE,
    read=read_longbench_v2,
    score=lambda question, text: score_longbench_v2(text, question.golds),
    facets=_FACETS[:3],
    temperature=0.1,
    max_prompt_tokens=120_000,
    max_new_tokens=128,
)
"""As its authors ask it."""

L1_BENCHMARK = replace(
    BENCHMARK,
    name="longbench-v2-l1",
    title="LongBench v2 (QwenLong-L1's prompt)",
    read=read_longbench_v2_l1,
    temperature=None,
    max_new_tokens=10_000,
)
"""For models that think at length."""
