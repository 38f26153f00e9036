"""Carry out a whole recipe."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from longloom.recipes.catalogue import load_config
from longloom.recipes.evaluation_jobs import EvaluationJob
from longloom.recipes.pipeline import RunListener, default_folder, run_recipe
from longloom.recipes.verbs.run_folders import check_run_folder, removed_if_unused
from longloom.report.run_contents import read_run
from longloom.report.summary import Claim, describe_difference, summarise
from longloom.runlog import RunFolder
from longloom.training.loop import StepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """What a finished run left."""

    folder: Path
    """The run folder."""
    report: Path
    """Its report.html."""
    headline: str
    """The main results in sentences."""
    improved: tuple[str, ...]
    """Comparisons whose whole 95% interval lies above zero, one line each."""
    not_improved: tuple[str, ...]
    """All other comparisons."""


class SilentListener:
    """Shows nothing; the base of listeners that show a part."""

    def on_progress(self, description: str, num_done: int, num_total: int) -> None:
        """Show how far a part of the work is."""

    def on_step(self, stage: str, num_steps: int, result: StepResult) -> None:
        """Show a training step."""

    def on_cell(self, job: EvaluationJob, mean_reward: float) -> None:
        """Show a finished evaluation cell."""

    def on_message(self, message: str) -> None:
        """Show one line."""


def run(
    recipe: str = "tiny-cpu",
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    output: Path | str | None = None,
    fresh: bool = False,
    listener: RunListener | None = None,
) -> RunOutcome:
    """Carry out a recipe, or resume it where it stopped.

    Args:
        recipe: name of a recipe, or a YAML file of settings such as a run's own run.yaml.
        overrides: changed settings as `a.b=c`.
        seed: replaces the recipe's seed.
        output: the run folder; `runs/RECIPE-confighash` if not given.
        fresh: delete what the folder holds and start again.
        listener: is told of progress, steps and results.

    Raises:
        ConfigError: a setting is refused, or the folder holds another run.
        LongloomError: a part failed; the message says which and what to do.
    """
    config = load_config(recipe, overrides=overrides, seed=seed)
    folder = Path(output) if output is not None else default_folder(config)
    check_run_folder(RunFolder(folder))
    listener = listener or SilentListener()
    with removed_if_unused(RunFolder(folder)):
        report = run_recipe(config, folder=folder, listener=listener, fresh=fresh)
    summary = summarise(read_run(folder))
    return RunOutcome(
        folder=folder,
        report=report,
        headline=summary.paragraph,
        improved=tuple(_line(claim) for claim in summary.improved),
        not_improved=tuple(_line(claim) for claim in summary.not_improved),
    )


def _line(claim: Claim) -> str:
    return f"{claim.text}: {describe_difference(claim.estimate)}"
