"""Carry out a whole recipe."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from longloom.recipes.catalogue import EngineName, load_config
from longloom.recipes.graph.places import FINAL
from longloom.recipes.graph.selection import Part
from longloom.recipes.pipeline import default_folder, run_recipe
from longloom.recipes.run_listener import RunListener, SilentListener
from longloom.recipes.verbs.run_folders import check_run_folder, removed_if_unused
from longloom.report.run_contents import RunContents, read_run
from longloom.report.summary import Claim, describe_difference, summarise
from longloom.runlog import NodeKind, RunFolder, Status


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
    missing: tuple[str, ...]
    """What of the run is not there yet."""
    model: Path | None
    """The model of the last stage that is done; None if none is."""


def run(
    recipe: str = "tiny-cpu",
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    output: Path | str | None = None,
    fresh: bool = False,
    engine: EngineName | None = None,
    part: Part | None = None,
    listener: RunListener | None = None,
) -> RunOutcome:
    """Carry out a recipe, or what of it is not there yet.

    Args:
        recipe: name of a recipe, or a YAML file of settings such as a run's own run.yaml.
        overrides: changed settings as `a.b=c`.
        seed: replaces the recipe's seed.
        output: the run folder; `runs/RECIPE` if not given, with `-seed-N` for another seed than
            the recipe's own.
        fresh: delete what the folder holds and start again.
        engine: `verl` trains on a cluster, `local` in this process; as the recipe says if not
            given.
        part: compute a part only, see `longloom.recipes.graph.selection`.
        listener: is told of progress, steps and results.

    Raises:
        ConfigError: a setting is refused, or the folder holds another run.
        LongloomError: a part failed; the message says which and what to do.
    """
    config = load_config(recipe, overrides=overrides, seed=seed, engine=engine)
    folder = Path(output) if output is not None else default_folder(config)
    check_run_folder(RunFolder(folder))
    listener = listener or SilentListener()
    with removed_if_unused(RunFolder(folder)):
        report = run_recipe(
            config, folder=folder, listener=listener, fresh=fresh, part=part or Part()
        )
    contents = read_run(folder)
    summary = summarise(contents)
    return RunOutcome(
        folder=folder,
        report=report,
        headline=summary.paragraph,
        improved=tuple(_line(claim) for claim in summary.improved),
        not_improved=tuple(_line(claim) for claim in summary.not_improved),
        missing=contents.missing,
        model=_last_model(folder, contents),
    )


def _last_model(folder: Path, contents: RunContents) -> Path | None:
    """Return the last finished model, by its stable name where the disk has links."""
    stages = contents.index.stages if contents.index else ()
    done = [stage for stage in stages if stage.status is Status.DONE]
    if not done:
        return None
    link = folder / NodeKind.STAGE / done[-1].name
    return link if link.is_symlink() else folder / done[-1].place / FINAL


def _line(claim: Claim) -> str:
    return f"{claim.text}: {describe_difference(claim.estimate)}"
