"""AIME 2024 and 2025: 30 problems each whose answers are integers from 0 to 999; the mean of 32.

Figures of the paper are whole multiples of 1/960, so of 30 problems times 32 answers. The form of
the answer is the usual one for models that think. There is no long context.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from longloom.errors import DataError, MissingDependencyError
from longloom.evaluation.benchmark import (
    Benchmark,
    HubFiles,
    ReadSettings,
    ScoreText,
    Source,
)
from longloom.evaluation.benchmarks.files import find_files, questions_of_rows
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import Row, RowPlace, describe, text_of
from longloom.evaluation.scoring.math_workers import MathWorkers
from longloom.evaluation.scoring.mathematics import score_mathematics
from longloom.evaluation.scoring.score import Score

NUM_QUESTIONS = 30
NUM_SAMPLES = 32
_INTEGER = re.compile(r"[0-9]{1,3}")
_FORM = "Please reason step by step, and put your final answer within \\boxed{}."


def _reader(name: str) -> Callable[[Path, ReadSettings], QuestionSet]:
    def read(folder: Path, settings: ReadSettings) -> QuestionSet:
        """Read the problems; raises DataError."""
        return questions_of_rows(find_files(folder, BENCHMARKS[name]), question=_question, ask=_ask)

    return read


def _question(row: Row, place: RowPlace) -> Question:
    identity = _field(row, ("id", "ID", "problem_idx"))
    stated = _field(row, ("answer", "Answer"))
    answer = stated.strip() if isinstance(stated, str) else str(stated)
    if identity is None or _INTEGER.fullmatch(answer) is None:
        raise DataError(
            f"{describe(place)}: id {identity!r}, answer {stated!r}; expected an id and an integer "
            "from 0 to 999; give the official file"
        )
    return Question(question_id=str(identity), golds=(str(int(answer)),))


def _ask(row: Row, place: RowPlace) -> Asked:
    problem = text_of(row, "problem" if "problem" in row else "Problem", place).strip()
    stated = f"{problem}\n\n{_FORM}"
    return Asked(context="", query=stated, after=stated)


def _field(row: Row, names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _score(question: Question, text: str) -> Score:
    return score_mathematics(text, question.golds)


@contextmanager
def _open_scorer() -> Iterator[ScoreText]:
    """Give a scorer that decides by algebra what exact comparison cannot, where it is installed."""
    try:
        workers = MathWorkers()
    except MissingDependencyError:
        yield _score
        return
    with workers:
        yield lambda question, text: score_mathematics(
            text, question.golds, by_algebra=workers.is_equal
        )


def _benchmark(year: int, file: str, repository: str, licence: str) -> Benchmark:
    return Benchmark(
        name=f"aime{year}",
        title=f"AIME{year}",
        measure=f"accuracy, mean of {NUM_SAMPLES} answers",
        source=Source(
            files=(f"**/{file.rpartition('/')[2]}",),
            address=f"https://huggingface.co/datasets/{repository}",
            licence=licence,
            num_questions=NUM_QUESTIONS,
            hub=HubFiles(repository=repository, files=(file,)),
        ),
        read=_reader(f"aime{year}"),
        score=_score,
        scorer=_open_scorer,
        num_samples=NUM_SAMPLES,
    )


BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        _benchmark(24, "data/train-00000-of-00001.parquet", "HuggingFaceH4/aime_2024", "unstated"),
        _benchmark(25, "test.jsonl", "math-ai/aime25", "Apache-2.0"),
    )
}
"""Both years, by name."""
