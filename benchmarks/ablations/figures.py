"""Curves of the arms as SVG files that stand alone.

Means over seeds, smoothed over ten steps. One file per family of arms: entropy, answer length and
validation score below each other.
"""

from collections.abc import Mapping, Sequence
from html import escape
from statistics import fmean

from ablations.arms import ARMS
from ablations.run_files import CurvePoint, RunResult
from longloom.report.charts import LineChart, Series, render_line_chart

PANELS: Mapping[str, tuple[str, ...]] = {
    "advantages": ("grpo", "tbs", "tbs-batch-std", "tbs-task-std"),
    "negatives": (
        "grpo", "clip-low-tokens", "clip-high-tokens", "clip-low-sequences",
        "clip-high-sequences", "aepo",
    ),
    "l1": ("l1-full", "l1-no-sft", "l1-one-phase", "l1-no-retrospective", "l1-rule-only"),
}  # fmt: skip
"""Which arms share a figure."""
METRICS = (
    ("entropy_nats", "Entropy (nats)"),
    ("response_tokens", "Answer length (tokens)"),
    ("validation", "Validation score"),
)
SMOOTHED_STEPS = 10
_COLOURS = ("#3b6fb6", "#c8553d", "#4f9d69", "#8e6bb8", "#c49a2c", "#5aa7a7")
_WIDTH, _HEIGHT, _LEGEND_LINE = 620, 230, 17
_STYLE = (
    "text{font:11px sans-serif;fill:#444}"
    ".grid{stroke:#ddd;stroke-width:1}"
    ".line{fill:none;stroke:currentColor;stroke-width:1.7}"
    ".dot{fill:currentColor;stroke:none}"
    ".hover{fill:transparent}" + "".join(f".c{i}{{color:{c}}}" for i, c in enumerate(_COLOURS))
)


def drawn_figures(runs_by_arm: Mapping[str, Sequence[RunResult]]) -> dict[str, str]:
    """Return SVG files by name, for the families of which an arm was run."""
    figures = {}
    for name, arms in PANELS.items():
        present = [arm for arm in arms if any(run.curve for run in runs_by_arm.get(arm, ()))]
        if present:
            figures[f"ablation_{name}.svg"] = _figure(present, runs_by_arm)
    return figures


def mean_curve(runs: Sequence[RunResult], metric: str) -> list[tuple[float, float]]:
    """Return (step, mean over the runs that have this metric at this step)."""
    values_by_step: dict[int, list[float]] = {}
    for run in runs:
        for point in run.curve:
            value = _value(point, metric)
            if value is not None:
                values_by_step.setdefault(point.step, []).append(value)
    return [(float(step), fmean(values)) for step, values in sorted(values_by_step.items())]


def smoothed(curve: Sequence[tuple[float, float]], num_steps: int) -> list[tuple[float, float]]:
    """Return the curve with every value the mean of itself and those before, `num_steps` in all."""
    return [
        (step, fmean(value for _, value in curve[max(0, place + 1 - num_steps) : place + 1]))
        for place, (step, _) in enumerate(curve)
    ]


def _value(point: CurvePoint, metric: str) -> float | None:
    value: float | None = getattr(point, metric)
    return value


def _figure(arms: Sequence[str], runs_by_arm: Mapping[str, Sequence[RunResult]]) -> str:
    height = len(METRICS) * _HEIGHT + len(arms) * _LEGEND_LINE + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}"><style>{_STYLE}</style>'
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>'
    ]
    for place, (metric, title) in enumerate(METRICS):
        chart = LineChart(
            title=title,
            series=tuple(
                Series(
                    name=ARMS[arm].title,
                    colour=f"c{index}",
                    pieces=(tuple(_shown_curve(runs_by_arm[arm], metric)),),
                )
                for index, arm in enumerate(arms)
            ),
            width=_WIDTH,
            height=_HEIGHT,
        )
        drawn = render_line_chart(chart)
        position = f'<svg x="0" y="{place * _HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        parts.append(drawn.replace("<svg ", position, 1))
        parts.append(f'<text x="54" y="{place * _HEIGHT + 16}">{escape(title)}</text>')
    for index, arm in enumerate(arms):
        y = len(METRICS) * _HEIGHT + (index + 1) * _LEGEND_LINE
        parts.append(
            f'<rect class="c{index}" x="54" y="{y - 9}" width="18" height="4" fill="currentColor"/>'
            f'<text x="80" y="{y - 3}">{escape(ARMS[arm].title)}</text>'
        )
    return "".join([*parts, "</svg>\n"])


def _shown_curve(runs: Sequence[RunResult], metric: str) -> list[tuple[float, float]]:
    curve = mean_curve(runs, metric)
    return curve if metric == "validation" else smoothed(curve, SMOOTHED_STEPS)
