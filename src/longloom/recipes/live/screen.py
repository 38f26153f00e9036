"""Draw a run as lines of text: the graph, curves of the current stage, results as they come."""

from collections.abc import Sequence

from longloom.recipes.graph.index_lines import other_lines, stage_lines
from longloom.recipes.live.reading import LiveCell, LiveStage, LiveView
from longloom.runlog import Status

_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.-=*#"
_CURVE_COLUMNS = 48
_RECENT_STEPS = 5
_CURVES = (
    ("reward", "reward/mean", "{:.3f}"),
    ("entropy", "training/entropy_nats", "{:.4f}"),
    ("loss", "training/nll_nats", "{:.4f}"),
)
_NUM_CELLS = 8


def view_lines(view: LiveView, *, is_unicode: bool = True, width: int = 100) -> list[str]:
    """Return a run as lines of at most `width` characters."""
    lines = [*_headlines(view), ""]
    if view.index is None:
        return [*lines, "nothing is written yet"]
    lines += [*stage_lines(view.index, is_unicode=is_unicode), "", *other_lines(view.index)]
    if view.current is not None:
        lines += ["", *_stage_lines(view.current, is_unicode=is_unicode)]
    if view.cells:
        lines += ["", "evaluated last", *(_cell_line(cell) for cell in view.cells[-_NUM_CELLS:])]
    if view.messages:
        lines += ["", "last messages", *(f"  {message}" for message in view.messages)]
    return [_shown(line, width) for line in lines]


def sparkline(values: Sequence[float], *, columns: int, is_unicode: bool = True) -> str:
    """Return a curve in one line of characters, from its lowest to its highest value.

    More values than columns are drawn as the means of equal parts.
    """
    bars = _BARS if is_unicode else _ASCII_BARS
    finite = [value for value in values if value == value and abs(value) != float("inf")]
    if not finite:
        return ""
    count = min(columns, len(finite))
    parts = [
        finite[len(finite) * place // count : len(finite) * (place + 1) // count]
        for place in range(count)
    ]
    means = [sum(part) / len(part) for part in parts]
    low, high = min(means), max(means)
    spread = high - low
    return "".join(
        bars[min(len(bars) - 1, int((mean - low) / spread * len(bars)))] if spread else bars[0]
        for mean in means
    )


def shown_duration(seconds: float) -> str:
    """Return a time as people say it: `8 s`, `3 min`, `2 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def seconds_left(stage: LiveStage) -> float | None:
    """Return the time that the rest of a stage takes at the pace of its last steps."""
    left = stage.node.num_steps - stage.step
    recent = stage.series("training/step_seconds")[-_RECENT_STEPS:]
    if stage.node.status is Status.DONE or not recent or left < 0:
        return None
    return left * sum(recent) / len(recent)


def tokens_per_second(stage: LiveStage) -> float | None:
    """Return how many tokens the last steps sampled, or learned, in a second of the whole step."""
    recent = stage.rows[-_RECENT_STEPS:]
    names = ("rollout/sampled_tokens", "training/response_tokens")
    counts = [row.metrics.get(names[0], row.metrics.get(names[1])) for row in recent]
    seconds = sum(row.metrics.get("training/step_seconds", 0.0) for row in recent)
    if not recent or seconds <= 0 or None in counts:
        return None
    return sum(count for count in counts if count is not None) / seconds


def _headlines(view: LiveView) -> list[str]:
    part = f"  {view.index.part}" if view.index is not None and view.index.part else ""
    state = "not running"
    if view.is_finished:
        state = "finished"
    elif view.is_alive:
        state = f"running: {view.activity}"
    if view.silent_seconds is not None:
        state += f"; last written {shown_duration(view.silent_seconds)} ago"
    return [f"{view.folder}{part}", state]


def _stage_lines(stage: LiveStage, *, is_unicode: bool) -> list[str]:
    node = stage.node
    of = f" of {node.num_steps}" if node.num_steps else ""
    parts = [f"{node.name}  step {stage.step}{of}"]
    if (pace := tokens_per_second(stage)) is not None:
        parts.append(f"{pace:,.0f} tokens/s")
    if (left := seconds_left(stage)) is not None:
        parts.append(f"{shown_duration(left)} left of this stage")
    lines = ["  ".join(parts)]
    for name, metric, form in _CURVES:
        values = stage.series(metric)
        if values:
            curve = sparkline(values, columns=_CURVE_COLUMNS, is_unicode=is_unicode)
            lines.append(f"  {name:<8} {curve.ljust(_CURVE_COLUMNS)} {form.format(values[-1])}")
    return lines


def _cell_line(cell: LiveCell) -> str:
    agent = cell.agent.replace("_", " ")
    return f"  {cell.checkpoint:<10} {cell.suite:<10} {agent:<11} reward {cell.mean_reward:.3f}"


def _shown(line: str, width: int) -> str:
    """Return a line without control characters, cut to a width: messages are not ours alone."""
    plain = "".join(character if character.isprintable() else "?" for character in line)
    return plain if len(plain) <= width else plain[: width - 3] + "..."
