"""Start verl as a process of its own, and wait for it."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from longloom.engines.verl.reported import take_error
from longloom.errors import EngineError

LOG_FILE = "verl-output.log"
"""In a stage's folder: what verl and Ray print."""
_LOOK_SECONDS = 1.0
_SHOWN_LINES = 3
_SUPERVISOR = "longloom.engines.verl.supervisor"


def run_to_end(
    command: Sequence[str],
    folder: Path,
    *,
    environment: Mapping[str, str],
    look: Callable[[], None],
) -> None:
    """Run a command of verl's for the stage in `folder`; it ends with this process.

    Args:
        command: what to run, with its arguments.
        folder: the stage's folder; output is appended to its log.
        environment: variables beside those of this process.
        look: called every second while it runs, and once after it.

    Raises:
        LongloomError: what the plugin wrote down, or that the process failed.
    """
    take_error(folder)  # of an earlier attempt
    whole = [sys.executable, "-m", _SUPERVISOR, *command]
    with (folder / LOG_FILE).open("ab") as log:
        running = subprocess.Popen(
            whole,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        assert running.stdin is not None
        try:
            status = None
            while status is None:
                try:
                    status = running.wait(_LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    look()
        finally:
            running.stdin.close()  # the supervisor ends with it
            running.wait()
    look()
    if status:
        raise take_error(folder) or _failed(folder, status)


def _failed(folder: Path, status: int) -> EngineError:
    lines = (folder / LOG_FILE).read_text("utf-8", errors="replace").splitlines()
    told = [line.strip() for line in lines if "Error" in line][-_SHOWN_LINES:]
    return EngineError(
        f"verl ended with status {status}: {' | '.join(told)[-800:]}; its whole output is in "
        f"{folder / LOG_FILE}; put that right and run the same command again, "
        "which resumes from the last checkpoint"
    )
