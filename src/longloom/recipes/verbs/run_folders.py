"""Care for folders given by the user: nothing foreign is touched, nothing unused is left."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from longloom.errors import ConfigError, LongloomError
from longloom.runlog import RunFolder


def check_run_folder(folder: RunFolder) -> None:
    """Refuse a folder that holds something else than a run.

    Raises:
        ConfigError: `folder` is a file, or holds files but no run.yaml.
    """
    unfinished = {folder.lock_file, folder.checkpoints_folder}  # stopped before run.yaml
    if folder.run_file.exists() or not folder.path.exists():
        return
    if not folder.path.is_dir() or not set(folder.path.iterdir()) <= unfinished:
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
        results = ("checkpoints/*", "synthesis/*", "evaluation/*")
        if is_new and not any(any(folder.path.glob(pattern)) for pattern in results):
            shutil.rmtree(folder.path, ignore_errors=True)
        raise
