"""What runs on a Ray worker: one task at a time, in a process of its own beside the worker.

The worker itself never touches a document. A file that crashes, hangs or swallows memory ends the
process beside it, whose parent knows the signal, the silence and the last beat at once; so a Ray
worker dies only by somebody else's hand, and Ray may repeat its task without asking why. The
process stays for the worker's next tasks, as what it imported and loaded does.
"""

import os
import pickle
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import pyarrow as pa

from longloom.executor import Beat, Failure, ProcessExecutor

PLACE, CALL, KIND, CONTENT = "place", "call", "kind", "content"
"""Columns of the tables that Ray Data moves: a row is a task, then its outcome."""


class OutcomeKind(StrEnum):
    """What the content of an outcome is."""

    ERROR = "error"
    FAILURE = "failure"
    RESULT = "result"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardCall:
    """A task as it travels; pickled, for it stays inside one run of one program."""

    content: bytes
    """Function of a module and its task, pickled: a worker may have to find the module first."""
    folder: str
    """Working folder of the caller, to which paths may be relative."""
    module_folders: tuple[str, ...]
    """Where the caller finds modules."""


def pack_calls(function: Callable[..., Any], tasks: Sequence[object]) -> list[bytes]:
    """Return the calls of a step as they travel."""
    return [
        pickle.dumps(
            ShardCall(
                content=pickle.dumps((function, task)),
                folder=os.getcwd(),
                module_folders=tuple(sys.path),
            )
        )
        for task in tasks
    ]


def make_shards(table: pa.Table, silent_seconds: float, max_memory_bytes: int) -> pa.Table:
    """Run the task of each row, in turn; 0 stands for no limit.

    Errors of a task are rows, not exceptions: Ray would wrap them, and Ray Data would log them.
    """
    outcomes = [
        _outcome(call, silent_seconds or None, max_memory_bytes or None)
        for call in table.column(CALL).to_pylist()
    ]
    return pa.table(
        {
            PLACE: table.column(PLACE),
            KIND: pa.array([kind.value for kind, _ in outcomes], pa.string()),
            CONTENT: pa.array([content for _, content in outcomes], pa.binary()),
        }
    )


def _outcome(
    call: bytes, silent_seconds: float | None, max_memory_bytes: int | None
) -> tuple[OutcomeKind, bytes]:
    worker = _worker_beside(max_memory_bytes)
    try:
        (outcome,) = worker.map(run_call, [call], silent_seconds=silent_seconds)
    except Exception as error:  # the boundary of a worker: raised again where it is read
        return OutcomeKind.ERROR, pickle.dumps(error)
    if isinstance(outcome.result, Failure):
        return OutcomeKind.FAILURE, pickle.dumps(outcome.result)
    return OutcomeKind.RESULT, outcome.result


@lru_cache(maxsize=1)
def _worker_beside(max_memory_bytes: int | None) -> ProcessExecutor:
    return ProcessExecutor(1, max_memory_bytes=max_memory_bytes, keeps_workers=True)


def run_call(call: bytes, beat: Beat) -> bytes:
    """Run one call in the process beside the worker; only here its modules are imported."""
    wanted: ShardCall = pickle.loads(call)
    sys.path += [folder for folder in wanted.module_folders if folder not in sys.path]
    with suppress(OSError):  # a node without that folder is used for absolute paths alone
        os.chdir(wanted.folder)
    function, task = pickle.loads(wanted.content)
    return pickle.dumps(function(task, beat))
