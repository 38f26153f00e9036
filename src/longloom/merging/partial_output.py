"""The output folder of a merge until it is whole.

    OUTPUT.partial/merge_journal.jsonl   what is finished, and of which merge
    OUTPUT.partial/model/                becomes OUTPUT in one step

What a killed or interrupted merge left is continued by the same merge and replaced by another.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from longloom.errors import ModelError
from longloom.merging.journal import JOURNAL_NAME, MergeJournal
from longloom.merging.unit_merge import FinishedUnit
from longloom.runlog.atomic import describe_write_failure, sync_file, sync_folder

_MODEL_NAME = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialOutput:
    """An output that is being written."""

    folder: Path
    """Where its files go."""
    journal: MergeJournal
    """Where finished units are noted."""
    finished: Mapping[str, FinishedUnit]
    """Units by name that an earlier process finished."""


def partial_path(output: Path) -> Path:
    """Return where an output lies until it is whole."""
    return output.with_name(output.name + ".partial")


@contextmanager
def open_partial_output(output: Path, key: str) -> Iterator[PartialOutput]:
    """Give the partial output; it takes its final name when the block succeeds.

    Kept for the next try if the process is killed or interrupted or the disk fails; removed if
    the models are at fault.

    Args:
        output: the final folder.
        key: says what is merged and how; what another key left is replaced.

    Raises:
        ModelError: `output` exists, something else has the partial name, or the disk failed.
    """
    partial = partial_path(output)
    _check_names(output, partial)
    try:
        partial.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(describe_write_failure(partial, error)) from error
    with MergeJournal(partial / JOURNAL_NAME) as journal:
        _check_names(output, partial)  # the process that held the journal may have finished
        started = False
        try:
            finished = _prepare(partial / _MODEL_NAME, journal, key)
            started = bool(finished)
            yield PartialOutput(folder=partial / _MODEL_NAME, journal=journal, finished=finished)
            _finish(partial, output)
        except ModelError as error:
            # A disk that is full or fails can be put right; units that are there are kept.
            if not (isinstance(error.__cause__, OSError) and (started or journal.num_added)):
                shutil.rmtree(partial, ignore_errors=True)
            raise


def _check_names(output: Path, partial: Path) -> None:
    if output.exists() or output.is_symlink():
        raise ModelError(f"{output} exists already; choose another folder or remove it")
    if not partial.exists():
        return
    try:
        is_ours = (partial / JOURNAL_NAME).exists() or not any(partial.iterdir())
    except OSError as error:
        raise ModelError(describe_write_failure(partial, error)) from error
    if not is_ours:
        raise ModelError(
            f"{partial} is in the way and is not what a merge left; move it, or choose another "
            "output"
        )


def _prepare(folder: Path, journal: MergeJournal, key: str) -> Mapping[str, FinishedUnit]:
    finished = journal.resume(key)
    try:
        if finished is None:
            if folder.exists():
                shutil.rmtree(folder)
            journal.restart(key)
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise ModelError(describe_write_failure(folder, error)) from error
    return finished or {}


def _finish(partial: Path, output: Path) -> None:
    folder = partial / _MODEL_NAME
    try:
        for written in sorted(folder.rglob("*")):
            (sync_folder if written.is_dir() else sync_file)(written)
        sync_folder(folder)
        os.rename(folder, output)
        sync_folder(output.parent)
    except OSError as error:
        raise ModelError(describe_write_failure(output, error)) from error
    with suppress(OSError):
        shutil.rmtree(partial)
