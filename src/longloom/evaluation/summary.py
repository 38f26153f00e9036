"""The figures of an evaluation, computed from the scores of its questions.

Every figure stands in both modes. Failures count as wrong and are listed apart. Intervals resample
questions, never the several answers to one.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any

from longloom.evaluation.results import (
    MODES,
    BenchmarkResults,
    EvaluationResults,
    Mode,
    QuestionResult,
)
from longloom.evaluation.statistics import (
    Estimate,
    pass_at_k,
    resampled_mean,
    widened_if_alike,
)
from longloom.records import FinishReason
from longloom.rewards.judge import Verdict

LENGTH_BOUNDS_TOKENS = (
    0, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000,
    1_000_000, 4_000_000,
)  # fmt: skip
"""Lower ends of the length bins, half open; the last has no upper end."""
NUM_DEPTH_BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The means of some questions in both modes, each from 0 to 1."""

    num_questions: int
    """Questions."""
    parity: float
    """As the benchmark's own scorer has it."""
    strict: float
    """With its faults repaired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkSummary:
    """The figures of one benchmark."""

    name: str
    """The benchmark."""
    title: str
    """As in tables."""
    headline: Mapping[str, Estimate]
    """Its figure by mode, with the 95% interval."""
    parts: Mapping[str, float]
    """Means of the measures beside it (`exact_match`, `judge`, ...), over the answers that have
    them."""
    num_answers: int
    """Answers over all samples."""
    pass_at: Mapping[int, float]
    """pass@k in strict mode, for k of 1, 2, 4, ... up to the samples; an answer is right at 1."""
    failures: Mapping[str, int]
    """Answers by why there is none."""
    num_cut_answers: int
    """Answers that ended at their limit."""
    num_cut_prompts: int
    """Questions whose prompt lost its middle."""
    num_unclear_verdicts: int
    """Verdicts of the judge that say nothing clear, counted as no."""
    num_refused_verdicts: int
    """Answers that the judge would not read, counted as no."""
    num_unequal: int
    """Answers that the two modes score differently."""
    by_facet: Mapping[str, Mapping[str, Figures]]
    """Figures by facet and value."""
    by_length: Mapping[str, Figures]
    """Figures by tokens of prompt and context, shortest first; empty where lengths are unknown."""
    by_depth: Mapping[str, Mapping[str, Figures]]
    """Figures by length and depth of the evidence (its first place), for heat maps; empty where
    depths are unknown."""


def summarise(results: EvaluationResults) -> dict[str, Any]:
    """Return all figures as JSON values, as results.json holds them."""
    return {one.name: asdict(summarise_benchmark(one)) for one in results.benchmarks}


def summarise_benchmark(benchmark: BenchmarkResults) -> BenchmarkSummary:
    """Return the figures of a benchmark; it has at least one question."""
    questions = benchmark.questions
    answers = [answer for question in questions for answer in question.answers]
    lengths = _grouped(questions, lambda one: _length_bin(one.num_prompt_tokens))
    return BenchmarkSummary(
        name=benchmark.name,
        title=benchmark.title,
        headline={mode: headline(benchmark, mode) for mode in MODES},
        parts=_parts(questions),
        num_answers=len(answers),
        pass_at=_pass_at(questions),
        failures=dict(sorted(Counter(one.failure for one in answers if one.failure).items())),
        num_cut_answers=sum(one.finish_reason == FinishReason.LENGTH for one in answers),
        num_cut_prompts=sum(question.is_prompt_cut for question in questions),
        num_unclear_verdicts=sum(one.verdict == Verdict.UNCLEAR for one in answers),
        num_refused_verdicts=sum(one.verdict == Verdict.REFUSED for one in answers),
        num_unequal=sum(one.parity != one.strict for one in answers),
        by_facet={facet: _by_value(questions, facet) for facet in benchmark.facets},
        by_length={name: figures_of(lengths[name]) for name in length_bins() if name in lengths},
        by_depth=_by_depth(questions),
    )


def headline(benchmark: BenchmarkResults, mode: Mode) -> Estimate:
    """Return the benchmark's own figure in a mode, with its interval.

    Where all questions score alike, resampling tells nothing: then it is Wilson's interval.
    """
    values = {one.question_id: one.mean(mode) for one in benchmark.questions}
    facet = benchmark.mean_over
    groups = {one.question_id: one.facets.get(facet, "") for one in benchmark.questions}
    return widened_if_alike(resampled_mean(values, groups if facet else None))


def figures_of(questions: Sequence[QuestionResult]) -> Figures:
    """Return the plain means of some questions."""
    return Figures(
        num_questions=len(questions),
        parity=fmean(one.mean("parity") for one in questions),
        strict=fmean(one.mean("strict") for one in questions),
    )


def length_bins() -> tuple[str, ...]:
    """Return the names of all length bins, shortest first."""
    ends = [*(f"{_short(low)}-{_short(high)}" for low, high in pairwise(LENGTH_BOUNDS_TOKENS))]
    return (*ends, f"over {_short(LENGTH_BOUNDS_TOKENS[-1])}")


def depth_bins() -> tuple[str, ...]:
    """Return the names of all depth bins, from the start of the context to its end."""
    return tuple(f"{10 * number}-{10 * number + 10}%" for number in range(NUM_DEPTH_BINS))


def _length_bin(num_tokens: int) -> str:
    if num_tokens <= 0:
        return ""
    number = max(i for i, low in enumerate(LENGTH_BOUNDS_TOKENS) if num_tokens > low or i == 0)
    return length_bins()[number]


def _short(num_tokens: int) -> str:
    if num_tokens >= 1_000_000:
        return f"{num_tokens // 1_000_000}M"
    return f"{num_tokens // 1_000}K" if num_tokens >= 1_000 else f"{num_tokens}"


def _by_value(questions: Sequence[QuestionResult], facet: str) -> dict[str, Figures]:
    groups = _grouped(questions, lambda one: one.facets.get(facet, ""))
    return {value: figures_of(own) for value, own in sorted(groups.items())}


def _by_depth(questions: Sequence[QuestionResult]) -> dict[str, dict[str, Figures]]:
    placed = [one for one in questions if one.depths and one.num_prompt_tokens > 0]
    by_length = _grouped(placed, lambda one: _length_bin(one.num_prompt_tokens))
    return {
        length: {
            depth: figures_of(own[depth])
            for depth in depth_bins()
            if depth in (own := _grouped(by_length[length], _depth_bin))
        }
        for length in length_bins()
        if length in by_length
    }


def _depth_bin(question: QuestionResult) -> str:
    return depth_bins()[min(NUM_DEPTH_BINS - 1, int(question.depths[0] * NUM_DEPTH_BINS))]


def _parts(questions: Sequence[QuestionResult]) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for question in questions:
        for answer in question.answers:
            for name, value in answer.parts.items():
                values.setdefault(name, []).append(value)
    return {name: fmean(found) for name, found in sorted(values.items())}


def _pass_at(questions: Sequence[QuestionResult]) -> dict[int, float]:
    num_samples = min(len(question.answers) for question in questions)
    counts = [sum(answer.strict >= 1.0 for answer in one.answers) for one in questions]
    powers = [2**power for power in range(num_samples.bit_length()) if 2**power <= num_samples]
    return {
        k: fmean(
            pass_at_k(len(one.answers), count, k)
            for one, count in zip(questions, counts, strict=True)
        )
        for k in sorted({*powers, num_samples})
    }


def _grouped(
    questions: Sequence[QuestionResult], name_of: Callable[[QuestionResult], str]
) -> dict[str, list[QuestionResult]]:
    """Return the questions by name; those without one are in no group."""
    groups: dict[str, list[QuestionResult]] = {}
    for question in questions:
        if name := name_of(question):
            groups.setdefault(name, []).append(question)
    return groups
