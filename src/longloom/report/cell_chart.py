"""A chart of cells as inline SVG: one shade per row and column, with the value in a tooltip."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

_LEFT, _TOP, _BOTTOM = 84, 6, 26
_ROW_HEIGHT = 20
_LABEL_WIDTH = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class CellChart:
    """What to draw."""

    title: str
    """Said to readers who cannot see the chart."""
    rows: tuple[str, ...]
    """Names, from above."""
    columns: tuple[str, ...]
    """Names, from the left."""
    value_by_cell: Mapping[tuple[str, str], float]
    """Value by (row, column); a missing one is left blank."""
    highest: float
    """The value that gets the full colour; 0 gets none."""
    format_value: Callable[[float], str]
    """How a value is written."""
    colour: str = "c0"
    """CSS class that sets the colour."""
    x_label: str = "layer"
    """Under the axis, and before a column's name in tooltips."""
    width: int = 520
    """Of the view box."""


def render_cells(chart: CellChart) -> str:
    """Return the chart as an `<svg>` element, or an empty string if it has no cells."""
    if not chart.value_by_cell:
        return ""
    step = (chart.width - _LEFT - 4) / len(chart.columns)
    height = _TOP + _ROW_HEIGHT * len(chart.rows) + _BOTTOM
    parts = [
        f'<svg class="chart cells" viewBox="0 0 {chart.width} {height}" role="img" '
        f'aria-label="{escape(chart.title)}">'
    ]
    for place, row in enumerate(chart.rows):
        top = _TOP + _ROW_HEIGHT * place
        parts.append(f'<text x="{_LEFT - 8}" y="{top + 14}" text-anchor="end">{escape(row)}</text>')
        parts += [
            _cell(chart, row, column, (round(_LEFT + step * index, 2), top), step)
            for index, column in enumerate(chart.columns)
            if (row, column) in chart.value_by_cell
        ]
    parts += _column_labels(chart.columns, step, height)
    parts.append(
        f'<text x="{_LEFT - 8}" y="{height - 10}" text-anchor="end">{escape(chart.x_label)}</text>'
        "</svg>"
    )
    return "".join(parts)


def _cell(chart: CellChart, row: str, column: str, corner: tuple[float, float], step: float) -> str:
    value = chart.value_by_cell[row, column]
    share = min(1.0, max(0.0, value / chart.highest)) if chart.highest > 0 else 0.0
    left, top = corner
    size = f'x="{left}" y="{top}" width="{max(1.0, step - 1):.2f}" height="{_ROW_HEIGHT - 1}"'
    tip = f"{row}, {chart.x_label} {column}: {chart.format_value(value)}"
    return (
        f'<g class="{escape(chart.colour)}"><title>{escape(tip)}</title>'
        f'<rect {size} fill="var(--track)"/>'
        f'<rect {size} fill="currentColor" fill-opacity="{share:.3f}"/></g>'
    )


def _column_labels(columns: Sequence[str], step: float, height: int) -> list[str]:
    every = max(1, int(-(-_LABEL_WIDTH // step)))
    return [
        f'<text x="{_LEFT + step * (place + 0.5):.1f}" y="{height - 10}" text-anchor="middle">'
        f"{escape(column)}</text>"
        for place, column in enumerate(columns)
        if place % every == 0
    ]
