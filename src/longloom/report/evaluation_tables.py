"""The tables of an evaluation's page as records: headline, average, bars, settings.

Every interval is at 95%. That of parts of a benchmark is Wilson's, which is on the safe side for
scores between right and wrong.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longloom.evaluation.results import MODES, BenchmarkResults
from longloom.evaluation.statistics import Estimate, wilson_interval
from longloom.evaluation.suites import SUITES
from longloom.evaluation.summary import BenchmarkSummary, Figures, depth_bins
from longloom.report.evaluation_contents import EvaluationContents
from longloom.report.share_chart import ShareChart, ShareColumn, render_shares

PART_NAMES = {
    "cover_exact_match": "Cover exact match",
    "exact_match": "Exact match",
    "f1": "F1",
    "judge": "Judge",
    "rouge_l": "ROUGE-L",
    "rule": "Rule",
}
"""Measures beside the figure; others are shown by their own name."""
FAILURE_NAMES = {
    "agent_failed": "The agent failed",
    "empty_answer": "Empty answer",
    "prompt_too_long": "Prompt too long to be asked",
    "refused": "Refused by the server",
    "server_unavailable": "Server away",
    "unfinished_thinking": "Thinking never ended",
}
"""Kinds of failures; others are shown by their own name."""
_KNOWN_ORDERS = (("easy", "medium", "hard"), ("short", "medium", "long"))
_NUMBER = re.compile(r"\d{1,12}")
_MANY_COLUMNS = 6
"""From this number on a chart takes the whole width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadlineRow:
    """One benchmark in the table at the top."""

    benchmark: BenchmarkResults
    """The benchmark."""
    summary: BenchmarkSummary
    """Its figures."""

    @property
    def strict(self) -> Estimate:
        """The figure with the benchmark's faults repaired."""
        return self.summary.headline["strict"]

    @property
    def parity(self) -> Estimate:
        """The figure as its own scorer has it."""
        return self.summary.headline["parity"]

    @property
    def num_failed(self) -> int:
        """Answers that are none."""
        return sum(self.summary.failures.values())

    @property
    def num_samples(self) -> int:
        """Answers per question, the most of any."""
        return max(len(question.answers) for question in self.benchmark.questions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Average:
    """The plain mean over benchmarks."""

    by_mode: Mapping[str, Estimate]
    """The mean, with the benchmarks' own intervals joined as those of independent figures."""
    num_benchmarks: int
    """Over how many."""
    missing: tuple[str, ...]
    """Benchmarks of the suite that were not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRow:
    """One bar."""

    name: str
    """What it is of."""
    estimate: Estimate
    """In strict mode."""
    parity: float
    """As the benchmark's own scorer has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """Length by depth."""

    columns: tuple[str, ...]
    """Lengths, shortest first."""
    rows: tuple[tuple[str, tuple[Figures | None, ...]], ...]
    """Depths from the start of the context, with a cell for each length."""


def headline_rows(contents: EvaluationContents) -> tuple[HeadlineRow, ...]:
    """Return a row for each benchmark, in the order asked."""
    return tuple(
        HeadlineRow(benchmark=one, summary=contents.summaries[one.name])
        for one in contents.results.benchmarks
    )


def average(contents: EvaluationContents) -> Average | None:
    """Return the mean over all benchmarks; None for a single one."""
    rows = headline_rows(contents)
    if len(rows) < 2:
        return None
    suite = SUITES.get(contents.results.suite)
    asked = {row.benchmark.name for row in rows}
    return Average(
        by_mode={mode: _mean([row.summary.headline[mode] for row in rows]) for mode in MODES},
        num_benchmarks=len(rows),
        missing=tuple(name for name in suite.benchmarks if name not in asked) if suite else (),
    )


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    """Return the mean; half-widths of independent figures add up as squares."""
    value = math.fsum(one.value for one in estimates) / len(estimates)
    low = math.hypot(*(one.value - one.low for one in estimates)) / len(estimates)
    high = math.hypot(*(one.high - one.value for one in estimates)) / len(estimates)
    return Estimate(
        value=value,
        low=max(0.0, value - low),
        high=min(1.0, value + high),
        num_questions=sum(one.num_questions for one in estimates),
    )


def facet_rows(figures_by_value: Mapping[str, Figures]) -> tuple[ShareRow, ...]:
    """Return the bars of a facet: known orders as they are, numbers ascending, else by size."""
    values = list(figures_by_value)
    lowered = {value.lower() for value in values}
    for order in _KNOWN_ORDERS:
        if lowered <= set(order):
            values.sort(key=lambda value: order.index(value.lower()))
            break
    else:
        if all(_NUMBER.search(value) for value in values):
            values.sort(key=_natural)
        else:
            values.sort(key=lambda value: (-figures_by_value[value].num_questions, value))
    return tuple(
        ShareRow(
            name=value,
            estimate=interval(figures_by_value[value]),
            parity=figures_by_value[value].parity,
        )
        for value in values
    )


def _natural(value: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    return tuple(_NUMBER.split(value)), tuple(map(int, _NUMBER.findall(value)))


def interval(figures: Figures) -> Estimate:
    """Return the strict mean of some questions with its interval."""
    return wilson_interval(figures.strict * figures.num_questions, figures.num_questions)


def length_chart(summary: BenchmarkSummary) -> str:
    """Return accuracy by length as SVG, or an empty string where lengths are unknown."""
    return _chart(summary.by_length, f"{summary.title}: by length", "tokens of the question")


def depth_chart(summary: BenchmarkSummary) -> str:
    """Return accuracy by depth as SVG, or an empty string where depths are unknown."""
    by_depth = {}
    for depth in depth_bins():
        cells = [row[depth] for row in summary.by_depth.values() if depth in row]
        if cells:
            by_depth[depth] = _together(cells)
    return _chart(by_depth, f"{summary.title}: by depth of the evidence", "depth in the context")


def heat_map(summary: BenchmarkSummary) -> HeatMap | None:
    """Return length by depth; None where there is no second length to set beside the first."""
    if len(summary.by_depth) < 2:
        return None
    columns = tuple(summary.by_depth)
    return HeatMap(
        columns=columns,
        rows=tuple(
            (depth, tuple(summary.by_depth[length].get(depth) for length in columns))
            for depth in depth_bins()
        ),
    )


def _together(cells: Sequence[Figures]) -> Figures:
    total = sum(cell.num_questions for cell in cells)
    return Figures(
        num_questions=total,
        parity=math.fsum(cell.parity * cell.num_questions for cell in cells) / total,
        strict=math.fsum(cell.strict * cell.num_questions for cell in cells) / total,
    )


def _chart(figures_by_bin: Mapping[str, Figures], title: str, x_label: str) -> str:
    is_wide = len(figures_by_bin) >= _MANY_COLUMNS
    return render_shares(
        ShareChart(
            title=title,
            columns=tuple(
                ShareColumn(
                    label=name,
                    estimate=interval(figures),
                    other=figures.parity if figures.parity != figures.strict else None,
                )
                for name, figures in figures_by_bin.items()
            ),
            x_label=x_label,
            width=900 if is_wide else 520,
        )
    )
