"""Care for folders given by the user: nothing foreign is touched, nothing unused is left."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from longloom.errors import ConfigError, LongloomError
from longloom.runlog import INDEX_FILE, RunFolder, read_manifest
from longloom.runlog.events import ACTIVITY_FILE, EVENTS_FILE


def check_run_folder(folder: RunFolder) -> None:
    """Refuse a folder that holds something else than a run.

    Raises:
        ConfigError: `folder` is a file, or holds files but no run.yaml.
        DataError: its run.yaml is damaged, or was not written by a run.
    """
    if not folder.path.exists():
        return
    if folder.run_file.exists():
        read_manifest(folder.run_file)
        return
    # A run that was stopped before run.yaml has a lock and empty folders, at most its index.
    names = (INDEX_FILE, EVENTS_FILE, ACTIVITY_FILE)
    unfinished = {folder.lock_file, folder.checkpoints_folder, *(folder.path / n for n in names)}
    is_empty = folder.path.is_dir() and set(folder.path.iterdir()) <= unfinished
    if not is_empty or any(folder.checkpoints_folder.glob("*")):
        raise ConfigError(f"{folder.path} exists and is no run folder; choose another one")


@contextmanager
def removed_if_unused(folder: RunFolder) -> Iterator[None]:
    """Remove a folder that the block made if it fails before anything was computed.

    So the command that is then given with better settings does not find the folder taken.
    """
    is_new = not folder.path.exists()
    try:
        yield
    except LongloomError:
        if is_new:
            _remove_unless_used(folder)
        raise


def _remove_unless_used(folder: RunFolder) -> None:
    results = ("checkpoints/*", "synthesis/*", "evaluation/*", "judge/*", "rows/*")
    with suppress(LongloomError), folder.lock():  # another process may have taken it meanwhile
        if not any(any(folder.path.glob(pattern)) for pattern in results):
            shutil.rmtree(folder.path, ignore_errors=True)
