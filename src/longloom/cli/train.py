"""`longloom train`: one stage by hand."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from longloom.cli.console import print_table, shown_path
from longloom.cli.options import Fresh, Model, Overrides, Recipe, Seed, Track

if TYPE_CHECKING:
    from longloom.recipes.verbs.train_plan import TrainingPlan


def train(
    examples: Annotated[
        Path,
        typer.Argument(
            metavar="EXAMPLES",
            help="Folder written by `synthesize`, or your own rows: Parquet, JSON Lines, JSON.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Folder of the training: new, or one to continue in."),
    ],
    model: Model = "tiny-base",
    recipe: Recipe = "tiny-cpu",
    stage: Annotated[str, typer.Option(help="Stage of the recipe, or `sft`.")] = "stage-1",
    tasks: Annotated[
        list[str] | None,
        typer.Option("--task", metavar="[SOURCE=]TASK", help="What own rows are; may be repeated."),
    ] = None,
    track: Track = None,
    overrides: Overrides = None,
    seed: Seed = None,
    is_fresh: Fresh = False,
    is_dry: Annotated[
        bool, typer.Option("--dry-run", help="Print settings, plan and memory; touch nothing.")
    ] = False,
) -> None:
    """Train one stage of a recipe. Resumes if stopped. Settings: --set training.num_steps=8."""
    from longloom.cli.run_console import RunConsole
    from longloom.recipes import api

    asked: dict[str, Any] = {
        "model": model, "recipe": recipe, "stage": stage, "overrides": overrides or (),
        "tasks": tasks or (), "track": track or (), "seed": seed,
    }  # fmt: skip
    if is_dry:
        _print_plan(api.plan_training(examples, **asked), output)
        return
    with RunConsole() as console:
        outcome = api.train(examples, output=output, fresh=is_fresh, listener=console, **asked)
    print(f"\ntrained {outcome.num_steps} steps")
    print(f"model: {shown_path(outcome.model)}")


def _print_plan(plan: "TrainingPlan", output: Path) -> None:
    print(plan.settings_yaml)
    print_table([("what", "how much"), *plan.work])
    print()
    print(*plan.memory, sep="\n")
    print(f"\nrun folder: {shown_path(output)}")
