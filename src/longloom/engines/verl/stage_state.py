"""What the plugin adds to verl's checkpoints: `longloom.json` beside `data.pt`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from longloom.errors import CheckpointError
from longloom.runlog import atomic_write_text
from longloom.training.entropy_control import AepoState

STATE_FILE = "longloom.json"
STATE_SCHEMA = {"schema": "longloom.verl_state", "version": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class StageState:
    """The state of a stage that verl does not know of."""

    step: int
    """Optimizer steps taken."""
    examples: str
    """Digest of the examples that are drawn from."""
    sampler: Mapping[str, object]
    """The order of prompts."""
    aepo: AepoState
    """The entropy latch."""

    def write(self, folder: Path) -> None:
        """Write it into verl's folder of a step, before verl says that the step is complete.

        Raises:
            DataError: it cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            **STATE_SCHEMA,
            "step": self.step,
            "examples": self.examples,
            "sampler": dict(self.sampler),
            "aepo": self.aepo.to_json(),
        }
        atomic_write_text(folder / STATE_FILE, json.dumps(content) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "StageState":
        """Return the state in verl's folder of a step.

        Raises:
            CheckpointError: it is missing, damaged or of another step.
        """
        path = folder / STATE_FILE
        try:
            saved = json.loads(path.read_text("utf-8"))
            found = {name: saved[name] for name in STATE_SCHEMA}
            state = cls(
                step=int(saved["step"]),
                examples=str(saved["examples"]),
                sampler=dict(saved["sampler"]),
                aepo=AepoState.from_json(saved["aepo"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{path} is missing or damaged ({error!r}); expected what the stage wrote with "
                f"this checkpoint; delete {folder} to go back to an earlier one"
            ) from None
        if found != STATE_SCHEMA or folder.name != f"global_step_{state.step}":
            raise CheckpointError(
                f"{path} is {found} of step {state.step}; expected {STATE_SCHEMA} of "
                f"{folder.name}; delete {folder} to go back to an earlier checkpoint"
            )
        return state
