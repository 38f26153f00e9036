"""Run tasks in worker processes that may die without harm.

What it is not: `concurrent.futures`. There a worker that dies breaks the pool, and a worker that
hangs cannot be stopped. Here each worker has a pipe of its own; the parent feeds one task at a
time, watches beats, kills who is silent for too long and starts another worker.
"""

import multiprocessing
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


class ProcessExecutor:
    """Worker processes on this machine, started for each step and ended with it."""

    def __init__(self, num_workers: int, *, max_memory_bytes: int | None = None) -> None:
        """Use so many workers; `max_memory_bytes` limits the address space of each (Linux).

        Raises:
            ConfigError: `num_workers` is below 1.
        """
        if num_workers < 1:
            raise ConfigError(f"num_workers is {num_workers}; expected at least 1")
        self.num_workers = num_workers
        self.max_memory_bytes = max_memory_bytes

    def map(
        self,
        function: Callable[[TaskT, Beat], ResultT],
        tasks: Sequence[TaskT],
        *,
        silent_seconds: float | None = None,
    ) -> Iterator[Outcome[ResultT]]:
        """Yield the outcomes in the order in which they are done; see `Executor.map`."""
        waiting = deque(enumerate(tasks))
        workers: dict[Connection, _Worker] = {}
        try:
            while waiting or any(worker.is_busy for worker in workers.values()):
                self._feed(function, waiting, workers)
                for connection in _ready(workers, silent_seconds):
                    outcome = _receive(workers[connection])
                    if outcome is None:
                        continue
                    if isinstance(outcome.result, Failure):
                        workers.pop(connection).stop()
                    yield outcome
                for worker in _silent(workers, silent_seconds):
                    del workers[worker.connection]
                    worker.stop()
                    yield _failure(worker, f"took longer than {silent_seconds:g} s")
        finally:
            for worker in workers.values():
                worker.stop()

    def _feed(
        self,
        function: Callable[..., Any],
        waiting: deque[tuple[int, Any]],
        workers: dict[Connection, "_Worker"],
    ) -> None:
        while waiting and len(workers) < self.num_workers:
            worker = _start(function, self.max_memory_bytes)
            workers[worker.connection] = worker
        for worker in workers.values():
            if waiting and not worker.is_busy:
                place, task = waiting.popleft()
                worker.give(place, task)


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

    def give(self, place: int, task: object) -> None:
        self.place, self.beat, self.heard_seconds = place, "", time.monotonic()
        with suppress(OSError):  # a dead worker is noticed when it is read from
            self.connection.send(task)

    def stop(self) -> None:
        self.connection.close()
        self.child.join(0 if self.is_busy else _GRACE_SECONDS)
        if self.child.is_alive():
            self.child.kill()
            self.child.join()


def _start(function: Callable[..., Any], max_memory_bytes: int | None) -> _Worker:
    context = multiprocessing.get_context("spawn")  # a fork copies locks that threads hold
    ours, theirs = context.Pipe()
    child = context.Process(target=_work, args=(theirs, function, max_memory_bytes), daemon=True)
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


def _work(
    connection: Connection, function: Callable[..., Any], max_memory_bytes: int | None
) -> None:
    """Serve tasks until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    if max_memory_bytes is not None:
        _limit_memory(max_memory_bytes)

    def beat(doing: str) -> None:
        connection.send((_BEAT, doing))

    with suppress(EOFError, OSError):
        while True:
            task = connection.recv()
            try:
                answer = (_RESULT, function(task, beat))
            except Exception as error:
                answer = (_ERROR, error)
            connection.send(answer)


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
    timeout = None
    if silent_seconds is not None:
        oldest = min(worker.heard_seconds for worker in busy)
        timeout = max(0.0, oldest + silent_seconds - time.monotonic())
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


def _failure(worker: _Worker, reason: str) -> Outcome[Any]:
    return Outcome(place=worker.place, result=Failure(reason=reason, last_beat=worker.beat))
