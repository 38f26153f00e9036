"""`longloom train`: one stage by hand."""

from pathlib import Path
from typing import Annotated

import typer

from longloom.cli.console import shown_path
from longloom.cli.options import Fresh, Model, Overrides, Recipe, Seed


def train(
    examples: Annotated[Path, typer.Argument(help="Folder written by `synthesize`.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Folder of the training: new, or one to continue in."),
    ],
    model: Model = "tiny-base",
    recipe: Recipe = "tiny-cpu",
    stage: Annotated[str, typer.Option(help="Stage of the recipe.")] = "stage-1",
    overrides: Overrides = None,
    seed: Seed = None,
    is_fresh: Fresh = False,
) -> None:
    """Train one stage of a recipe. Resumes if stopped. Settings: --set training.num_steps=8."""
    from longloom.cli.run_console import RunConsole
    from longloom.recipes import api

    with RunConsole() as console:
        outcome = api.train(
            examples,
            output=output,
            model=model,
            recipe=recipe,
            stage=stage,
            overrides=overrides or (),
            seed=seed,
            fresh=is_fresh,
            listener=console,
        )
    print(f"\ntrained {outcome.num_steps} steps")
    print(f"model: {shown_path(outcome.model)}")
