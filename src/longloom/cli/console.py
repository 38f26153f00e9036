"""What the verbs show: aligned step lines and progress bars.

On a terminal a progress bar is drawn and wiped when it ends. Elsewhere (a log file, CI) the same
calls print one plain line every few seconds, so that a log stays short and still shows life.
"""

import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

CONSOLE_WIDTH = 99
"""Columns of a step line; one less than the 100 the lines must stay under."""
QUIET_SECONDS = 5.0
"""Where there is no terminal, progress is printed this often."""
_BAR_FORMAT = "[progress.description]{task.description}"

Advance = Callable[[int], None]
"""Report the number of steps done so far."""


def step_line(label: str, values: Mapping[str, float | int | str]) -> str:
    """Return one aligned console line: `stage 1   step   4  reward 0.512  entropy 0.43`.

    Floats have three decimals; numbers are right-aligned, so that successive lines with the same
    keys form columns.
    """
    parts = [f"{label:<14}"] + [f"{key} {_aligned(value)}" for key, value in values.items()]
    return "  ".join(parts).rstrip()[:CONSOLE_WIDTH]


def print_step(label: str, values: Mapping[str, float | int | str]) -> None:
    """Print `step_line`, above a progress bar if one is being drawn."""
    print(step_line(label, values), flush=True)


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print `rows` with aligned columns; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(cells).rstrip())


def print_paragraph(text: str) -> None:
    """Print `text`, wrapped at `CONSOLE_WIDTH` columns, below an empty line."""
    print(f"\n{textwrap.fill(text, CONSOLE_WIDTH)}")


def shown_path(path: Path) -> str:
    """Return `path` relative to the current folder if it lies below it."""
    absolute, here = path.resolve(), Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(path)


@contextmanager
def progress(description: str, num_steps: int) -> Iterator[Advance]:
    """Show progress through `num_steps` steps.

    Yields a function that takes the number of steps done so far.
    """
    shown = _bar if sys.stderr.isatty() else _plain_lines
    with shown(description, num_steps) as advance:
        yield advance


def _aligned(value: float | int | str) -> str:
    if isinstance(value, float):
        return f"{value:6.3f}"
    return f"{value:>4}" if isinstance(value, int) else value


@contextmanager
def _bar(description: str, num_steps: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn(_BAR_FORMAT),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    # Lines printed meanwhile appear above the bar: rich takes stdout and stderr over.
    # Not so where stdout goes to a file, which is where the lines belong.
    with Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
    ) as drawn:
        task_id = drawn.add_task(description, total=num_steps)
        yield lambda num_done: drawn.update(task_id, completed=num_done)


@contextmanager
def _plain_lines(description: str, num_steps: int) -> Iterator[Advance]:
    begin = last_shown = time.monotonic()

    def advance(num_done: int) -> None:
        nonlocal last_shown
        moment = time.monotonic()
        if moment - last_shown < QUIET_SECONDS:
            return
        last_shown = moment
        seconds = moment - begin
        print(f"{description}: {num_done}/{num_steps} after {seconds:.0f} s", file=sys.stderr)

    yield advance
