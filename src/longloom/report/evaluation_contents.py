"""An evaluation folder as records: what was scored, its figures, and which answers to look at."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.answers import ANSWERS_FILE
from longloom.evaluation.results import (
    RESULTS_FILE,
    BenchmarkResults,
    EvaluationResults,
    QuestionResult,
    ScoredAnswer,
    read_results,
)
from longloom.evaluation.summary import BenchmarkSummary, summarise_benchmark

_DIGEST = re.compile(r"(@[0-9a-f]{8})[0-9a-f]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationContents:
    """Everything that the page of an evaluation shows, but the texts."""

    path: Path
    """The folder."""
    results: EvaluationResults
    """What was found, without benchmarks that no question was asked of."""
    summaries: Mapping[str, BenchmarkSummary]
    """The figures of each benchmark."""
    empty: tuple[str, ...]
    """Benchmarks that no question was asked of."""


def holds_evaluation(folder: Path) -> bool:
    """Return whether a folder is that of an evaluation, finished or not."""
    return (folder / RESULTS_FILE).is_file() or (folder / ANSWERS_FILE).is_file()


def read_evaluation(folder: Path) -> EvaluationContents:
    """Return what lies in the folder of a finished evaluation.

    Raises:
        DataError: it is not finished, or a file is damaged.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} does not exist; pass a folder that `longloom evaluate` wrote")
    results = read_results(folder)
    asked = tuple(one for one in results.benchmarks if one.questions)
    if not asked:
        raise DataError(f"{folder} holds no scored question; evaluate again")
    return EvaluationContents(
        path=folder,
        results=EvaluationResults(
            model=short_name(results.model),
            agent=results.agent,
            suite=results.suite,
            settings=results.settings,
            benchmarks=asked,
            seconds=results.seconds,
        ),
        summaries={one.name: summarise_benchmark(one) for one in asked},
        empty=tuple(one.name for one in results.benchmarks if not one.questions),
    )


def short_name(model: str) -> str:
    """Return a model's name with the first 8 digits of the digest behind its `@`."""
    return _DIGEST.sub(r"\1", model)


def is_worth_a_look(answer: ScoredAnswer) -> bool:
    """Return whether an answer is not fully right in strict mode, or the modes disagree."""
    return answer.strict < 1.0 or answer.parity != answer.strict


def questions_to_show(benchmark: BenchmarkResults) -> tuple[QuestionResult, ...]:
    """Return the questions with an answer that is worth a look, in the benchmark's order."""
    return tuple(
        question for question in benchmark.questions if any(map(is_worth_a_look, question.answers))
    )
