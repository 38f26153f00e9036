"""How a stage on the cluster tells whoever started it why it ended."""

import json
from pathlib import Path

from longloom import errors
from longloom.errors import EngineError, LongloomError
from longloom.runlog import atomic_write_text

ERROR_FILE = "verl-error.json"


def write_error(folder: Path, error: LongloomError) -> None:
    """Write an error into a stage's folder."""
    written = {"kind": type(error).__name__, "message": str(error)}
    atomic_write_text(folder / ERROR_FILE, json.dumps(written) + "\n")


def take_error(folder: Path) -> LongloomError | None:
    """Return the error that a stage left in its folder, and forget it; None if there is none."""
    path = folder / ERROR_FILE
    try:
        written = json.loads(path.read_text("utf-8"))
        path.unlink()
        kind = getattr(errors, str(written["kind"]), EngineError)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    is_ours = isinstance(kind, type) and issubclass(kind, LongloomError)
    found: LongloomError = (kind if is_ours else EngineError)(str(written["message"]))
    return found
