"""Run a command that must not outlive whoever started it: `python -m ...supervisor COMMAND...`.

Whoever starts it holds its standard input open. When that closes, because the other ended or was
killed, the command is stopped with its whole process group: asked first, then killed. Ray's local
daemons die with the process that started them.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

GRACE_SECONDS = 20.0
"""Time a command has to end after it is asked to."""
_REST_SECONDS = 0.5
_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


def supervise(command: Sequence[str]) -> int:
    """Run `command` until it ends or standard input closes; return its exit status.

    That of a command that was killed is 128 and the signal's number, as in a shell.
    """
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_end_with_parent
    )
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the other's to answer
    signal.signal(signal.SIGTERM, lambda number, frame: _ask_to_end(child))
    watch = threading.Thread(target=_end_with_input, args=(child,), daemon=True)
    watch.start()
    status = child.wait()
    watch.join(_REST_SECONDS)  # what else is in its group may be about to end by itself
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    return status if status >= 0 else 128 - status


def _end_with_parent() -> None:
    """Ask Linux to end the command when its supervisor is killed; others cannot be asked."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # a C library without prctl
            ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def _end_with_input(child: subprocess.Popen[bytes]) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    _ask_to_end(child)
    with suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _ask_to_end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(supervise(sys.argv[1:]))
