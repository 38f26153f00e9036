"""What an evaluation found, question by question: records, and the files that hold them.

`scores.jsonl` has a line for each question; every figure of `results.json` and of the page is
computed from it. Both are written when a run ends; `answers.jsonl` grows while it goes on.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from longloom.errors import DataError
from longloom.records import TokenUsage
from longloom.runlog import RecordSchema, atomic_path, atomic_write_bytes, iterate_records

RESULTS_FILE = "results.json"
SCORES_FILE = "scores.jsonl"
RESULTS_SCHEMA = RecordSchema(name="longloom.evaluation_results", version=1)
SCORES_SCHEMA = RecordSchema(name="longloom.evaluation_scores", version=1)

Mode = Literal["parity", "strict"]
"""Scored as the benchmark's own code does, or with its faults repaired."""
MODES: tuple[Mode, Mode] = ("parity", "strict")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredAnswer:
    """One answer with its scores, each within [0, 1]."""

    parity: float
    """As the benchmark's own scorer and judge rule have it."""
    strict: float
    """With the faults repaired that reward wrong answers or punish right ones."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """Measures beside it: `exact_match`, `cover_exact_match`, `f1`, `rule`, `judge`, ..."""
    extracted: str | None = None
    """What was taken as the answer in strict mode."""
    verdict: str = ""
    """The judge's: yes, no, unclear, refused; empty if it was not asked."""
    failure: str = ""
    """Why there is no answer (`answers.Failure`), or empty."""
    finish_reason: str = ""
    """`stop` or `length`."""

    def value(self, mode: Mode) -> float:
        """Return the score in a mode."""
        return self.parity if mode == "parity" else self.strict


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionResult:
    """All answers to one question."""

    benchmark: str
    """Name of the benchmark."""
    question_id: str
    """The question."""
    golds: tuple[str, ...]
    """Accepted answers."""
    answers: tuple[ScoredAnswer, ...]
    """One for each sample."""
    facets: Mapping[str, str] = field(default_factory=dict)
    """What it is filed under."""
    depths: tuple[float, ...] = ()
    """Where its evidence stands in the context, from 0 to 1."""
    num_prompt_tokens: int = 0
    """Tokens of prompt and context before anything was cut."""
    is_prompt_cut: bool = False
    """Whether a single pass lost the middle."""

    def mean(self, mode: Mode) -> float:
        """Return the mean over its answers (avg@k)."""
        return math.fsum(answer.value(mode) for answer in self.answers) / len(self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResults:
    """One benchmark, as it was asked."""

    name: str
    """As in `catalogue.BENCHMARKS`; the folder's label for examples of one's own."""
    title: str
    """As in tables."""
    measure: str
    """What its figure is."""
    questions: tuple[QuestionResult, ...]
    """In the benchmark's order."""
    facets: tuple[str, ...] = ()
    """The facets that get figures."""
    mean_over: str = ""
    """The facet whose means are averaged for the headline; empty for all questions alike."""
    num_official: int | None = None
    """Questions that it has officially."""
    source: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of its files by name."""
    notes: tuple[str, ...] = ()
    """What a reader should know."""
    judge: str = ""
    """Name of the judge model; empty if none was asked."""
    is_lower_bound: bool = False
    """Whether the benchmark asks for a judge and there was none: its rule alone decided."""
    max_prompt_tokens: int = 0
    """Longest prompt of a single pass."""
    max_new_tokens: int = 0
    """Longest answer."""
    usage: TokenUsage = field(default_factory=TokenUsage)
    """What the calls of all answers took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationResults:
    """A whole evaluation: a model, a way of asking, and what was asked."""

    model: str
    """Name of the model."""
    agent: str
    """`single_pass`, `memory` or `closed_book`."""
    suite: str
    """The suite, or the names of the benchmarks."""
    settings: Mapping[str, Any]
    """How it was asked, as in run.yaml."""
    benchmarks: tuple[BenchmarkResults, ...]
    """In the order asked."""
    seconds: float
    """Time of the run that ended it."""


def write_results(folder: Path, results: EvaluationResults, summary: Mapping[str, Any]) -> None:
    """Write scores.jsonl, then results.json with the figures in `summary`, each atomically.

    Raises:
        DataError: the folder cannot be written.
    """
    with atomic_path(folder / SCORES_FILE) as partial, partial.open("w", encoding="utf-8") as file:
        header = {"schema": SCORES_SCHEMA.name, "version": SCORES_SCHEMA.version}
        file.write(json.dumps(header) + "\n")
        for benchmark in results.benchmarks:
            for question in benchmark.questions:
                file.write(json.dumps(asdict(question), allow_nan=False) + "\n")
    described = asdict(results)
    for benchmark in described["benchmarks"]:
        benchmark["num_questions"] = len(benchmark.pop("questions"))
    content = {
        "schema": RESULTS_SCHEMA.name,
        "version": RESULTS_SCHEMA.version,
        **described,
        "summary": summary,
    }
    text = json.dumps(content, allow_nan=False, indent=1, ensure_ascii=False)
    # Half a surrogate pair of a file's text, which UTF-8 cannot hold, becomes JSON's escape of it.
    atomic_write_bytes(folder / RESULTS_FILE, f"{text}\n".encode("utf-8", "backslashreplace"))


def read_results(folder: Path) -> EvaluationResults:
    """Return what `write_results` wrote.

    Raises:
        DataError: a file is missing, damaged or of another version.
    """
    path = folder / RESULTS_FILE
    try:
        content = json.loads(path.read_text("utf-8"))
        found = (content["schema"], content["version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder} holds no finished evaluation: {path.name}: {error}; run `longloom evaluate` "
            "into it to its end"
        ) from None
    if found != (RESULTS_SCHEMA.name, RESULTS_SCHEMA.version):
        raise DataError(
            f"{path} has schema {found[0]!r} version {found[1]!r}; expected {RESULTS_SCHEMA.name} "
            f"version {RESULTS_SCHEMA.version}; evaluate again"
        )
    questions: dict[str, list[QuestionResult]] = {}
    try:
        for record in iterate_records(folder / SCORES_FILE, schema=SCORES_SCHEMA):
            if record is not None:
                question = _question(record)
                questions.setdefault(question.benchmark, []).append(question)
        benchmarks = tuple(
            _benchmark(described, questions.get(described["name"], ()))
            for described in content["benchmarks"]
        )
        names = ("model", "agent", "suite", "settings", "seconds")
        return EvaluationResults(benchmarks=benchmarks, **{name: content[name] for name in names})
    except DataError as error:
        raise DataError(f"{folder} holds damaged results: {error}; evaluate again") from None
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{folder} holds damaged results: {error!r}; evaluate again") from None


def _benchmark(
    described: Mapping[str, Any], questions: Sequence[QuestionResult]
) -> BenchmarkResults:
    fields = dict(described)
    num_questions = fields.pop("num_questions")
    if len(questions) != num_questions:
        raise DataError(
            f"{SCORES_FILE} has {len(questions)} questions of {fields['name']}, not {num_questions}"
        )
    fields |= {name: tuple(fields[name]) for name in ("facets", "notes")}
    fields["usage"] = TokenUsage(**fields["usage"])
    return BenchmarkResults(**fields, questions=tuple(questions))


def _question(record: Mapping[str, Any]) -> QuestionResult:
    fields = dict(record)
    fields |= {name: tuple(fields[name]) for name in ("golds", "depths")}
    fields["answers"] = tuple(ScoredAnswer(**answer) for answer in fields["answers"])
    scores = [score for answer in fields["answers"] for score in (answer.parity, answer.strict)]
    if not scores or not all(0.0 <= score <= 1.0 for score in scores):
        raise ValueError(f"question {fields['question_id']!r} has the scores {scores[:8]}")
    return QuestionResult(**fields)
