"""`longloom evaluate`: ask a model the questions of benchmarks and score its answers."""

from pathlib import Path
from typing import Annotated

import typer

from longloom.cli.console import shown_path
from longloom.cli.options import (
    Endpoint,
    Fresh,
    Model,
    ModelName,
    ModelsRecipe,
    Overrides,
    Seed,
    TokenizerFolder,
    Window,
    YarnFactor,
)


def evaluate(
    targets: Annotated[
        list[str],
        typer.Argument(help="Suites, benchmarks, or folders written by `synthesize`."),
    ],
    model: Model = "tiny-base",
    endpoint: Endpoint = None,
    model_name: ModelName = None,
    tokenizer: TokenizerFolder = None,
    window_tokens: Window = None,
    agent: Annotated[str, typer.Option(help="single_pass, memory or closed_book.")] = "single_pass",
    files: Annotated[
        Path | None, typer.Option("--data", help="Folder with the official files.")
    ] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Take missing files from the Hugging Face hub.")
    ] = False,
    judge: Annotated[str | None, typer.Option(help="Address of the judge.")] = None,
    judge_model: Annotated[str | None, typer.Option(help="The judge's name there.")] = None,
    num_samples: Annotated[
        int | None, typer.Option("--samples", help="Answers per question; default by benchmark.")
    ] = None,
    max_questions: Annotated[
        int | None, typer.Option("--questions", help="Ask so many questions of each benchmark.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder; default one in runs/.")
    ] = None,
    split: Annotated[str, typer.Option(help="held_out or train, of examples.")] = "held_out",
    yarn_factor: YarnFactor = None,
    recipe: ModelsRecipe = None,
    overrides: Overrides = None,
    seed: Seed = None,
    fresh: Fresh = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be asked; call nobody.")
    ] = False,
) -> None:
    """Evaluate a model; the same command goes on where it stopped."""
    from longloom.cli.evaluate_console import EvaluateConsole, print_plan, print_results
    from longloom.recipes.evaluating.request import EvaluationSettings
    from longloom.recipes.verbs.evaluate import evaluate as run_evaluation
    from longloom.recipes.verbs.evaluate import plan_evaluation
    from longloom.recipes.verbs.read_model import ReadModel

    asked = ReadModel(
        model=model, endpoint=endpoint, model_name=model_name, tokenizer=tokenizer,
        window_tokens=window_tokens, yarn_factor=yarn_factor,
    )  # fmt: skip
    settings = EvaluationSettings(
        model=asked, agent=agent, files=files, split=split, num_samples=num_samples,
        max_questions=max_questions, recipe=recipe, overrides=overrides or (), seed=seed,
        judge=judge, judge_model=judge_model, download=download,
    )  # fmt: skip
    if dry_run:
        print_plan(plan_evaluation(targets, **settings))
        return
    with EvaluateConsole() as console:
        outcome = run_evaluation(
            targets,
            output=output,
            fresh=fresh,
            on_progress=console.on_progress,
            notify=console.on_message,
            **settings,
        )
    print_results(outcome.results)
    print(f"\nreport: {shown_path(outcome.report)}")
