"""LongBench v2 (Bai et al., arXiv 2412.15204): 503 multiple-choice questions over long contexts.

Facts of the official `pred.py`, `result.py` and `prompts/0shot.txt` (THUDM/LongBench, MIT): the
answer is the first "The correct answer is (X)"; difficulty and length are fields of a row.
"""

from pathlib import Path

from longloom.evaluation.benchmark import Benchmark, HubFiles, ReadSettings, Source
from longloom.evaluation.benchmarks.files import find_files, questions_of_rows
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import Row, RowPlace, text_of
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
    return questions_of_rows(find_files(folder, BENCHMARK), question=_question, ask=_ask)


def _question(row: Row, place: RowPlace) -> Question:
    return Question(
        question_id=text_of(row, "_id", place),
        golds=(text_of(row, "answer", place),),
        facets={name: text_of(row, name, place) for name in _FACETS},
    )


def _ask(row: Row, place: RowPlace) -> Asked:
    question = text_of(row, "question", place).strip()
    options = [
        f"({letter}) {text_of(row, f'choice_{letter}', place).strip()}" for letter in _OPTIONS
    ]
    choices = "\n".join(["Choices:", *options])
    stated = f"What is the correct answer to this question: {question}\n{choices}\n\n{_FORM}"
    return Asked(
        before=_BEFORE,
        context=text_of(row, "context", place).strip(),
        after=f"\n</text>\n\n{stated}",
        query=stated,
    )


BENCHMARK = Benchmark(
    name="longbench-v2",
    title="LongBench v2",
    measure="accuracy",
    source=Source(
        files=("data.json",),
        address="https://huggingface.co/datasets/THUDM/LongBench-v2",
        licence="Apache-2.0",
        num_questions=NUM_QUESTIONS,
        hub=HubFiles(repository="THUDM/LongBench-v2", files=("data.json",)),
    ),
    read=read_longbench_v2,
    score=lambda question, text: score_longbench_v2(text, question.golds),
    facets=_FACETS[:3],
    max_prompt_tokens=120_000,
    max_new_tokens=128,
)
