"""`longloom merge`: merge models into a new one."""

from pathlib import Path
from typing import Annotated

import typer

from longloom.cli.console import print_table, shown_path
from longloom.cli.options import NewFolder, Overrides


def merge(
    models: Annotated[
        list[str], typer.Argument(help="Model folders, or one mergekit file (.yaml, .yml).")
    ],
    output: NewFolder,
    pivot: Annotated[
        str | None, typer.Option(help="What the models were trained from; or `tiny-base`.")
    ] = None,
    method: Annotated[
        str, typer.Option(help="sce, dare, linear, task_arithmetic or ties.")
    ] = "sce",
    overrides: Overrides = None,
) -> None:
    """Merge models, by SCE as in the paper unless told otherwise."""
    from longloom.cli.run_console import RunConsole
    from longloom.errors import ConfigError
    from longloom.recipes.verbs.merge import merge as merge_folders
    from longloom.recipes.verbs.merge import merge_file
    from longloom.report import merge_table

    is_file = len(models) == 1 and Path(models[0]).suffix in (".yaml", ".yml")
    if is_file and pivot:
        raise ConfigError(f"{models[0]} names its own base_model; leave out --pivot")
    with RunConsole() as console:
        if is_file:
            merged = merge_file(
                models[0],
                output=output,
                overrides=overrides or (),
                progress=console.on_progress,
            )
        elif pivot is None:
            raise ConfigError("no pivot; give the models' common origin with --pivot")
        else:
            merged = merge_folders(
                pivot,
                models,
                output=output,
                method=method,
                overrides=overrides or (),
                progress=console.on_progress,
            )
    print_table(merge_table(merged))
    print(f"\nopposite directions at {merged.sign_conflict_fraction:.1%} of the positions")
    print(f"by layer: {shown_path(output / 'merge_report.html')}")
    print(f"model: {shown_path(output)}")
