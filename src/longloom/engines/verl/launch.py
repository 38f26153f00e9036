"""Start verl as a process of its own, and wait for it."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from longloom.engines.verl.reported import take_error
from longloom.errors import EngineError

LOG_FILE = "verl-output.log"
"""In a stage's folder: what verl and Ray print."""
_LOOK_SECONDS = 1.0
_SHOWN_CHARACTERS = 800
_SHOWN_ERRORS = 2
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_RAISED = re.compile(r"^(?:\([^()\n]{1,80}\) )?([\w.]{1,80}(?:Error|Exception): .*)$", re.MULTILINE)
"""The last line of a traceback, behind the name of Ray's worker."""
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
        log_start = log.tell()
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
        raise take_error(folder) or _failed(folder, status, log_start)


def _failed(folder: Path, status: int, log_start: int) -> EngineError:
    with (folder / LOG_FILE).open("rb") as log:
        log.seek(log_start)
        text = _COLOUR.sub("", log.read().decode("utf-8", errors="replace"))
    told = list(dict.fromkeys(_RAISED.findall(text)))[-_SHOWN_ERRORS:]
    how = f"signal {status - 128}" if status > 128 else f"status {status}"
    said = " | ".join(told)[-_SHOWN_CHARACTERS:] or "it names no error"
    return EngineError(
        f"verl ended with {how}: {said}; its whole output is in {folder / LOG_FILE}; put that "
        "right and run the same command again, which resumes from the last checkpoint"
    )
