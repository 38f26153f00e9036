"""Write report.html of an evaluation, and the pages of its wrong answers beside it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from longloom.evaluation.comparing import flattened
from longloom.evaluation.results import BenchmarkResults
from longloom.evaluation.statistics import Estimate
from longloom.evaluation.suites import SUITES
from longloom.evaluation.summary import BenchmarkSummary
from longloom.records import TokenUsage
from longloom.report.evaluation_contents import EvaluationContents, read_evaluation
from longloom.report.evaluation_evidence import AskedOf
from longloom.report.evaluation_tables import (
    FAILURE_NAMES,
    PART_NAMES,
    HeadlineRow,
    HeatMap,
    ShareRow,
    average,
    depth_chart,
    facet_rows,
    headline_rows,
    heat_map,
    length_chart,
)
from longloom.report.published_table import PublishedRow, published_parts, published_table
from longloom.report.templating import render
from longloom.report.write import Tile
from longloom.report.wrong_pages import WrongPages, write_wrong_pages
from longloom.runlog import RunFolder, atomic_write_bytes

_AGENTS = {
    "closed_book": "closed book (no context)",
    "memory": "memory agent",
    "single_pass": "single pass",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkSection:
    """One benchmark on the page."""

    row: HeadlineRow
    """Its figures."""
    anchor: str
    """Where links lead."""
    parts: tuple[tuple[str, float], ...]
    """Measures beside the figure, with their means."""
    failures: tuple[tuple[str, int], ...]
    """Kinds of failures with their counts."""
    facets: tuple[tuple[str, tuple[ShareRow, ...]], ...]
    """Bars by facet."""
    length_chart: str
    """SVG, or empty."""
    depth_chart: str
    """SVG, or empty."""
    heat_map: HeatMap | None
    """Length by depth."""
    published_parts: tuple[tuple[str, ...], tuple[PublishedRow, ...]]
    """What the papers report on its parts."""
    wrong: WrongPages
    """Where its wrong answers are."""

    @property
    def benchmark(self) -> BenchmarkResults:
        """The benchmark."""
        return self.row.benchmark

    @property
    def summary(self) -> BenchmarkSummary:
        """Its figures."""
        return self.row.summary


def write_evaluation_report(folder: Path, asked_of: AskedOf | None = None) -> Path:
    """Write `report.html` into the folder of an evaluation and return its path.

    Args:
        folder: what `longloom evaluate` wrote, with results.json.
        asked_of: gives the text of a question by benchmark and id where its file is still there;
            the page says where it is not.

    Raises:
        DataError: the evaluation is not finished, a file is damaged, or the folder cannot be
            written; an earlier report then stays as it is.
    """
    contents = read_evaluation(folder)
    wrong = write_wrong_pages(contents, asked_of)
    page = render_evaluation(contents, wrong)
    target = RunFolder(folder).report_file
    # Text of a model may hold half a surrogate pair, which UTF-8 cannot.
    atomic_write_bytes(target, page.encode("utf-8", "replace"))
    return target


def render_evaluation(contents: EvaluationContents, wrong: Mapping[str, WrongPages]) -> str:
    """Return the page of an evaluation."""
    rows = headline_rows(contents)
    suite = SUITES.get(contents.results.suite)
    return render(
        "evaluation.html.j2",
        run=contents.results,
        agent=_AGENTS.get(contents.results.agent, contents.results.agent),
        suite=suite.title if suite else contents.results.suite,
        tiles=_tiles(contents),
        rows=rows,
        average=average(contents),
        empty=contents.empty,
        published=published_table(contents),
        sections=[
            _section(row, number, wrong[row.benchmark.name]) for number, row in enumerate(rows)
        ],
        failure_names=FAILURE_NAMES,
        settings=sorted(flattened(contents.results.settings).items()),
        usage=_usage(contents),
        folder_name=contents.path.resolve().name,
    )


def _section(row: HeadlineRow, number: int, wrong: WrongPages) -> BenchmarkSection:
    summary = row.summary
    own = {
        value: figures.strict
        for by_value in summary.by_facet.values()
        for value, figures in by_value.items()
    }
    return BenchmarkSection(
        row=row,
        anchor=f"benchmark-{number + 1}",
        parts=tuple((PART_NAMES.get(name, name), mean) for name, mean in summary.parts.items()),
        failures=tuple(
            sorted(
                ((FAILURE_NAMES.get(name, name), num) for name, num in summary.failures.items()),
                key=lambda pair: -pair[1],
            )
        ),
        facets=tuple(
            (facet, facet_rows(by_value))
            for facet, by_value in summary.by_facet.items()
            if len(by_value) > 1
        ),
        length_chart=length_chart(summary),
        depth_chart=depth_chart(summary),
        heat_map=heat_map(summary),
        published_parts=published_parts(summary.name, own),
        wrong=wrong,
    )


def _tiles(contents: EvaluationContents) -> list[Tile]:
    rows = headline_rows(contents)
    mean = average(contents)
    first = mean.by_mode["strict"] if mean else rows[0].strict
    num_answers = sum(row.summary.num_answers for row in rows)
    num_failed = sum(row.num_failed for row in rows)
    num_unequal = sum(row.summary.num_unequal for row in rows)
    usage = _usage(contents)
    return [
        Tile(
            title=f"Mean of {mean.num_benchmarks} benchmarks" if mean else rows[0].benchmark.title,
            value=f"{100 * first.value:.1f}",
            note=f"strict, 95% interval {_interval(first)}",
        ),
        Tile(
            title="Questions",
            value=f"{sum(len(row.benchmark.questions) for row in rows):,}",
            note=f"{num_answers:,} answers",
        ),
        Tile(
            title="Failures",
            value=f"{num_failed:,}",
            note="answers that are none; wrong in strict mode",
        ),
        Tile(
            title="Modes differ on",
            value=f"{num_unequal:,}",
            note="answers that the benchmarks' own scorers score otherwise",
        ),
        Tile(
            title="Tokens",
            value=_large(usage.num_prompt_tokens + usage.num_response_tokens),
            note=f"{_large(usage.num_response_tokens)} of them written, {usage.num_calls:,} calls",
        ),
    ]


def _usage(contents: EvaluationContents) -> TokenUsage:
    total = TokenUsage()
    for benchmark in contents.results.benchmarks:
        total += benchmark.usage
    return total


def _interval(estimate: Estimate) -> str:
    return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}"


def _large(number: int) -> str:
    if number < 1_000:
        return str(number)
    power = min(3, int(math.log10(number)) // 3)
    return f"{number / 1_000**power:.3g}{('', 'K', 'M', 'G')[power]}"
