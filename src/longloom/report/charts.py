"""Line charts as inline SVG: no library, no script, colours from the page's style sheet.

What it leaves out: everything but lines with whiskers over a linear or named horizontal axis.
All text is escaped here; the result is markup.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]

_TOP, _RIGHT, _BOTTOM, _LEFT = 26, 14, 40, 54
_LABEL_CHARACTER = 6.2
"""Width of a character of a band's label; one that does not fit is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line, in one or several pieces."""

    name: str
    """Named in the tooltips and the legend."""
    colour: str
    """CSS class that sets the colour: `c0` .. `c6`."""
    pieces: tuple[tuple[Point, ...], ...]
    """The line is interrupted between pieces."""
    style: str = ""
    """Further CSS classes: `dashed`, `faint`, `thick`."""
    intervals: tuple[tuple[float, float, float], ...] = ()
    """Whiskers as (x, low, high)."""
    has_dots: bool = False
    """Whether points are marked."""
    is_listed: bool = True
    """Whether legend and tooltips name it."""

    @property
    def points(self) -> tuple[Point, ...]:
        """All points."""
        return tuple(point for piece in self.pieces for point in piece)


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A shaded part of the horizontal axis."""

    start: float
    """Left edge, in units of the axis."""
    end: float
    """Right edge."""
    label: str = ""
    """Written at its top."""
    style: str = "stage"
    """CSS class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChart:
    """What to draw."""

    title: str
    """Said to readers who cannot see the chart."""
    series: tuple[Series, ...]
    """Drawn in order."""
    bands: tuple[Band, ...] = ()
    """Drawn behind the lines."""
    x_label: str = "step"
    """Under the axis."""
    x_names: tuple[tuple[float, str], ...] = ()
    """Ticks with names, instead of numbers."""
    y_range: tuple[float, float] | None = None
    """Range of the vertical axis; fitted to the points if None."""
    format_value: Callable[[float], str] = lambda value: f"{value:.3g}"
    """How values are written."""
    width: int = 520
    """Of the view box."""
    height: int = 270
    """Of the view box."""


@dataclass(frozen=True, slots=True)
class _Frame:
    x_low: float
    x_high: float
    y_low: float
    y_high: float
    width: int
    height: int

    def x(self, value: float) -> float:
        share = (value - self.x_low) / (self.x_high - self.x_low)
        return round(_LEFT + share * (self.width - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.y_low) / (self.y_high - self.y_low)
        return round(self.height - _BOTTOM - share * (self.height - _TOP - _BOTTOM), 1)


def nice_ticks(low: float, high: float, num_wanted: int = 5) -> list[float]:
    """Return round values from at most `low` to at least `high`, about `num_wanted` of them."""
    if high - low <= max(1e-300, 1e-9 * max(abs(low), abs(high))):  # a flat line
        high = low + (abs(low) or 1.0)
    rough = (high - low) / max(1, num_wanted - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    unit = next(step for step in (1, 2, 2.5, 5, 10) if step * power >= rough * 0.999) * power
    first, last = math.floor(low / unit + 1e-9), math.ceil(high / unit - 1e-9)
    return [float(f"{index * unit:.12g}") for index in range(first, last + 1)]


def render_line_chart(chart: LineChart) -> str:
    """Return the chart as an `<svg>` element, or an empty string if it has no finite point."""
    points = [
        point for series in chart.series for point in series.points if math.isfinite(point[1])
    ]
    if not points:
        return ""
    frame, y_ticks = _frame(chart, points)
    parts = [
        f'<svg class="chart" viewBox="0 0 {chart.width} {chart.height}" role="img" '
        f'aria-label="{escape(chart.title)}">'
    ]
    parts += [_band(band, frame) for band in chart.bands]
    parts += _axes(chart, frame, y_ticks)
    for series in chart.series:
        parts += _line(series, frame)
    parts += _hover_columns(chart, frame)
    parts.append("</svg>")
    return "".join(parts)


def _frame(chart: LineChart, points: Sequence[Point]) -> tuple[_Frame, list[float]]:
    values = [y for _, y in points]
    for series in chart.series:
        values += [bound for _, *bounds in series.intervals for bound in bounds]
    y_low, y_high = chart.y_range or (min(values), max(values))
    ticks = nice_ticks(y_low, y_high)
    edges = [x for x, _ in points] + [
        edge for band in chart.bands for edge in (band.start, band.end)
    ]
    x_low, x_high = min(edges), max(edges)
    if chart.x_names:
        x_low, x_high = x_low - 0.25, x_high + 0.25
    if x_low == x_high:
        x_low, x_high = x_low - 1, x_high + 1
    return _Frame(x_low, x_high, ticks[0], ticks[-1], chart.width, chart.height), ticks


def _band(band: Band, frame: _Frame) -> str:
    left, right = frame.x(band.start), frame.x(band.end)
    top, bottom = frame.y(frame.y_high), frame.y(frame.y_low)
    text = (
        f'<text class="band-label" x="{(left + right) / 2:.1f}" y="{top - 8}" '
        f'text-anchor="middle">{escape(band.label)}</text>'
        if right - left > _LABEL_CHARACTER * len(band.label) > 0
        else ""
    )
    return (
        f'<rect class="band {escape(band.style)}" x="{left}" y="{top}" '
        f'width="{max(0.0, right - left):.1f}" height="{bottom - top:.1f}"/>{text}'
    )


def _axes(chart: LineChart, frame: _Frame, y_ticks: Sequence[float]) -> list[str]:
    left, right = _LEFT, chart.width - _RIGHT
    bottom = chart.height - _BOTTOM
    parts = []
    for value in y_ticks:
        y = frame.y(value)
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>')
        parts.append(
            f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">'
            f"{escape(chart.format_value(value))}</text>"
        )
    for value, name in chart.x_names or _step_ticks(frame):
        parts.append(
            f'<text x="{frame.x(value)}" y="{bottom + 18}" text-anchor="middle">'
            f"{escape(name)}</text>"
        )
    parts.append(
        f'<text class="axis-label" x="{right}" y="{bottom + 34}" text-anchor="end">'
        f"{escape(chart.x_label)}</text>"
    )
    return parts


def _step_ticks(frame: _Frame) -> list[tuple[float, str]]:
    ticks = nice_ticks(frame.x_low, frame.x_high, 9)
    return [
        (tick, str(int(tick)))
        for tick in ticks
        if frame.x_low <= tick <= frame.x_high and tick == int(tick)
    ]


def _line(series: Series, frame: _Frame) -> list[str]:
    parts = []
    colour = escape(f"{series.colour} {series.style}".strip())
    for x, low, high in series.intervals:
        parts.append(
            f'<line class="whisker {colour}" x1="{frame.x(x)}" x2="{frame.x(x)}" '
            f'y1="{frame.y(low)}" y2="{frame.y(high)}"/>'
        )
    for piece in series.pieces:
        finite = [(x, y) for x, y in piece if math.isfinite(y)]
        if len(finite) > 1:
            path = " ".join(f"{frame.x(x)},{frame.y(y)}" for x, y in finite)
            parts.append(f'<polyline class="line {colour}" points="{path}"/>')
        if series.has_dots or len(finite) == 1:
            parts += [
                f'<circle class="dot {colour}" cx="{frame.x(x)}" cy="{frame.y(y)}" r="3.6"/>'
                for x, y in finite
            ]
    return parts


def _hover_columns(chart: LineChart, frame: _Frame) -> list[str]:
    """Return invisible columns whose tooltips list all values at one place."""
    listed = [(series.name, dict(series.points)) for series in chart.series if series.is_listed]
    places = sorted({x for _, value_by_x in listed for x in value_by_x})
    name_by_x = dict(chart.x_names)
    top, bottom = frame.y(frame.y_high), frame.y(frame.y_low)
    parts = []
    for index, place in enumerate(places):
        before = (places[index - 1] + place) / 2 if index else frame.x_low
        after = (places[index + 1] + place) / 2 if index + 1 < len(places) else frame.x_high
        lines = [f"{chart.x_label} {name_by_x.get(place, f'{place:g}')}"]
        lines += [
            f"{name}: {chart.format_value(value_by_x[place])}"
            for name, value_by_x in listed
            if place in value_by_x
        ]
        parts.append(
            f'<rect class="hover" x="{frame.x(before)}" y="{top}" '
            f'width="{max(0.0, frame.x(after) - frame.x(before)):.1f}" '
            f'height="{bottom - top:.1f}"><title>{escape(chr(10).join(lines))}</title></rect>'
        )
    return parts
