import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from longloom.report.charts import Band, LineChart, Series, nice_ticks, render_line_chart


def line(name: str, *points: tuple[float, float]) -> Series:
    return Series(name=name, colour="c0", pieces=(points,))


def test_points_lie_where_the_axes_say() -> None:
    # View box 520 x 270, plot from x 54 to 506 and from y 230 up to 26; axis 0 to 1 by quarters.
    svg = render_line_chart(
        LineChart(title="t", series=(line("a", (0.0, 0.0), (2.0, 0.5), (4.0, 1.0)),))
    )
    assert 'points="54.0,230.0 280.0,128.0 506.0,26.0"' in svg
    texts = [node.text for node in ElementTree.fromstring(svg).iter("text")]
    assert texts[:5] == ["0", "0.25", "0.5", "0.75", "1"]


def test_line_is_interrupted_between_pieces_and_at_values_that_are_no_numbers() -> None:
    pieces = (((1.0, 1.0), (2.0, 2.0)), ((3.0, 1.0), (4.0, float("nan")), (5.0, 2.0)))
    svg = render_line_chart(
        LineChart(title="t", series=(Series(name="a", colour="c0", pieces=pieces),))
    )
    assert svg.count("<polyline") == 2
    assert not re.search(r'="[^"]*nan', svg)


def test_chart_without_points_is_empty() -> None:
    assert render_line_chart(LineChart(title="t", series=())) == ""
    nothing = LineChart(title="t", series=(line("a", (1.0, float("inf"))),))
    assert render_line_chart(nothing) == ""


def test_single_point_is_a_dot() -> None:
    svg = render_line_chart(LineChart(title="t", series=(line("a", (1.0, 0.5)),)))
    assert svg.count("<circle") == 1
    ElementTree.fromstring(svg)


def test_names_are_escaped(hostile_text: str) -> None:
    chart = LineChart(
        title=hostile_text,
        series=(line(hostile_text, (0.0, 0.0), (300.0, 1.0)),),
        bands=(Band(start=0.0, end=300.0, label="<b>"), Band(start=0.0, end=1.0, label="too long")),
        x_label=hostile_text,
    )
    svg = render_line_chart(chart)
    assert "<script" not in svg
    texts = [node.text for node in ElementTree.fromstring(svg).iter("text")]
    assert "<b>" in texts
    assert "too long" not in texts


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.integers(2, 12))
def test_ticks_cover_the_range_evenly(one: float, other: float, num_wanted: int) -> None:
    low, high = min(one, other), max(one, other)
    ticks = nice_ticks(low, high, num_wanted)
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    assert 2 <= len(ticks) <= num_wanted + 2
    assert ticks == sorted(set(ticks))
