"""Columns of shares from 0 to 100% as inline SVG, with intervals and counts.

For things that have an order: lengths, depths. A ring marks a second figure where it differs.
"""

from dataclasses import dataclass
from html import escape

from longloom.evaluation.statistics import Estimate

_TOP, _BOTTOM, _LEFT, _RIGHT = 22, 66, 44, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareColumn:
    """One column."""

    label: str
    """Under it; what stands before and after a `-` goes on two lines."""
    estimate: Estimate
    """Its height, with the interval and the questions it rests on."""
    other: float | None = None
    """A second figure, from 0 to 1; None if it is the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareChart:
    """What to draw."""

    title: str
    """Said to readers who cannot see the chart."""
    columns: tuple[ShareColumn, ...]
    """In order."""
    x_label: str
    """Under the axis."""
    other_name: str = "parity"
    """What the ring is."""
    colour: str = "c0"
    """CSS class that sets the colour."""
    width: int = 520
    """Of the view box."""
    height: int = 270
    """Of the view box."""


def render_shares(chart: ShareChart) -> str:
    """Return the chart as an `<svg>` element, or an empty string without columns."""
    if not chart.columns:
        return ""
    floor = chart.height - _BOTTOM
    right = chart.width - _RIGHT
    parts = [
        f'<svg class="chart shares" viewBox="0 0 {chart.width} {chart.height}" role="img" '
        f'aria-label="{escape(chart.title)}">'
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(share, floor)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y}" y2="{y}"/>'
            f'<text x="{_LEFT - 7}" y="{y + 4}" text-anchor="end">{share:.0%}</text>'
        )
    # A few columns stay columns, and do not become walls.
    step = min(150.0, (right - _LEFT) / len(chart.columns))
    for place, column in enumerate(chart.columns):
        parts += _column(column, chart, _LEFT + step * place, step, floor)
    parts.append(
        f'<text class="axis-label" x="{right}" y="{chart.height - 4}" text-anchor="end">'
        f"{escape(chart.x_label)}</text></svg>"
    )
    return "".join(parts)


def _column(
    column: ShareColumn, chart: ShareChart, left: float, step: float, floor: int
) -> list[str]:
    found = column.estimate
    middle, y = round(left + step / 2, 1), _y(found.value, floor)
    tip = (
        f"{column.label}: {found.value:.1%} ({found.low:.1%} to {found.high:.1%}), "
        f"{found.num_questions:,} questions"
    )
    if column.other is not None:
        tip += f"; {chart.other_name} {column.other:.1%}"
    parts = [
        f'<g class="{escape(chart.colour)}"><title>{escape(tip)}</title>'
        f'<rect class="hover" x="{left:.1f}" y="{_TOP}" width="{step:.1f}" '
        f'height="{floor - _TOP}"/>'
        f'<rect class="column" x="{left + step * 0.14:.1f}" y="{y}" width="{step * 0.72:.1f}" '
        f'height="{max(0.0, floor - y):.1f}" rx="2"/>'
        f'<line class="interval" x1="{middle}" x2="{middle}" y1="{_y(found.high, floor)}" '
        f'y2="{_y(found.low, floor)}"/>'
    ]
    if column.other is not None:
        parts.append(
            f'<circle class="dot hollow c1" cx="{middle}" cy="{_y(column.other, floor)}" r="4.5"/>'
        )
    first, dash, second = column.label.partition("-")
    lines = (f"{first}\N{EN DASH}" if dash else first, second, f"n={found.num_questions:,}")
    parts += [
        f'<text class="{style}" x="{middle}" y="{floor + offset}" text-anchor="middle">'
        f"{escape(line)}</text>"
        for line, offset, style in zip(lines, (16, 30, 46), ("", "", "small"), strict=True)
        if line
    ]
    top = min(y, _y(found.high, floor)) - 5
    parts.append(
        f'<text class="value" x="{middle}" y="{top:.1f}" text-anchor="middle">'
        f"{100 * found.value:.0f}</text></g>"
    )
    return parts


def _y(share: float, floor: int) -> float:
    return round(floor - min(1.0, max(0.0, share)) * (floor - _TOP), 1)
