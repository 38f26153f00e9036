"""`longloom watch`: a run in the terminal, from its files alone."""

import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from longloom.cli.keyboard import pressed_keys
from longloom.cli.run_plan import draws_boxes

_EVERY_SECONDS = 1.0


def watch(
    run_folder: Annotated[
        Path | None, typer.Argument(help="Run folder; default: the last one written in runs/.")
    ] = None,
    is_once: Annotated[bool, typer.Option("--once", help="Print it once and end.")] = False,
) -> None:
    """Show a running or finished run: graph, curves, pace, results. Leave with q or Ctrl-C."""
    from longloom.recipes.live.reading import latest_run, read_view
    from longloom.recipes.live.screen import view_lines

    folder = run_folder or latest_run()
    if is_once or not sys.stdout.isatty():
        print("\n".join(view_lines(read_view(folder), is_unicode=draws_boxes())))
        return

    def lines() -> str:
        size = shutil.get_terminal_size()
        shown = view_lines(read_view(folder), is_unicode=draws_boxes(), width=size.columns - 1)
        return "\n".join(shown[: size.lines - 1])

    _keep_showing(lines)


def _keep_showing(lines: Callable[[], str]) -> None:
    from rich.live import Live
    from rich.text import Text

    with (
        suppress(KeyboardInterrupt),
        pressed_keys() as keys,
        Live(Text(lines()), auto_refresh=False, screen=True) as live,
    ):
        shown = time.monotonic()
        while "q" not in keys(_EVERY_SECONDS / 4):
            if time.monotonic() - shown >= _EVERY_SECONDS:
                shown = time.monotonic()
                live.update(Text(lines()), refresh=True)
