"""Runs of a small recipe by the command line, with stages trained by verl on this machine's CPU."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from longloom.recipes.recipe_yaml import recipe_yaml
from longloom.recipes.run_config import RunConfig, StageConfig
from longloom.recipes.tiny_cpu import tiny_cpu
from longloom.training.aepo_config import AepoConfig
from longloom.training.checkpoints import CheckpointConfig
from longloom.training.sampling import PromptSamplingConfig

SECONDS = 900
"""A run that takes longer has hung."""


def command(recipe: Path | str, folder: Path, *, ranks: int, more: Sequence[str] = ()) -> list[str]:
    """Return the command that trains a recipe's stages by verl on `ranks` processes."""
    settings = ["cluster.device=cpu", f"cluster.num_gpus={ranks}"]
    options = [word for setting in settings for word in ("--set", setting)]
    longloom = [sys.executable, "-m", "longloom", "run", str(recipe)]
    return [*longloom, "--engine", "verl", "-o", str(folder), *options, *more]


def run(words: Sequence[str]) -> str:
    """Run a command to its end and return what it printed; it must succeed."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def run_until(words: Sequence[str], is_reached: Callable[[], bool]) -> None:
    """Kill a command, and nothing of what it started, with SIGKILL once `is_reached`."""
    child = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    while child.poll() is None and not is_reached():
        try:
            child.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    assert child.poll() is None, "the command ended before it could be killed"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()


def memory_recipe(*, num_steps: int, num_examples: int = 60) -> RunConfig:
    """Return a recipe that trains the memory agent at once, with a latch that flips."""
    tiny = tiny_cpu()
    stages = {stage.name: stage for stage in tiny.stages}
    training = stages["memory"].training
    assert training is not None
    training = training.replace(
        num_steps=num_steps,
        group_size=4,
        sampling=PromptSamplingConfig(batch_size=4),
        aepo=AepoConfig(bounds="multiple_of_first", entropy_high=0.9, entropy_low=0.5),
        checkpoints=CheckpointConfig(keep_last=2),
    )
    first = stages["stage-1"].training
    assert first is not None
    return tiny.replace(
        recipe="memory-alone",
        num_memory_examples=num_examples,
        stages=(
            StageConfig(name="memory", kind="memory", start="base", training=training),
            stages["stage-1"].replace(start="memory"),
        ),
        evaluation=tiny.evaluation.replace(num_questions=0, num_documents=0, windows=()),
    )


def write_recipe(config: RunConfig, path: Path) -> Path:
    """Write a recipe as a YAML file."""
    path.write_text(recipe_yaml(config, is_commented=False), "utf-8")
    return path


def stage_folder(folder: Path, name: str) -> Path:
    """Return the folder of a stage of a run; there must be one alone."""
    (found,) = (path for path in (folder / "checkpoints").glob(f"{name}-*") if path.is_dir())
    return found


def state_of(stage: Path, step: int) -> dict[str, object]:
    """Return what the plugin kept with the checkpoint of a step."""
    return json.loads((stage / "verl" / f"global_step_{step}" / "longloom.json").read_text())
