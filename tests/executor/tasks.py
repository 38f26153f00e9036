"""Tasks of the executor tests: worker processes import them by name."""

import os
import signal
import sys
import threading
from pathlib import Path

from longloom.errors import DataError
from longloom.executor import Beat


def square(task: int, beat: Beat) -> int:
    return task * task


def die_at_two(task: int, beat: Beat) -> int:
    beat(f"number {task}")
    if task == 2:
        os.kill(os.getpid(), signal.SIGSEGV)
    return task


def hang_at_two(task: int, beat: Beat) -> int:
    beat(f"number {task}")
    if task == 2:
        threading.Event().wait()
    return task


def killed_first(task: Path, beat: Beat) -> int:
    """Be killed from outside the first time, as far as anyone can tell."""
    beat("killed once")
    if not task.exists():
        task.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def killed_always(task: int, beat: Beat) -> int:
    beat(f"number {task}")
    if task == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def killed_elsewhere(task: Path, beat: Beat) -> int:
    """Be killed at another place each time."""
    with task.open("a") as stream:
        stream.write("x")
    beat(f"time {task.stat().st_size}")
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def say_and_hang(task: str, beat: Beat) -> None:
    """Write a line to what the parent writes to, then never beat again."""
    sys.stdout.write(f"{task}\n")
    sys.stdout.flush()
    threading.Event().wait()


def refuse_two(task: int, beat: Beat) -> int:
    if task == 2:
        raise DataError("2 is refused")
    return task


def swallow_memory(task: int, beat: Beat) -> int:
    beat("allocating")
    return len(bytearray(task))
