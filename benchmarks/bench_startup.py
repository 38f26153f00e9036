"""How long `longloom --help` takes: the best and the median of 20 calls, after one warm-up.

Target: under 0.3 s. The bare interpreter and `import typer` are shown beside it.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

NUM_CALLS = 20
COMMANDS = {
    "longloom --help": [str(Path(sys.executable).with_name("longloom")), "--help"],
    "python -c 'import typer'": [sys.executable, "-c", "import typer"],
    "python -c pass": [sys.executable, "-c", "pass"],
}


def call_seconds(command: list[str]) -> float:
    """Return the wall time of one call."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


for name, command in COMMANDS.items():
    call_seconds(command)
    seconds = [call_seconds(command) for _ in range(NUM_CALLS)]
    print(f"{name:<26} best {min(seconds):.3f} s  median {statistics.median(seconds):.3f} s")
