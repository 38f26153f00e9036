"""How many steps of a stage are safely on the disk, wherever it is trained."""

from pathlib import Path

from longloom.engines.verl.cluster_config import VERL_FOLDER, saved_step
from longloom.training.checkpoints import last_step


def saved_steps(place: Path) -> int:
    """Return the last step of the stage in a folder that a resumed run goes on after."""
    return max(last_step(place), saved_step(place / VERL_FOLDER))
