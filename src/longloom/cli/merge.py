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
    from longloom.recipes import api

    is_file = len(models) == 1 and Path(models[0]).suffix in (".yaml", ".yml")
    if is_file and (pivot or overrides):
        raise ConfigError(f"{models[0]} holds all settings; leave out --pivot and --set")
    with RunConsole() as console:
        if is_file:
            merged = api.merge_file(models[0], output=output, progress=console.on_progress)
        elif pivot is None:
            raise ConfigError("no pivot; give the models' common origin with --pivot")
        else:
            merged = api.merge(
                pivot,
                models,
                output=output,
                method=method,
                overrides=overrides or (),
                progress=console.on_progress,
            )
    weights = zip(merged.models, merged.coefficients, strict=True)
    print_table([("model", "weight"), *((name, f"{weight:.3f}") for name, weight in weights)])
    print(f"\nopposite directions at {merged.sign_conflict_fraction:.1%} of the positions")
    print(f"model: {shown_path(output)}")
