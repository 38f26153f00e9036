"""Keys as they are pressed, without Enter."""

import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Keys = Callable[[float], str]
"""Waits so many seconds at most and returns what was pressed."""


@contextmanager
def pressed_keys() -> Iterator[Keys]:
    """Give a function that returns pressed keys; nothing is ever pressed without a terminal."""
    if not sys.stdin.isatty():
        yield _wait
        return
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield _read
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _wait(seconds: float) -> str:
    select.select([], [], [], seconds)
    return ""


def _read(seconds: float) -> str:
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return sys.stdin.read(1) if ready else ""
