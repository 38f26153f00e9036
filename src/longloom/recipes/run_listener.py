"""Who is told of a run while it goes on: the console, and the files that `watch` shows."""

import json
import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from longloom.recipes.evaluation_jobs import EvaluationJob
from longloom.runlog import RecordWriter
from longloom.runlog.closing import ClosesOnExit
from longloom.runlog.events import ACTIVITY_FILE, EVENTS_FILE, EVENTS_SCHEMA
from longloom.training.stage_inputs import StepResult


class RunListener(Protocol):
    """Shows a run while it goes on."""

    def on_progress(self, description: str, num_done: int, num_total: int) -> None:
        """Show how far a part of the work is."""

    def on_step(self, stage: str, num_steps: int, result: StepResult) -> None:
        """Show a training step."""

    def on_cell(self, job: EvaluationJob, mean_reward: float) -> None:
        """Show a finished evaluation cell."""

    def on_message(self, message: str) -> None:
        """Show one line."""


class SilentListener:
    """Shows nothing; the base of listeners that show a part."""

    def on_progress(self, description: str, num_done: int, num_total: int) -> None:
        """Show how far a part of the work is."""

    def on_step(self, stage: str, num_steps: int, result: StepResult) -> None:
        """Show a training step."""

    def on_cell(self, job: EvaluationJob, mean_reward: float) -> None:
        """Show a finished evaluation cell."""

    def on_message(self, message: str) -> None:
        """Show one line."""


class RecordedListener(ClosesOnExit):
    """Passes everything on, and writes down what another process may want to see."""

    WRITTEN_EVERY_SECONDS = 1.0

    def __init__(self, listener: RunListener, folder: Path) -> None:
        """Tell `listener`; write into the run folder.

        Raises:
            DataError: the folder cannot be written.
        """
        self._listener = listener
        self._events = RecordWriter(folder / EVENTS_FILE, schema=EVENTS_SCHEMA)
        self._activity_file = folder / ACTIVITY_FILE
        self._written = 0.0
        self._record("begun", f"process {os.getpid()}")

    def close(self) -> None:
        """Write that nothing is being done any more."""
        self._record("ended", f"process {os.getpid()}")
        self._events.close()
        with suppress(OSError):
            self._activity_file.unlink(missing_ok=True)

    def on_progress(self, description: str, num_done: int, num_total: int) -> None:
        """Pass it on; write it once a second."""
        self._write_activity(description, num_done, num_total)
        self._listener.on_progress(description, num_done, num_total)

    def on_step(self, stage: str, num_steps: int, result: StepResult) -> None:
        """Pass it on; write it once a second."""
        self._write_activity(f"training {stage}", result.step, num_steps)
        self._listener.on_step(stage, num_steps, result)

    def on_cell(self, job: EvaluationJob, mean_reward: float) -> None:
        """Pass it on and write it down."""
        text = f"{job.checkpoint} {job.suite} {job.agent.replace('_', ' ')}"
        self._record("cell", f"{text}: reward {mean_reward:.3f}")
        self._listener.on_cell(job, mean_reward)

    def on_message(self, message: str) -> None:
        """Pass it on and write it down."""
        self._record("message", message)
        self._listener.on_message(message)

    def _record(self, kind: str, text: str) -> None:
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        self._events.append({"time": moment, "kind": kind, "text": text})

    def _write_activity(self, description: str, num_done: int, num_total: int) -> None:
        """Replace the file without flushing it: what is lost is out of date anyway."""
        if time.monotonic() - self._written < self.WRITTEN_EVERY_SECONDS:
            return
        self._written = time.monotonic()
        content = {
            "pid": os.getpid(),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "description": description,
            "num_done": num_done,
            "num_total": num_total,
        }
        new = self._activity_file.with_name(f".{ACTIVITY_FILE}.new")
        with suppress(OSError):
            new.write_text(json.dumps(content), "utf-8")
            os.replace(new, self._activity_file)
