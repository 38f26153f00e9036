"""Two evaluations, question by question: what one answers and the other does not.

Questions are paired by their id; those that one side alone was asked are left out and counted. What
was not the same for both (limits, judge, files) is listed, because it is no merit of a model.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from longloom.errors import DataError
from longloom.evaluation.results import BenchmarkResults, EvaluationResults, Mode, QuestionResult
from longloom.evaluation.statistics import (
    Estimate,
    paired_bootstrap,
    resampled_mean,
    resamples_for,
    widened_if_alike,
)

_SEED = 0
"""Values that a bootstrap draws at most; large benchmarks resample less often."""
_HARMLESS = frozenset(
    (
        "agent", "answer_price", "concurrency", "endpoint", "files", "generated",
        "max_tokens_in_flight", "model", "named", "prompt_price", "url",
    )
)  # fmt: skip
"""Settings that change no answer, or that are what is compared, or that are compared elsewhere."""
_MOST_CHARACTERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedQuestion:
    """A question that the two sides score differently."""

    question_id: str
    """The question."""
    baseline: float
    """Mean score of the first run's answers, from 0 to 1."""
    candidate: float
    """Of the second's."""

    @property
    def difference(self) -> float:
        """Candidate minus baseline."""
        return self.candidate - self.baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedResults:
    """One benchmark, or one cell of a run, that both sides were asked."""

    name: str
    """The benchmark; for a cell its checkpoint, suite and agent."""
    title: str
    """As in tables."""
    baseline: Estimate
    """Figure of the first run over the questions of both."""
    candidate: Estimate
    """Of the second."""
    difference: Estimate
    """Candidate minus baseline, with the 95% interval of the paired bootstrap."""
    num_won: int
    """Questions that the second scores higher on."""
    num_lost: int
    """Questions that it scores lower on."""
    changed: tuple[ChangedQuestion, ...]
    """Both of them, the largest differences first."""
    only_baseline: tuple[str, ...] = ()
    """Questions that the first alone was asked; left out."""
    only_candidate: tuple[str, ...] = ()
    """Questions that the second alone was asked; left out."""

    @property
    def is_separated(self) -> bool:
        """Whether the interval of the difference leaves 0 out."""
        return self.difference.low > 0 or self.difference.high < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlikeSetting:
    """Something that was not the same for both sides."""

    name: str
    """What."""
    baseline: str
    """Its value in the first run."""
    candidate: str
    """In the second."""
    places: tuple[str, ...] = ()
    """The benchmarks or cells it concerns; empty for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs."""

    baseline: str
    """Name of the first run."""
    candidate: str
    """Name of the second."""
    mode: Mode | None
    """Which scores are compared; None for rewards, which have one mode."""
    paired: tuple[PairedResults, ...]
    """What both have, in the first one's order."""
    only_baseline: tuple[str, ...] = ()
    """Benchmarks or cells of the first alone."""
    only_candidate: tuple[str, ...] = ()
    """Of the second alone."""
    unlike: tuple[UnlikeSetting, ...] = ()
    """Differences other than the model."""


def compare_evaluations(
    baseline: EvaluationResults,
    candidate: EvaluationResults,
    *,
    mode: Mode = "strict",
    names: tuple[str, str] | None = None,
) -> Comparison:
    """Compare two evaluations on every benchmark that both have.

    Raises:
        DataError: they share no benchmark with a question.
    """
    ours = {one.name: one for one in baseline.benchmarks}
    theirs = {one.name: one for one in candidate.benchmarks}
    paired = [
        _paired_benchmark(one, theirs[name], mode)
        for name, one in ours.items()
        if name in theirs and _ids(one) & _ids(theirs[name])
    ]
    if not paired:
        raise DataError(
            f"the two evaluations share no question: {', '.join(ours) or 'nothing'} and "
            f"{', '.join(theirs) or 'nothing'}; compare runs of the same benchmarks"
        )
    shared = {one.name for one in paired}
    return Comparison(
        baseline=names[0] if names else baseline.model,
        candidate=names[1] if names else candidate.model,
        mode=mode,
        paired=tuple(paired),
        only_baseline=tuple(name for name in ours if name not in shared),
        only_candidate=tuple(name for name in theirs if name not in shared),
        unlike=tuple(_unlike(baseline, candidate, shared)),
    )


def pair_values(
    name: str,
    title: str,
    baseline: Mapping[str, float],
    candidate: Mapping[str, float],
    *,
    group_of: Mapping[str, str] | None = None,
) -> PairedResults:
    """Pair the scores of two runs by question.

    Args:
        name: what they are of.
        title: the same, as in tables.
        baseline: mean score of each question in the first run.
        candidate: in the second.
        group_of: the figure is the plain mean of the means of these groups; questions without one
            count nowhere.

    Raises:
        DataError: they share no question.
    """
    shared = sorted(baseline.keys() & candidate.keys())
    counted = [one for one in shared if group_of is None or group_of.get(one)]
    if not counted:
        raise DataError(f"{name}: the two runs share no question; compare the same questions")
    changed = [
        ChangedQuestion(question_id=one, baseline=baseline[one], candidate=candidate[one])
        for one in counted
        if baseline[one] != candidate[one]
    ]
    differences = {one: candidate[one] - baseline[one] for one in counted}
    if group_of is None:
        difference = paired_bootstrap(
            {one: baseline[one] for one in counted},
            {one: candidate[one] for one in counted},
            seed=_SEED,
            num_resamples=resamples_for(len(counted)),
        )
    else:
        difference = resampled_mean(differences, group_of)
    return PairedResults(
        name=name,
        title=title,
        baseline=widened_if_alike(
            resampled_mean({one: baseline[one] for one in counted}, group_of)
        ),
        candidate=widened_if_alike(
            resampled_mean({one: candidate[one] for one in counted}, group_of)
        ),
        difference=difference,
        num_won=sum(one.difference > 0 for one in changed),
        num_lost=sum(one.difference < 0 for one in changed),
        changed=tuple(sorted(changed, key=lambda one: (-abs(one.difference), one.question_id))),
        only_baseline=tuple(sorted(baseline.keys() - candidate.keys())),
        only_candidate=tuple(sorted(candidate.keys() - baseline.keys())),
    )


def _paired_benchmark(
    baseline: BenchmarkResults, candidate: BenchmarkResults, mode: Mode
) -> PairedResults:
    facet = baseline.mean_over
    groups = {one.question_id: one.facets.get(facet, "") for one in baseline.questions}
    return pair_values(
        baseline.name,
        baseline.title,
        {one.question_id: one.mean(mode) for one in baseline.questions},
        {one.question_id: one.mean(mode) for one in candidate.questions},
        group_of=groups if facet else None,
    )


def _ids(benchmark: BenchmarkResults) -> set[str]:
    return {one.question_id for one in benchmark.questions}


def _unlike(
    baseline: EvaluationResults, candidate: EvaluationResults, shared: set[str]
) -> Iterator[UnlikeSetting]:
    if baseline.agent != candidate.agent:
        yield UnlikeSetting(name="agent", baseline=baseline.agent, candidate=candidate.agent)
    theirs = {one.name: one for one in candidate.benchmarks}
    found: dict[tuple[str, str, str], list[str]] = {}
    for one in baseline.benchmarks:
        if one.name not in shared:
            continue
        before, after = _conditions(one), _conditions(theirs[one.name])
        for name in dict.fromkeys([*before, *after]):
            values = before.get(name, "none"), after.get(name, "none")
            if values[0] != values[1]:
                found.setdefault((name, *values), []).append(one.name)
    for (name, *both), places in found.items():
        is_all = len(places) == len(shared)
        yield UnlikeSetting(
            name=name,
            baseline=both[0],
            candidate=both[1],
            places=() if is_all else tuple(places),
        )
    told = {name for name, _, _ in found}
    settings = flattened(baseline.settings), flattened(candidate.settings)
    for path in sorted(settings[0].keys() | settings[1].keys()):
        last = path.rpartition(".")[2]
        before_value, after_value = (one.get(path, "not set") for one in settings)
        # How the memory agent reads is nothing to one that does not.
        is_idle = path.startswith("memory") and baseline.agent != candidate.agent
        is_told = last in _HARMLESS or last in told or is_idle
        if before_value != after_value and not is_told:
            yield UnlikeSetting(name=path, baseline=before_value, candidate=after_value)


def _conditions(benchmark: BenchmarkResults) -> dict[str, str]:
    """Return what shapes a benchmark's figure besides the model, as words by name."""
    numbers = sorted({len(question.answers) for question in benchmark.questions})
    files = {f"file {name}": digest[:12] for name, digest in sorted(benchmark.source.items())}
    return {
        "max_prompt_tokens": f"{benchmark.max_prompt_tokens:,}",
        "max_new_tokens": f"{benchmark.max_new_tokens:,}",
        "num_samples": " or ".join(map(str, numbers)),
        "judge": benchmark.judge or "none",
        "measure": benchmark.measure,
        "mean_over": benchmark.mean_over or "all questions",
        **files,
    }


def flattened(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested settings as words by dotted path."""
    found: dict[str, str] = {}
    for key, value in settings.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found |= flattened(value, f"{path}.")
        else:
            words = str(value)
            is_long = len(words) > _MOST_CHARACTERS
            found[path] = f"{words[:_MOST_CHARACTERS]} ..." if is_long else words
    return found


def question_pairs(
    baseline: EvaluationResults, candidate: EvaluationResults, benchmark: str
) -> dict[str, tuple[QuestionResult, QuestionResult]]:
    """Return the questions of a benchmark that both runs hold, by id."""
    sides = [
        {one.question_id: one for found in run.benchmarks if found.name == benchmark
         for one in found.questions}
        for run in (baseline, candidate)
    ]  # fmt: skip
    return {one: (sides[0][one], sides[1][one]) for one in sides[0] if one in sides[1]}
