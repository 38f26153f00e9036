"""One step over shards: run what is missing, find what is there."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longloom.errors import DataError
from longloom.executor import Beat, Executor, Failure

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


def digest_of(*parts: object) -> str:
    """Return 32 hex digits that stand for JSON-like values."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardTask:
    """One shard to make; picklable."""

    key: str
    """Digest of everything the shard is made of."""
    target: Path
    """The file to write, atomically; its presence means that the shard is done."""
    content: Any
    """What the step's function needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A named step whose shards lie in one folder."""

    name: str
    """Name of the step and of its folder."""
    folder: Path
    """Where its shards lie."""
    make: Callable[[ShardTask, Beat], None]
    """Makes one shard: a function of a module that writes `task.target` atomically."""
    make_after_failure: Callable[[ShardTask, Failure], ShardTask | None] | None = None
    """Returns the task to try instead when one crashed or hung; None gives up."""

    def tasks(
        self, contents: Sequence[tuple[str, Any]], suffix: str = ".parquet"
    ) -> list[ShardTask]:
        """Return the tasks of (key, content) pairs."""
        return [
            ShardTask(key=key, target=self.folder / f"{key}{suffix}", content=content)
            for key, content in contents
        ]

    def run(
        self,
        tasks: Sequence[ShardTask],
        executor: Executor,
        *,
        progress: Progress | None = None,
        silent_seconds: float | None = None,
    ) -> list[Path]:
        """Make the shards that are missing and return all paths, in the order of the tasks.

        Raises:
            LongloomError: a shard could not be made.
            DataError: the folder cannot be made, or a task crashed or hung and there is nothing
                to try instead.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(
                f"{self.folder} cannot be made ({error.strerror}); choose another output folder"
            ) from None
        pending = [task for task in tasks if not task.target.exists()]
        num_done = len(tasks) - len(pending)
        while pending:
            again: list[ShardTask] = []
            for outcome in executor.map(self.make, pending, silent_seconds=silent_seconds):
                if isinstance(outcome.result, Failure):
                    again.append(self._instead(pending[outcome.place], outcome.result))
                    continue
                num_done += 1
                if progress is not None:
                    progress(self.name, num_done, len(tasks))
            pending = again
        return [task.target for task in tasks]

    def _instead(self, task: ShardTask, failure: Failure) -> ShardTask:
        retry = self.make_after_failure(task, failure) if self.make_after_failure else None
        if retry is None:
            raise DataError(
                f"step {self.name!r}: a worker failed on {failure.last_beat or task.key}: "
                f"{failure.reason}"
            )
        return retry
