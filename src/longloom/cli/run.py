"""`longloom run`: carry out a recipe, or resume it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from longloom.cli.console import print_paragraph, print_table, shown_path
from longloom.cli.options import Fresh, Overrides, Seed, Track
from longloom.errors import EngineError, ModelError

if TYPE_CHECKING:
    from longloom.recipes.run_config import RunConfig


def run(
    name_or_file: Annotated[str, typer.Argument(help="A recipe, or a YAML file of settings.")],
    overrides: Overrides = None,
    seed: Seed = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Run folder; default runs/RECIPE-confighash."),
    ] = None,
    track: Track = None,
    is_fresh: Fresh = False,
    is_dry: Annotated[
        bool, typer.Option("--dry-run", help="Print settings and plan; touch nothing.")
    ] = False,
) -> None:
    """Carry out a whole recipe: questions, training, evaluation, report. Resumes if stopped."""
    from longloom.cli.run_console import RunConsole
    from longloom.recipes import api
    from longloom.recipes.catalogue import load_config

    settings = [*(overrides or ()), *([f"track=[{','.join(track)}]"] if track else [])]
    if is_dry:
        _print_plan(load_config(name_or_file, overrides=settings, seed=seed), output)
        return
    with RunConsole() as console:
        outcome = api.run(
            name_or_file,
            overrides=settings,
            seed=seed,
            output=output,
            fresh=is_fresh,
            listener=console,
        )
    print_paragraph(outcome.headline)
    for title, lines in (("improved", outcome.improved), ("not improved", outcome.not_improved)):
        print(f"\n{title}:", *(lines or ("nothing",)), sep="\n  ")
    print(f"\nreport: {shown_path(outcome.report)}")


def _print_plan(config: "RunConfig", output: Path | None) -> None:
    from longloom.recipes.pipeline import default_folder
    from longloom.recipes.planning.stage_layouts import stages_here
    from longloom.recipes.planning.stage_limits import plan_evaluation, plan_stages
    from longloom.recipes.planning.tables import here_rows
    from longloom.recipes.recipe_yaml import recipe_yaml

    print(recipe_yaml(config, is_commented=False))
    heading = ("stage", "kind", "from", "steps", "rollouts", "prompt", "answer", "sampled at most")
    stages = [
        (
            stage.name, stage.kind, stage.start, f"{stage.num_steps}", f"{stage.num_rollouts:,}",
            f"{stage.max_prompt_tokens:,}", f"{stage.max_response_tokens:,}",
            f"{stage.max_sampled_tokens:,} tokens",
        )
        for stage in plan_stages(config)
    ]  # fmt: skip
    print_table([heading, *stages])
    suites = [
        (
            suite.name, suite.agent, f"{suite.num_questions:,}", f"{suite.num_samples}",
            " ".join(suite.checkpoints),
        )
        for suite in plan_evaluation(config)
    ]  # fmt: skip
    print()
    print_table([("evaluation", "by", "questions", "tries", "of"), *suites])
    print()
    try:
        print_table(here_rows(stages_here(config)))
    except (EngineError, ModelError) as error:
        print(f"memory: not known ({error})")
    print(f"\nrun folder: {shown_path(output or default_folder(config))}")
