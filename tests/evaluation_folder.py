"""Small evaluation folders, written by the writers that an evaluation uses."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from longloom.evaluation.answers import Answer, AnswerLog
from longloom.evaluation.results import (
    BenchmarkResults,
    EvaluationResults,
    QuestionResult,
    ScoredAnswer,
    write_results,
)
from longloom.evaluation.summary import summarise


def scored(strict: float, parity: float | None = None, **fields: object) -> ScoredAnswer:
    """Return a scored answer."""
    return ScoredAnswer(strict=strict, parity=strict if parity is None else parity, **fields)


def question(
    number: int | str, *answers: ScoredAnswer | float, benchmark: str = "frames", **fields: object
) -> QuestionResult:
    """Return a question with its answers; a number is an answer with that score."""
    return QuestionResult(
        **{
            "benchmark": benchmark,
            "question_id": f"q{number}" if isinstance(number, int) else number,
            "golds": ("Ada Lovelace",),
            "answers": tuple(
                one if isinstance(one, ScoredAnswer) else scored(one, extracted="an answer")
                for one in answers
            ),
            **fields,
        }
    )


def benchmark(
    questions: Sequence[QuestionResult], name: str = "frames", **fields: object
) -> BenchmarkResults:
    """Return a benchmark of these questions."""
    return BenchmarkResults(
        **{
            "name": name,
            "title": name.upper(),
            "measure": "max(cover exact match, judge)",
            "questions": tuple(replace(one, benchmark=name) for one in questions),
            "max_prompt_tokens": 128_000,
            "max_new_tokens": 50_000,
            **fields,
        }
    )


def evaluation(*benchmarks: BenchmarkResults, **fields: object) -> EvaluationResults:
    """Return an evaluation of these benchmarks."""
    return EvaluationResults(
        **{
            "model": "model-a",
            "agent": "single_pass",
            "suite": "qwenlong-l15",
            "settings": {"seed": 0, "temperature": 0.7},
            "benchmarks": tuple(benchmarks),
            "seconds": 12.0,
            **fields,
        }
    )


def write_evaluation(
    folder: Path,
    results: EvaluationResults,
    replies: Mapping[tuple[str, str], str] | None = None,
) -> Path:
    """Write an evaluation into a folder with a reply for each answer; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_results(folder, results, summarise(results))
    with AnswerLog(folder) as log:
        for one in results.benchmarks:
            for asked in one.questions:
                for index in range(len(asked.answers)):
                    text = (replies or {}).get((one.name, asked.question_id), "The answer is 4.")
                    log.add(
                        Answer(
                            benchmark=one.name,
                            question_id=asked.question_id,
                            sample_index=index,
                            text=text,
                        )
                    )
    return folder
