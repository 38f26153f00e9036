"""The charts of a report: training curves, accuracy by task, accuracy by document length."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from longloom.report.charts import Band, LineChart, Point, Series, render_line_chart
from longloom.report.estimates import accuracy
from longloom.report.run_contents import RunContents
from longloom.report.tables import (
    LONG_AGENTS,
    LONG_CHECKPOINTS,
    TASK_NAMES,
    TASKS,
    WINDOW_SUITES,
)
from longloom.runlog import MetricRow

_SMOOTHING_STEPS = 5
_COLOUR_BY_CHECKPOINT = {
    "base": "c5",
    "stage-3": "c0",
    "memory": "c1",
    "merged": "c3",
    "final": "c2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart with its heading and legend."""

    title: str
    """Heading."""
    note: str
    """What the marks mean, in one sentence."""
    svg: str
    """The chart as markup."""
    legend: tuple[tuple[str, str], ...] = ()
    """(CSS classes, name) of the lines."""
    is_wide: bool = False
    """Whether it takes the whole width."""


def training_figures(run: RunContents) -> tuple[Figure, ...]:
    """Return the curves that have points, over the steps of the whole run."""
    figures = [_reward_figure(run), _entropy_figure(run)]
    figures += [
        _plain_figure(run, "Response length", "Mean tokens of a model call.", _LENGTH),
        _plain_figure(
            run,
            "Cut and failed answers",
            "Share of calls cut at the limit, and of rollouts that failed.",
            _ENDS,
            to_share,
        ),
        _plain_figure(
            run,
            "Rollouts that the update saw",
            "The rest had no spread within the group, or were failures while AEPO left them out.",
            _KEPT,
            to_share,
        ),
        _plain_figure(run, "Gradient norm", "Before clipping.", _NORM),
        _plain_figure(run, "Seconds per step", "Sampling, scoring and the update.", _SECONDS),
    ]
    return tuple(figure for figure in figures if figure.svg)


def length_figures(run: RunContents) -> tuple[Figure, ...]:
    """Return one chart per agent: accuracy against document length, by checkpoint."""
    panels = [_length_series(run, agent) for agent, _ in LONG_AGENTS]
    highs = [high for panel in panels for one in panel for _, _, high in one.intervals]
    top = max(highs, default=1.0)
    names = tuple(
        (float(place), suite.removeprefix("windows-")) for place, suite in enumerate(WINDOW_SUITES)
    )
    figures = []
    for (_, title), series in zip(LONG_AGENTS, panels, strict=True):
        chart = LineChart(
            title=f"Accuracy against document length: {title}",
            series=series,
            x_label="windows",
            x_names=names,
            y_range=(0.0, top),
            format_value=to_share,
            width=330,
            height=290,
        )
        figures.append(Figure(title=title, note="", svg=render_line_chart(chart)))
    return tuple(figure for figure in figures if figure.svg)


def length_legend(run: RunContents) -> tuple[tuple[str, str], ...]:
    """Return the legend that the charts of `length_figures` share."""
    names = [name for name in run.checkpoints if name in LONG_CHECKPOINTS]
    return tuple((_COLOUR_BY_CHECKPOINT[name], name) for name in names)


def to_share(value: float) -> str:
    """Return a share as whole percent."""
    return f"{100 * value:.0f}%"


_LENGTH = (("rollout/response_tokens", "tokens", "c0"),)
_ENDS = (
    ("rollout/truncated_fraction", "cut", "c1"),
    ("rollout/failed_fraction", "failed", "c4"),
)
_KEPT = (("training/kept_fraction", "kept", "c2"),)
_NORM = (("training/grad_norm", "gradient norm", "c3"),)
_SECONDS = (("training/step_seconds", "seconds", "c5"),)


def _reward_figure(run: RunContents) -> Figure:
    series: list[Series] = []
    for position, task in enumerate(TASKS):
        pieces = _pieces(run, f"reward/{task}")
        if not pieces:
            continue
        colour = f"c{position}"
        smooth = tuple(_smoothed(piece) for piece in pieces)
        series.append(Series(name="", colour=colour, pieces=pieces, style="faint", is_listed=False))
        series.append(Series(name=TASK_NAMES[task], colour=colour, pieces=smooth))
    mean = tuple(_smoothed(piece) for piece in _pieces(run, "reward/mean"))
    series.append(Series(name="Mean", colour="ink", pieces=mean, style="thick"))
    return Figure(
        title="Reward by task",
        note=f"Mean over {_SMOOTHING_STEPS} steps; single steps behind it. Every stage asks longer "
        "questions than the one before.",
        svg=render_line_chart(
            LineChart(
                title="Reward by task over training steps",
                series=tuple(series),
                bands=_stage_bands(run),
                y_range=(0.0, 1.0),
                format_value=to_share,
                width=1060,
                height=360,
            )
        ),
        legend=_legend(series),
        is_wide=True,
    )


def _entropy_figure(run: RunContents) -> Figure:
    series = [
        Series(
            name="upper bound",
            colour="c4",
            style="dashed",
            pieces=_pieces(run, "training/entropy_high_nats"),
        ),
        Series(
            name="lower bound",
            colour="c0",
            style="dashed",
            pieces=_pieces(run, "training/entropy_low_nats"),
        ),
        Series(name="entropy", colour="ink", pieces=_pieces(run, "training/entropy_nats")),
    ]
    return Figure(
        title="Entropy and the AEPO latch",
        note="Nats. Above the upper bound failures stop counting (shaded) until entropy is below "
        "the lower one.",
        svg=render_line_chart(
            LineChart(
                title="Batch entropy over training steps with the AEPO bounds",
                series=tuple(series),
                bands=_stage_bands(run) + _latch_bands(run),
                format_value=lambda value: f"{value:.2f}",
            )
        ),
        legend=(*_legend(series), ("latch", "failures left out")),
    )


def _plain_figure(
    run: RunContents,
    title: str,
    note: str,
    metrics: Sequence[tuple[str, str, str]],
    format_value: Callable[[float], str] = lambda value: f"{value:.3g}",
) -> Figure:
    series = [
        Series(name=name, colour=colour, pieces=_pieces(run, metric))
        for metric, name, colour in metrics
    ]
    points = [point for one in series for point in one.points]
    chart = LineChart(
        title=f"{title} over training steps",
        series=tuple(series),
        bands=_stage_bands(run),
        y_range=(0.0, max((value for _, value in points), default=1.0)),
        format_value=format_value,
    )
    legend = _legend(series) if len(series) > 1 else ()
    return Figure(title=title, note=note, svg=render_line_chart(chart), legend=legend)


def _length_series(run: RunContents, agent: str) -> tuple[Series, ...]:
    series = []
    names = [name for name in run.checkpoints if name in LONG_CHECKPOINTS]
    for order, name in enumerate(names):
        nudge = 0.05 * (order - (len(names) - 1) / 2)  # whiskers must not hide each other
        points: list[Point] = []
        intervals = []
        for place, suite in enumerate(WINDOW_SUITES):
            estimate = accuracy(run.cell(name, suite, agent))
            if estimate:
                points.append((place + nudge, estimate.value))
                intervals.append((place + nudge, estimate.low, estimate.high))
        series.append(
            Series(
                name=name,
                colour=_COLOUR_BY_CHECKPOINT[name],
                pieces=(tuple(points),),
                intervals=tuple(intervals),
                has_dots=True,
            )
        )
    return tuple(series)


def _pieces(run: RunContents, metric: str) -> tuple[tuple[Point, ...], ...]:
    """Return (step, value) of a metric, one piece per stage."""
    by_stage = groupby(run.rows, key=lambda row: row.stage)
    pieces = (
        tuple((float(row.step), row.metrics[metric]) for row in rows if metric in row.metrics)
        for _, rows in by_stage
    )
    return tuple(piece for piece in pieces if piece)


def _smoothed(piece: Sequence[Point]) -> tuple[Point, ...]:
    reach = _SMOOTHING_STEPS // 2
    smoothed = []
    for index, (step, _) in enumerate(piece):
        near = [value for _, value in piece[max(0, index - reach) : index + reach + 1]]
        smoothed.append((step, sum(near) / len(near)))
    return tuple(smoothed)


def _stage_bands(run: RunContents) -> tuple[Band, ...]:
    return tuple(
        Band(
            start=span.first_step - 0.5,
            end=span.last_step + 0.5,
            label=span.stage,
            style="stage odd" if index % 2 else "stage",
        )
        for index, span in enumerate(run.stages)
    )


def _latch_bands(run: RunContents) -> tuple[Band, ...]:
    def has_negatives_off(row: MetricRow) -> bool:
        return row.metrics.get("training/negatives_on", 1.0) < 0.5

    def stretches() -> Iterator[Band]:
        for is_off, rows in groupby(run.rows, key=has_negatives_off):
            steps = [row.step for row in rows]
            if is_off:
                yield Band(start=steps[0] - 0.5, end=steps[-1] + 0.5, style="latch")

    return tuple(stretches())


def _legend(series: Sequence[Series]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (f"{one.colour} {one.style}".strip(), one.name)
        for one in series
        if one.is_listed and one.points
    )
