"""One comparison by algebra after another, in a process that may be killed.

    a line {"prediction", "gold"} -> math-verify -> a line {"equal": true | false | null}

This file is run as a script and imports nothing of Longloom. It sends `{"ready": true}` when
math-verify is loaded. A comparison that takes too long ends the process by an alarm that nothing
catches, so that it ends even where its parent is gone. math-verify's own time limits use the same
signal and are off.
"""

import json
import logging
import resource
import signal
import sys


def main() -> None:
    """Serve lines until the input ends."""
    limit_seconds, limit_bytes = float(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    logging.disable(logging.CRITICAL)
    from math_verify import parse, verify

    def is_equal(prediction: str, gold: str) -> bool:
        parsed = [parse(f"${answer}$", parsing_timeout=None) for answer in (gold, prediction)]
        return bool(verify(parsed[0], parsed[1], timeout_seconds=None))

    _send({"ready": True})
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, limit_seconds)
        try:
            equal: bool | None = is_equal(asked["prediction"], asked["gold"])
        except Exception:  # a boundary: whatever algebra fails with, there is no verdict
            equal = None
        signal.setitimer(signal.ITIMER_REAL, 0)
        _send({"equal": equal})


def _send(message: dict[str, bool | None]) -> None:
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
