"""Kill a command with SIGKILL, and all that it started, when something has happened."""

import os
import signal
import subprocess
from collections.abc import Callable, Sequence


def kill_when(command: Sequence[str], is_reached: Callable[[], bool]) -> bool:
    """Start the command, kill its whole group once `is_reached`; False if it ended before."""
    child = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    while child.poll() is None:
        if is_reached():
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            return True
        try:
            child.wait(0.005)
        except subprocess.TimeoutExpired:
            continue
    return False
