"""One picture of what training changed, from the base to the trained model.

Per task at the first stage's lengths; below, the memory agent on documents beyond the window.
"""

from dataclasses import dataclass
from html import escape

from longloom.evaluation.statistics import Estimate
from longloom.report.estimates import accuracy, percent
from longloom.report.run_contents import RunContents
from longloom.report.tables import (
    LONG_SUITES,
    NUM_TRIES,
    TASK_NAMES,
    TASKS,
    in_windows,
    trained_checkpoint,
)

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 560, 150, 22, 12, 46
_LABEL_WIDTH = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    name: str
    before: Estimate
    after: Estimate
    before_in_tries: Estimate | None


def comparison_chart(run: RunContents) -> str:
    """Return the chart as an `<svg>` element, or an empty string if there is nothing to compare."""
    rows = _rows(run)
    if not rows:
        return ""
    height = _TOP + _ROW * len(rows) + 30
    parts = [
        f'<svg class="chart comparison" viewBox="0 0 {_WIDTH} {height}" role="img" '
        'aria-label="Accuracy by task and of the memory agent, before and after training">'
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        bottom = height - 26
        parts.append(
            f'<line class="grid" x1="{_x(share)}" x2="{_x(share)}" y1="{_TOP}" y2="{bottom}"/>'
            f'<text x="{_x(share)}" y="{bottom + 18}" text-anchor="middle">{share:.0%}</text>'
        )
    for index, row in enumerate(rows):
        parts += _draw(row, _TOP + _ROW * index + _ROW // 2)
    parts.append("</svg>")
    return "".join(parts)


def _rows(run: RunContents) -> list[_Row]:
    before = run.cell("base", run.short_suite, "single_pass")
    after = run.cell(trained_checkpoint(run), run.short_suite, "single_pass")
    rows = []
    for task, name in [*((str(task), TASK_NAMES[task]) for task in TASKS), ("", "All")]:
        start, end = accuracy(before, task=task), accuracy(after, task=task)
        if start and end:
            in_tries = accuracy(before, task=task, k=NUM_TRIES)
            rows.append(_Row(name=name, before=start, after=end, before_in_tries=in_tries))
    for suite in LONG_SUITES:
        start, end = (
            accuracy(run.cell(checkpoint, suite, "memory")) for checkpoint in ("base", "memory")
        )
        if start and end:
            name = f"Agent, {in_windows(suite)}"
            rows.append(_Row(name=name, before=start, after=end, before_in_tries=None))
    return rows


def _draw(row: _Row, y: int) -> list[str]:
    start, end = _x(row.before.value), _x(row.after.value)
    tip = f"{row.name}: base {percent(row.before.value)}%, trained {percent(row.after.value)}%"
    parts = [
        f'<text class="row-name" x="{_LEFT - 16}" y="{y + 4}" text-anchor="end">'
        f"{escape(row.name)}</text>",
        f'<line class="change" x1="{start}" x2="{end}" y1="{y}" y2="{y}"/>',
    ]
    for estimate, colour in ((row.before, "c5"), (row.after, "c0")):
        parts.append(
            f'<line class="whisker wide {colour}" x1="{_x(estimate.low)}" '
            f'x2="{_x(estimate.high)}" y1="{y}" y2="{y}"/>'
        )
    if row.before_in_tries:
        x = _x(row.before_in_tries.value)
        tip += f", base in {NUM_TRIES} tries {percent(row.before_in_tries.value)}%"
        parts.append(
            f'<path class="tries" d="M{x},{y - 8}l6,8l-6,8l-6,-8z"/>',
        )
    parts.append(f'<circle class="dot c5 hollow" cx="{start}" cy="{y}" r="6"/>')
    parts.append(f'<circle class="dot c0" cx="{end}" cy="{y}" r="7"/>')
    is_close = abs(end - start) < _LABEL_WIDTH
    outward = _LABEL_WIDTH / 2 if end >= start else -_LABEL_WIDTH / 2
    for x, estimate, shift in ((start, row.before, -outward), (end, row.after, outward)):
        parts.append(
            f'<text class="value" x="{x + shift * is_close:.1f}" y="{y - 13}" '
            f'text-anchor="middle">{estimate.value:.0%}</text>'
        )
    parts.append(
        f'<rect class="hover" x="0" y="{y - _ROW // 2}" width="{_WIDTH}" height="{_ROW}">'
        f"<title>{escape(tip)}</title></rect>"
    )
    return parts


def _x(share: float) -> float:
    return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)
