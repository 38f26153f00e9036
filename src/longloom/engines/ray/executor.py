"""Run the tasks of a step on the Ray cluster that this process has joined, by Ray Data.

Each task is a block of one row and one Ray task with one CPU, never an actor that takes CPUs: those
starve each other. What a task returns is streamed back as it is done. Ray repeats a task whose
worker or node was lost, without limit; a task that crashes or hangs by its own doing is noticed
beside the worker (`shard_tasks.py`) and comes back as a `Failure`.
"""

import logging
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, TypeVar

from longloom.engines.ray.cluster import load_ray
from longloom.engines.ray.shard_tasks import CALL, OUTCOME, PLACE, ShardCall, make_shard
from longloom.errors import ConfigError, EngineError
from longloom.executor import Beat, Outcome

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")

_PROGRESS_LOGGER = "ray.data._internal.progress"
"""Says only that there are no progress bars."""


class RayExecutor:
    """The workers of a Ray cluster; `joined_cluster` (or `ray.init`) comes first."""

    def __init__(
        self, num_workers: int | None = None, *, max_memory_bytes: int | None = None
    ) -> None:
        """Take at most so many CPUs of the cluster, all if not given.

        Args:
            num_workers: tasks at a time.
            max_memory_bytes: limit of the address space of each task's process (Linux).

        Raises:
            ConfigError: `num_workers` is below 1.
        """
        if num_workers is not None and num_workers < 1:
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
        """Yield the outcomes in the order in which they are done; see `Executor.map`.

        Raises:
            EngineError: no cluster was joined, or Ray gave the step up.
            MissingDependencyError: Ray is not installed.
        """
        if not tasks:
            return
        ray = load_ray()
        calls = [ShardCall(function=function, task=task, folder=os.getcwd()) for task in tasks]
        try:
            with closing(self._rows(calls, silent_seconds)) as rows:
                for row in rows:
                    if isinstance(row[OUTCOME], Exception):
                        raise row[OUTCOME]
                    yield replace(row[OUTCOME], place=int(row[PLACE]))
        except ray.exceptions.RayError as error:
            raise EngineError(
                f"Ray gave a step of {len(tasks)} tasks up: {str(error).strip() or error!r}; what "
                "was made is kept: look at the cluster (`ray status`) and run again"
            ) from error

    def _rows(
        self, calls: Sequence[ShardCall], silent_seconds: float | None
    ) -> Generator[dict[str, Any]]:
        """Yield rows of outcomes; the tasks that still run are cancelled when it is closed."""
        ray = load_ray()
        if not ray.is_initialized():
            raise EngineError(
                "no Ray cluster was joined; expected `joined_cluster()` or `ray.init()` before the "
                "first step"
            )
        _quieten(ray)
        rows = [{PLACE: place, CALL: call} for place, call in enumerate(calls)]
        dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
            make_shard,
            fn_kwargs={
                "silent_seconds": silent_seconds,
                "max_memory_bytes": self.max_memory_bytes,
            },
            compute=ray.data.TaskPoolStrategy(size=self.num_workers),
            num_cpus=1,
        )  # Ray Data repeats tasks without limit and no exceptions, unless told otherwise
        # Nothing is fetched ahead: an outcome would wait for the one after it.
        batches = dataset.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0)
        with closing(iter(batches)) as columns:
            for batch in columns:
                for place, outcome in zip(batch[PLACE], batch[OUTCOME], strict=True):
                    yield {PLACE: place, OUTCOME: outcome}


def _quieten(ray: Any) -> None:
    """Leave to Ray Data what warns; its progress is told by the step itself."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    logging.getLogger(_PROGRESS_LOGGER).setLevel(logging.ERROR)
