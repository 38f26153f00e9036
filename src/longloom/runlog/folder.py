"""The run folder: which file lies where, its name, and the lock that keeps it to one process."""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from longloom.errors import ConfigError, DataError
from longloom.runlog.atomic import describe_write_failure

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

METRICS_FILE = "metrics.jsonl"
"""Metrics by step: in the folder of a training, and of each stage of a run."""
ROLLOUTS_FILE = "rollouts.jsonl"
"""Scored rollouts, beside it."""


class RunFolder:
    """Paths of one run. Making the object touches nothing on the disk.

    A training by hand holds run.yaml, metrics.jsonl, rollouts.jsonl, checkpoints/ and report.html.
    A whole run holds run.yaml, stages.json, report.html and a folder for each part: see
    `stage_index.py`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def run_file(self) -> Path:
        """The resolved, replayable configuration and what it ran on."""
        return self.path / "run.yaml"

    @property
    def metrics_file(self) -> Path:
        """Metrics by step."""
        return self.path / METRICS_FILE

    @property
    def rollouts_file(self) -> Path:
        """Scored rollouts, failed ones included."""
        return self.path / ROLLOUTS_FILE

    @property
    def checkpoints_folder(self) -> Path:
        """Model folders with the trainer's state beside them."""
        return self.path / "checkpoints"

    @property
    def report_file(self) -> Path:
        """The self-contained report."""
        return self.path / "report.html"

    @property
    def lock_file(self) -> Path:
        """Held by the process that writes into the folder; its presence alone means nothing."""
        return self.path / ".lock"

    def create(self) -> None:
        """Make the folder.

        Raises:
            DataError: the folder cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(describe_write_failure(self.path, error)) from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this process; the system frees it however the process ends.

        Raises:
            ConfigError: another process holds it.
            DataError: the folder cannot be written.
        """
        self.create()
        try:
            descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise DataError(describe_write_failure(self.lock_file, error)) from error
        try:
            self._take(descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
            # Closing alone would leave the lock with a forked child.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)

    def _take(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise ConfigError(
                f"run folder {self.path} is in use by process {holder or 'unknown'}; wait until "
                "it ends, or run into another folder"
            ) from None
        except OSError as error:
            raise DataError(
                f"run folder {self.path} cannot be locked: {error.strerror}; choose a folder on a "
                "disk that supports file locks"
            ) from error


def config_hash(settings: Mapping[str, object]) -> str:
    """Return the SHA-256 hex digest of resolved settings; key order does not matter.

    Args:
        settings: JSON values, as `config.model_dump(mode="json")` gives them.
    """
    canonical = json.dumps(settings, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def run_folder_name(recipe_name: str, seed: int | None = None) -> str:
    """Return `RECIPE`, or `RECIPE-seed-N` if a seed is given.

    Raises:
        ConfigError: the name of the recipe cannot be part of a folder name.
    """
    if not _SAFE_NAME.fullmatch(recipe_name):
        raise ConfigError(
            f"recipe name {recipe_name!r} cannot be a folder name; use letters, digits, '.', '_' "
            "and '-'"
        )
    return recipe_name if seed is None else f"{recipe_name}-seed-{seed}"
