"""Run tasks in worker processes that may die without harm.

What it is not: `concurrent.futures`. There a worker that dies breaks the pool, and a worker that
hangs cannot be stopped. Here each worker has a pipe of its own; the parent feeds one task at a
time, watches beats, kills who is silent for too long and starts another worker. A worker that
somebody else killed harms nothing: its task is done again.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from longloom.errors import ConfigError
from longloom.executor.protocol import Beat, Failure, Outcome

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")

_BEAT, _RESULT, _ERROR = "beat", "result", "error"
_GRACE_SECONDS = 2.0
_WATCH_SECONDS = 1.0
"""Longest wait without looking up: a signal that only sets a flag is noticed then."""
_MOST_KILLS = 3
_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM)
"""Signals that a process does not bring upon itself; the kernel kills so too, short of memory."""


class ProcessExecutor:
    """Worker processes on this machine, started for each step and ended with it."""

    def __init__(
        self,
        num_workers: int,
        *,
        max_memory_bytes: int | None = None,
        keeps_workers: bool = False,
    ) -> None:
        """Use so many workers.

        Args:
            num_workers: processes at a time.
            max_memory_bytes: limit of the address space of each (Linux).
            keeps_workers: whether workers that did no harm wait for the next step, instead of
                ending with this one; they end with this process.

        Raises:
            ConfigError: `num_workers` is below 1.
        """
        if num_workers < 1:
            raise ConfigError(f"num_workers is {num_workers}; expected at least 1")
        self.num_workers = num_workers
        self.max_memory_bytes = max_memory_bytes
        self._keeps_workers = keeps_workers
        self._kept: dict[Connection, _Worker] = {}

    def map(
        self,
        function: Callable[[TaskT, Beat], ResultT],
        tasks: Sequence[TaskT],
        *,
        silent_seconds: float | None = None,
    ) -> Iterator[Outcome[ResultT]]:
        """Yield the outcomes in the order in which they are done; see `Executor.map`.

        A task whose worker was killed from outside is done again, until the same place of it was
        met twice, or three places in all.
        """
        waiting = deque(enumerate(tasks))
        workers, self._kept = self._kept, {}
        kills: dict[int, list[str]] = {}
        try:
            while waiting or any(worker.is_busy for worker in workers.values()):
                self._feed(function, waiting, workers)
                for connection in _ready(workers, silent_seconds):
                    outcome = _receive(workers[connection])
                    if outcome is None:
                        continue
                    if isinstance(outcome.result, Failure):
                        worker = workers.pop(connection)
                        was_killed = worker.was_killed  # before it is stopped, if it lives
                        worker.stop()
                        if was_killed and _may_repeat(worker, kills):
                            waiting.appendleft((worker.place, tasks[worker.place]))
                            continue
                    yield outcome
                for worker in _silent(workers, silent_seconds):
                    del workers[worker.connection]
                    worker.stop()
                    yield _failure(worker, f"took longer than {silent_seconds:g} s")
        finally:
            for connection, worker in workers.items():
                if self._keeps_workers and not worker.is_busy:
                    self._kept[connection] = worker
                else:
                    worker.stop()

    def _feed(
        self,
        function: Callable[..., Any],
        waiting: deque[tuple[int, Any]],
        workers: dict[Connection, "_Worker"],
    ) -> None:
        for worker in [worker for worker in workers.values() if worker.ended_idle]:
            workers.pop(worker.connection).stop()
        num_busy = sum(worker.is_busy for worker in workers.values())
        while len(workers) < min(self.num_workers, num_busy + len(waiting)):
            worker = _start(self.max_memory_bytes)
            workers[worker.connection] = worker
        for worker in workers.values():
            if waiting and not worker.is_busy:
                place, task = waiting.popleft()
                worker.give(place, function, task)


@dataclass(slots=True)
class _Worker:
    """A worker process as its parent sees it."""

    connection: Connection
    child: Any
    place: int = -1
    beat: str = ""
    heard_seconds: float = 0.0

    @property
    def is_busy(self) -> bool:
        return self.place >= 0

    @property
    def ended_idle(self) -> bool:
        """Whether it died while it waited for a task."""
        return not self.is_busy and not self.child.is_alive()

    @property
    def was_killed(self) -> bool:
        """Whether somebody else ended it."""
        code = self.child.exitcode
        return code is not None and -code in _FROM_OUTSIDE

    def give(self, place: int, function: Callable[..., Any], task: object) -> None:
        self.place, self.beat, self.heard_seconds = place, "", time.monotonic()
        with suppress(OSError):  # a dead worker is noticed when it is read from
            self.connection.send((function, task))

    def stop(self) -> None:
        self.connection.close()
        self.child.join(0 if self.is_busy else _GRACE_SECONDS)
        if self.child.is_alive():
            self.child.kill()
            self.child.join()


def _start(max_memory_bytes: int | None) -> _Worker:
    context = multiprocessing.get_context("spawn")  # a fork copies locks that threads hold
    ours, theirs = context.Pipe()
    child = context.Process(target=_work, args=(theirs, os.getpid(), max_memory_bytes), daemon=True)
    with _without_main_module():
        child.start()
    theirs.close()
    return _Worker(connection=ours, child=child)


@contextmanager
def _without_main_module() -> Iterator[None]:
    """Keep a child that is started from running the caller's script again.

    Spawned children import the main module of their parent. Tasks are functions of modules and
    need none of it, and a script without `if __name__ == "__main__"` would start over in them.
    """
    main = sys.modules["__main__"]
    hidden = {name: getattr(main, name) for name in ("__file__", "__spec__") if hasattr(main, name)}
    for name in hidden:
        setattr(main, name, None)
    try:
        yield
    finally:
        for name, value in hidden.items():
            setattr(main, name, value)


def _work(connection: Connection, parent_id: int, max_memory_bytes: int | None) -> None:
    """Serve tasks until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    _die_with(parent_id)
    if max_memory_bytes is not None:
        _limit_memory(max_memory_bytes)

    def beat(doing: str) -> None:
        connection.send((_BEAT, doing))

    with suppress(EOFError, OSError):
        while True:
            function, task = connection.recv()
            try:
                answer = (_RESULT, function(task, beat))
            except Exception as error:
                answer = (_ERROR, error)
            connection.send(answer)


def _die_with(parent_id: int) -> None:
    """Ask Linux to end this process when its parent is killed, even if it hangs by then.

    Elsewhere it ends when it next tells its parent something.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):  # a C library without prctl
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent_id:  # it died before it was asked
        sys.exit(1)


def _limit_memory(max_memory_bytes: int) -> None:
    with suppress(ImportError, ValueError, OSError):  # not every platform can
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (max_memory_bytes, max_memory_bytes))


def _ready(
    workers: dict[Connection, _Worker], silent_seconds: float | None
) -> Sequence[Connection]:
    busy = [worker for worker in workers.values() if worker.is_busy]
    if not busy:
        return []
    timeout = _WATCH_SECONDS
    if silent_seconds is not None:
        oldest = min(worker.heard_seconds for worker in busy)
        timeout = min(timeout, max(0.0, oldest + silent_seconds - time.monotonic()))
    ready = wait([worker.connection for worker in busy], timeout)
    return [connection for connection in ready if isinstance(connection, Connection)]


def _receive(worker: _Worker) -> Outcome[Any] | None:
    """Return the outcome of the worker's task, or None if it only beat."""
    try:
        kind, content = worker.connection.recv()
    except (EOFError, OSError):
        worker.child.join(_GRACE_SECONDS)
        code = worker.child.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
        return _failure(worker, f"its process died ({how})")
    worker.heard_seconds = time.monotonic()
    if kind == _BEAT:
        worker.beat = content
        return None
    place, worker.place = worker.place, -1
    if kind == _ERROR:
        if isinstance(content, MemoryError):
            worker.place = place
            return _failure(worker, "needs more memory than it may have")
        raise content
    return Outcome(place=place, result=content)


def _silent(workers: dict[Connection, _Worker], silent_seconds: float | None) -> list[_Worker]:
    if silent_seconds is None:
        return []
    limit = time.monotonic() - silent_seconds
    return [
        worker
        for worker in workers.values()
        if worker.is_busy and worker.heard_seconds <= limit and not worker.connection.poll()
    ]


def _may_repeat(worker: _Worker, kills: dict[int, list[str]]) -> bool:
    """Note that a worker was killed; return whether its task may be tried again."""
    earlier = kills.setdefault(worker.place, [])
    is_new = worker.beat not in earlier
    earlier.append(worker.beat)
    return is_new and len(earlier) < _MOST_KILLS


def _failure(worker: _Worker, reason: str) -> Outcome[Any]:
    return Outcome(place=worker.place, result=Failure(reason=reason, last_beat=worker.beat))
