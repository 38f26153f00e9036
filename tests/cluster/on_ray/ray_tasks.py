"""Tasks of the Ray tests, and executors that disturb a run; workers import them by name."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from longloom.errors import DataError
from longloom.executor import Beat, Executor, Outcome
from longloom.synthesis.steps import ShardTask


def worker_killed_first(task: Path, beat: Beat) -> int:
    """Kill the Ray worker beside this process, the first time."""
    beat("about to kill")
    if not task.exists():
        task.touch()
        os.kill(os.getppid(), signal.SIGKILL)
        threading.Event().wait()
    return os.getppid()


def say_and_hang(task: Path, beat: Beat) -> None:
    """Write the numbers of this process and its worker into a file, then never beat again."""
    said = task.with_suffix(".partial")
    said.write_text(f"{os.getpid()} {os.getppid()}", "utf-8")
    said.rename(task)
    threading.Event().wait()


def hang_or_return(task: Path, beat: Beat) -> Path:
    """Return a folder; hang on anything else."""
    if not task.is_dir():
        say_and_hang(task, beat)
    return task


def hang_or_refuse(task: tuple[Path, bool], beat: Beat) -> None:
    """Hang, or raise once another task hangs."""
    said, hangs = task
    if hangs:
        say_and_hang(said, beat)
    while not said.exists():
        threading.Event().wait(0.02)
    raise DataError("refused")


@dataclass(frozen=True)
class Disturbing:
    """An executor whose tasks meet something when they are about to do a certain thing."""

    executor: Executor
    meet: Callable[[Any, str], None]
    """Called with the task and what it is about to do, in the worker."""

    def map(
        self,
        function: Callable[[Any, Beat], Any],
        tasks: Sequence[Any],
        *,
        silent_seconds: float | None = None,
    ) -> Iterator[Outcome[Any]]:
        disturbed = partial(_disturbed, function, self.meet)
        return self.executor.map(disturbed, tasks, silent_seconds=silent_seconds)


@dataclass(frozen=True)
class Stopping:
    """An executor that is interrupted after so many outcomes of a step with more."""

    executor: Executor
    num_outcomes: int

    def map(
        self,
        function: Callable[[Any, Beat], Any],
        tasks: Sequence[Any],
        *,
        silent_seconds: float | None = None,
    ) -> Iterator[Outcome[Any]]:
        outcomes = self.executor.map(function, tasks, silent_seconds=silent_seconds)
        for number, outcome in enumerate(outcomes):
            if number == self.num_outcomes:
                raise KeyboardInterrupt
            yield outcome


def _disturbed(
    function: Callable[[Any, Beat], Any], meet: Callable[[Any, str], None], task: Any, beat: Beat
) -> Any:
    def say_and_meet(doing: str) -> None:
        beat(doing)
        meet(task, doing)

    return function(task, say_and_meet)


def kill_workers_once(folder: Path, task: object, doing: str) -> None:
    """Kill the Ray worker at some beats, once at each; now and then this process instead."""
    number = sum(doing.encode())
    marker = folder / f"{number}"
    if number % 7 or marker.exists():
        return
    marker.touch()
    os.kill(os.getppid() if number % 2 else os.getpid(), signal.SIGKILL)
    threading.Event().wait()


def poison_two_files(task: ShardTask, doing: str) -> None:
    """Crash on one file and hang on another whenever they are read."""
    if doing in getattr(task.content, "given_up", ()):
        return
    if doing.endswith("pep-0003.rst"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if doing.endswith("towns-5.csv"):
        threading.Event().wait()
