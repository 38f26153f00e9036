"""Column charts as inline SVG: counts of things that have an order.

No axis of values: every column carries its number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_TOP, _BOTTOM, _SIDE = 24, 42, 6
_CHARACTER = 6.6
"""Width of a character of a label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChart:
    """What to draw."""

    title: str
    """Said to readers who cannot see the chart."""
    columns: tuple[tuple[str, int], ...]
    """Label and count, in order."""
    x_label: str = ""
    """Under the axis."""
    unit: str = "questions"
    """What is counted."""
    colour: str = "c0"
    """CSS class that sets the colour."""
    width: int = 520
    """Of the view box."""
    height: int = 220
    """Of the view box."""


def render_columns(chart: ColumnChart) -> str:
    """Return the chart as an `<svg>` element, or an empty string if nothing is counted."""
    largest = max((count for _, count in chart.columns), default=0)
    if largest <= 0:
        return ""
    total = sum(count for _, count in chart.columns)
    step = (chart.width - 2 * _SIDE) / len(chart.columns)
    floor = chart.height - _BOTTOM
    every = _label_step([label for label, _ in chart.columns], step)
    parts = [
        f'<svg class="chart columns" viewBox="0 0 {chart.width} {chart.height}" role="img" '
        f'aria-label="{escape(chart.title)}">'
    ]
    for place, (label, count) in enumerate(chart.columns):
        tall = round((floor - _TOP) * count / largest, 1)
        left = round(_SIDE + step * place + step * 0.09, 1)
        middle = round(_SIDE + step * (place + 0.5), 1)
        tip = f"{chart.x_label} {label}: {count:,} {chart.unit} ({count / total:.1%})"
        parts.append(
            f"<g><title>{escape(tip.strip())}</title>"
            f'<rect class="column {escape(chart.colour)}" x="{left}" y="{floor - tall:.1f}" '
            f'width="{step * 0.82:.1f}" height="{tall}" rx="2"/>'
            f'<text class="value" x="{middle}" y="{floor - tall - 6:.1f}" '
            f'text-anchor="middle">{compact(count)}</text></g>'
        )
        if place % every == 0:
            parts.append(
                f'<text x="{middle}" y="{floor + 17}" text-anchor="middle">{escape(label)}</text>'
            )
    right = chart.width - _SIDE
    parts.append(f'<line class="grid" x1="{_SIDE}" x2="{right}" y1="{floor}" y2="{floor}"/>')
    parts.append(
        f'<text class="axis-label" x="{right}" y="{floor + 35}" text-anchor="end">'
        f"{escape(chart.x_label)}</text></svg>"
    )
    return "".join(parts)


def compact(count: int | float) -> str:
    """Write a count in at most five characters: `950`, `1.2K`, `31M`."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if count >= size:
            scaled = count / size
            return f"{scaled:.0f}{unit}" if scaled >= 99.5 else f"{scaled:.1f}{unit}"
    return f"{count:.0f}"


def _label_step(labels: Sequence[str], step: float) -> int:
    """Return every how many columns a label fits."""
    widest = max(map(len, labels)) * _CHARACTER + 6
    return max(1, int(-(-widest // step)))
