"""What runs on a Ray worker: one task at a time, in a process of its own beside the worker.

The worker itself never opens a document. A file that crashes, hangs or swallows memory ends the
process beside it, whose parent knows the signal, the silence and the last beat at once; so a Ray
worker dies only by somebody else's hand, and Ray may repeat its task without asking why. The
process stays for the worker's next tasks, as what it imported and loaded does.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from longloom.executor import Beat, Outcome, ProcessExecutor

PLACE, CALL, OUTCOME = "place", "call", "outcome"
"""Columns of the rows that Ray Data moves: a row is a call, then its outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardCall:
    """A task as it travels."""

    function: Callable[[Any, Beat], Any]
    """A function of a module."""
    task: Any
    """Its task."""
    folder: str
    """Working folder of the caller, to which paths may be relative."""


def make_shard(
    row: dict[str, Any], silent_seconds: float | None, max_memory_bytes: int | None
) -> dict[str, Any]:
    """Run the call of a row; an error it raises is its outcome, for Ray would wrap and log it."""
    worker = _worker_beside(max_memory_bytes)
    outcome: Outcome[Any] | Exception
    try:
        (outcome,) = worker.map(run_call, [row[CALL]], silent_seconds=silent_seconds)
    except Exception as error:  # the boundary of a worker: raised again where it is read
        outcome = error
    return {PLACE: row[PLACE], OUTCOME: outcome}


@lru_cache(maxsize=1)
def _worker_beside(max_memory_bytes: int | None) -> ProcessExecutor:
    return ProcessExecutor(1, max_memory_bytes=max_memory_bytes, keeps_workers=True)


def run_call(call: ShardCall, beat: Beat) -> object:
    """Run one call in the process beside the worker."""
    with suppress(OSError):  # a node without that folder is used for absolute paths alone
        os.chdir(call.folder)
    return call.function(call.task, beat)
