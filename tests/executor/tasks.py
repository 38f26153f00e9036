"""Tasks of the executor tests: worker processes import them by name."""

import os
import signal
import threading

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


def refuse_two(task: int, beat: Beat) -> int:
    if task == 2:
        raise DataError("2 is refused")
    return task


def swallow_memory(task: int, beat: Beat) -> int:
    beat("allocating")
    return len(bytearray(task))
