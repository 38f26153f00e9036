"""Compare answers by algebra in processes that are killed when they take too long.

    prediction, gold -> MathWorkers.is_equal -> a worker (math_worker.py) -> True, False or None

math-verify can be kept busy for minutes by a short formula, and its own time limits work in no
thread. So each worker is a process with a pipe of its own: one comparison at a time, killed after
2 seconds, and started again when it is next needed. Whatever happens to a worker, the answer is
None, and counted; there is no exception for what a model wrote.
"""

import importlib.util
import json
import queue
import selectors
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from longloom.errors import ConfigError, MissingDependencyError
from longloom.evaluation.scoring.mathematics import is_comparable
from longloom.runlog.closing import ClosesOnExit

_SCRIPT = Path(__file__).with_name("math_worker.py")
_MAX_REPLY_BYTES = 200
_GRACE_SECONDS = 1.0


class MathWorkers(ClosesOnExit):
    """A context manager over some worker processes; safe to be used by several threads."""

    def __init__(
        self,
        num_workers: int = 1,
        *,
        limit_seconds: float = 2.0,
        start_seconds: float = 120.0,
        max_memory_bytes: int = 2**31,
    ) -> None:
        """Check that math-verify is there; workers are started when they are needed.

        Args:
            num_workers: comparisons at the same time.
            limit_seconds: a comparison that takes longer ends its worker.
            start_seconds: a worker that needs longer to load math-verify is given up.
            max_memory_bytes: the address space of a worker.

        Raises:
            ConfigError: `num_workers` is below 1.
            MissingDependencyError: math-verify is not installed.
        """
        if num_workers < 1:
            raise ConfigError(f"num_workers is {num_workers}; expected at least 1")
        if importlib.util.find_spec("math_verify") is None:
            raise MissingDependencyError(
                "answers are compared by algebra with math-verify, which is not installed; run "
                "`pip install 'longloom[eval]'`"
            )
        self._limits = _Limits(limit_seconds, start_seconds, max_memory_bytes)
        self._idle: queue.SimpleQueue[_Worker | None] = queue.SimpleQueue()
        for _ in range(num_workers):
            self._idle.put(None)
        self._num_workers = num_workers
        self._lock = threading.Lock()
        self._counts = Counter[str]()

    @property
    def counts(self) -> Mapping[str, int]:
        """How often an answer was `compared`, `refused` as too long or deep, or a worker `lost`."""
        with self._lock:
            return dict(self._counts)

    def is_equal(self, prediction: str, gold: str) -> bool | None:
        """Return whether two answers are the same, or None if that cannot be told.

        Waits for a free worker and at most `limit_seconds` for its answer, its start aside.
        """
        if not (is_comparable(prediction) and is_comparable(gold)):
            self._count("refused")
            return None
        worker = self._idle.get()
        try:
            worker = worker or _Worker(self._limits)
            verdict = worker.compare(prediction, gold)
        except BaseException as error:  # a worker that was left while it computes is of no use
            if worker is not None:
                worker.stop()
            worker = None
            if not isinstance(error, _LostError):
                raise
            self._count("lost")
            return None
        finally:
            self._idle.put(worker)
        self._count("compared")
        return verdict

    def close(self) -> None:
        """End all workers, after the comparisons under way."""
        for _ in range(self._num_workers):
            worker = self._idle.get()
            if worker is not None:
                worker.stop()
        for _ in range(self._num_workers):
            self._idle.put(None)

    def _count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1


class _LostError(Exception):
    """A worker died, hung or sent what is no answer."""


class _Limits:
    def __init__(self, seconds: float, start_seconds: float, memory_bytes: int) -> None:
        self.seconds = seconds
        self.start_seconds = start_seconds
        self.memory_bytes = memory_bytes


class _Worker:
    """One process and its pipes."""

    def __init__(self, limits: _Limits) -> None:
        self._limits = limits
        # The child's own alarm comes later than ours; it is for a parent that is gone.
        own_limit_seconds = limits.seconds + _GRACE_SECONDS
        # -P: the folder of the script holds modules of ours, which the script does not mean.
        command = [sys.executable, "-P", str(_SCRIPT), f"{own_limit_seconds}"]
        try:
            self._child = subprocess.Popen(
                [*command, f"{limits.memory_bytes}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
        except OSError as error:
            raise _LostError from error
        try:
            self._receive("ready", limits.start_seconds)
        except _LostError:
            self.stop()
            raise

    def compare(self, prediction: str, gold: str) -> bool | None:
        line = json.dumps({"prediction": prediction, "gold": gold}).encode() + b"\n"
        assert self._child.stdin is not None
        try:
            # At most 2 x 2,000 characters of at most 12 bytes, which a pipe holds.
            self._child.stdin.write(line)
        except OSError as error:
            raise _LostError from error
        return self._receive("equal", self._limits.seconds)

    def stop(self) -> None:
        self._child.kill()
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                stream.close()
        self._child.wait()

    def _receive(self, key: str, limit_seconds: float) -> bool | None:
        assert self._child.stdout is not None
        deadline = time.monotonic() + limit_seconds
        received = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._child.stdout, selectors.EVENT_READ)
            while not received.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise _LostError
                part = self._child.stdout.read(_MAX_REPLY_BYTES)
                received += part or b""
                if not part or len(received) > _MAX_REPLY_BYTES:
                    raise _LostError
        try:
            verdict = json.loads(received)[key]
        except (ValueError, KeyError, TypeError) as error:
            raise _LostError from error
        return verdict if isinstance(verdict, bool) else None
