"""A run that kills itself with SIGKILL: `python killed_run.py RECIPE_FILE FOLDER KIND WHAT COUNT`.

KIND is `step` (WHAT is a stage, COUNT a step) or `progress` (WHAT is how the description begins,
COUNT the how-manieth such call).
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from longloom.recipes.catalogue import load_config
from longloom.recipes.pipeline import run_recipe
from longloom.recipes.recipe_yaml import recipe_yaml
from longloom.recipes.run_config import RunConfig
from longloom.recipes.run_listener import SilentListener


class Killer(SilentListener):
    """Kills its own process at a place."""

    def __init__(self, kind: str, what: str, count: int) -> None:
        self._place = (kind, what, count)
        self._num_calls = 0

    def on_step(self, stage: str, num_steps: int, result) -> None:
        if ("step", stage, result.step) == self._place:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_progress(self, description: str, num_done: int, num_total: int) -> None:
        kind, what, count = self._place
        self._num_calls += kind == "progress" and description.startswith(what)
        if kind == "progress" and self._num_calls == count:
            os.kill(os.getpid(), signal.SIGKILL)


def kill_run(config: RunConfig, folder: Path, place: tuple[str, str, int]) -> None:
    """Run a recipe in a process that kills itself at a place."""
    recipe = folder.with_name("recipe.yaml")
    recipe.write_text(recipe_yaml(config), "utf-8")
    ran = subprocess.run(
        [sys.executable, __file__, str(recipe), str(folder), *map(str, place)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr


if __name__ == "__main__":
    recipe, folder, kind, what, count = sys.argv[1:]
    run_recipe(load_config(recipe), folder=Path(folder), listener=Killer(kind, what, int(count)))
