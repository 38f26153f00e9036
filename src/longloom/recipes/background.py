"""Evaluate finished checkpoints in a second process while training goes on."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from queue import Empty
from typing import Any

from longloom.errors import EngineError
from longloom.recipes.evaluation_jobs import EvaluationJob, compute_cell
from longloom.recipes.run_config import RunConfig
from longloom.recipes.sampler_source import prepare_torch
from longloom.runlog.closing import ClosesOnExit

OnDone = Callable[[EvaluationJob, float], None]
"""Told which cell is finished and its mean reward."""


class BackgroundEvaluator(ClosesOnExit):
    """A queue of cells and one process that computes them in order.

    The process ends with its parent, however that ends; a cell it was computing is computed again
    by the resumed run.
    """

    def __init__(self, config: RunConfig, folder: Path, *, on_done: OnDone) -> None:
        """Start nothing yet; the process starts with the first job."""
        self._config = config
        self._folder = folder
        self._on_done = on_done
        self._context = multiprocessing.get_context("spawn")
        self._jobs: Any = self._context.Queue()
        self._results: Any = self._context.Queue()
        self._worker: SpawnProcess | None = None
        self.num_submitted = 0
        self.num_done = 0

    def close(self) -> None:
        """Stop the process; what it had not finished is lost."""
        if self._worker is not None:
            self._worker.terminate()
            self._worker.join()

    def submit(self, job: EvaluationJob) -> None:
        """Queue one cell."""
        if self._worker is None:
            self._worker = self._context.Process(
                target=_work, args=(self._jobs, self._results, self._config, self._folder),
                daemon=True,
            )  # fmt: skip
            _start_deaf_to_interrupts(self._worker)
        self._jobs.put(job)
        self.num_submitted += 1

    def collect(self, *, wait_seconds: float = 0.0) -> None:
        """Report the cells that are finished, waiting so long for each of them.

        Raises:
            EngineError: a cell failed, or the process died.
        """
        while self.num_done < self.num_submitted:
            try:
                job, mean, failure = self._results.get(block=wait_seconds > 0, timeout=wait_seconds)
            except Empty:
                self._check_alive()
                return
            if failure:
                raise EngineError(
                    f"evaluation of {job.checkpoint} on {job.suite} by {job.agent} failed: "
                    f"{failure}"
                )
            self.num_done += 1
            self._on_done(job, mean)

    def _check_alive(self) -> None:
        if self._worker is not None and not self._worker.is_alive():
            raise EngineError(
                f"the evaluation process ended with code {self._worker.exitcode}; run the same "
                "command again to resume, or set evaluation.in_background=false"
            )


def _start_deaf_to_interrupts(worker: SpawnProcess) -> None:
    """Start a process that ignores Ctrl-C from its first moment: it is the parent's to handle."""
    if threading.current_thread() is not threading.main_thread():  # signals cannot be set here
        worker.start()
        return
    earlier = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        worker.start()
    finally:
        signal.signal(signal.SIGINT, earlier)


def _work(jobs: Any, results: Any, config: RunConfig, folder: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    prepare_torch(config.num_threads, config.engine)
    while True:
        job = jobs.get()
        try:
            cell = compute_cell(job, config, folder)
            rewards = [reward for score in cell.scores for reward in score.rewards]
            results.put((job, sum(rewards) / max(1, len(rewards)), ""))
        except Exception as error:  # the boundary to the worker: the parent raises it
            results.put((job, 0.0, f"{type(error).__name__}: {error}"))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
