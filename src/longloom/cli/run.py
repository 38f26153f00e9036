"""`longloom run`: carry out a recipe, or what of it is not there yet."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from longloom.cli.console import print_paragraph, print_table, shown_path
from longloom.cli.options import Fresh, Overrides, Seed, Track
from longloom.errors import ConfigError

if TYPE_CHECKING:
    from longloom.recipes.catalogue import EngineName
    from longloom.recipes.graph.selection import Part
    from longloom.recipes.run_config import RunConfig

StageName = Annotated[str, typer.Option(metavar="STAGE")]


def run(
    name_or_file: Annotated[str, typer.Argument(help="A recipe, or a YAML file of settings.")],
    overrides: Overrides = None,
    seed: Seed = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Run folder; default runs/RECIPE, -seed-N for another seed."
        ),
    ] = None,
    begin: Annotated[
        str, typer.Option("--from", metavar="STAGE", help="Compute it and what depends on it anew.")
    ] = "",
    end: Annotated[
        str, typer.Option("--until", metavar="STAGE", help="Compute it and what it starts from.")
    ] = "",
    only: Annotated[
        str, typer.Option("--only", metavar="STAGE", help="Compute this stage alone.")
    ] = "",
    engine: Annotated[
        str, typer.Option(help="Train here (`local`) or on a cluster (`verl`; see cluster.*).")
    ] = "",
    track: Track = None,
    is_fresh: Fresh = False,
    is_clean: Annotated[
        bool,
        typer.Option("--clean", help="Remove results of other settings instead; run nothing."),
    ] = False,
    is_dry: Annotated[
        bool, typer.Option("--dry-run", help="Print settings, graph and plan; touch nothing.")
    ] = False,
) -> None:
    """Carry out a whole recipe: questions, training, evaluation, report. Resumes if stopped."""
    from longloom.cli.run_console import RunConsole
    from longloom.recipes import api
    from longloom.recipes.catalogue import load_config

    settings = [*(overrides or ()), *([f"track=[{','.join(track)}]"] if track else [])]
    part = api.Part(begin=begin, end=end, only=only)
    if is_clean or is_dry:
        config = load_config(name_or_file, overrides=settings, seed=seed, engine=_engine(engine))
        _clean(config, output, part, is_dry) if is_clean else _print_plan(config, output, part)
        return
    with RunConsole() as console:
        outcome = api.run(
            name_or_file,
            overrides=settings,
            seed=seed,
            output=output,
            fresh=is_fresh,
            engine=_engine(engine),
            part=part,
            listener=console,
        )
    print_paragraph(outcome.headline)
    for title, lines in (("improved", outcome.improved), ("not improved", outcome.not_improved)):
        print(f"\n{title}:", *(lines or ("nothing",)), sep="\n  ")
    if outcome.missing:
        print(f"\nnot there yet: {', '.join(outcome.missing)}")
    if outcome.model is not None:
        # Its parent alone is resolved: the last part is the stable name of a link.
        print(f"\nmodel: {shown_path(outcome.model.parent)}/{outcome.model.name}")
    print(f"\nreport: {shown_path(outcome.report)}")


def _engine(name: str) -> "EngineName | None":
    if name not in ("", "local", "verl"):
        raise ConfigError(f"engine {name!r} is unknown; expected local or verl")
    return cast("EngineName", name) if name else None


def _print_plan(config: "RunConfig", output: Path | None, part: "Part") -> None:
    from longloom.cli.run_plan import print_plan
    from longloom.recipes.verbs.run_plan import plan_run

    planned = plan_run(config, output=output, part=part)
    print_plan(config, planned)
    print(f"\nrun folder: {shown_path(planned.folder)}")


def _clean(config: "RunConfig", output: Path | None, part: "Part", is_dry: bool) -> None:
    from longloom.recipes.verbs.clean import clean

    if part.options:
        raise ConfigError(f"--clean was given with {part.options}; expected one of them")
    removed = clean(config, output=output, is_dry=is_dry)
    rows = [(result.place, f"{result.num_bytes / 1e6:,.1f} MB") for result in removed]
    print_table([("would remove" if is_dry else "removed", "size"), *rows])
    total = sum(result.num_bytes for result in removed)
    print(f"\n{len(removed)} results of other settings, {total / 1e6:,.1f} MB")
