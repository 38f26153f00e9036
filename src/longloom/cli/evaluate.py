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

Targets = Annotated[
    list[str] | None,
    typer.Argument(help="Suites, benchmarks, or folders written by `synthesize`; see --list."),
]
Agent = Annotated[str, typer.Option(help="single_pass, memory or closed_book.")]
Files = Annotated[Path | None, typer.Option("--data", help="Folder with the official files.")]
Download = Annotated[
    bool, typer.Option("--download", help="Take missing files from the Hugging Face hub.")
]
Judge = Annotated[str | None, typer.Option(help="Address of the judge.")]
JudgeModel = Annotated[str | None, typer.Option(help="The judge's name there.")]
Samples = Annotated[
    int | None, typer.Option("--samples", help="Answers per question; default by benchmark.")
]
Questions = Annotated[
    int | None, typer.Option("--questions", help="Ask so many questions of each benchmark.")
]
Folder = Annotated[
    Path | None, typer.Option("--output", "-o", help="Folder; default one in runs/.")
]
Split = Annotated[str, typer.Option(help="held_out or train, of examples.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be asked; call nobody.")]
Listed = Annotated[
    bool, typer.Option("--list", help="Show all suites and benchmarks, and where to get them.")
]


def evaluate(
    targets: Targets = None,
    model: Model = "tiny-base",
    endpoint: Endpoint = None,
    model_name: ModelName = None,
    tokenizer: TokenizerFolder = None,
    window_tokens: Window = None,
    agent: Agent = "single_pass",
    files: Files = None,
    download: Download = False,
    judge: Judge = None,
    judge_model: JudgeModel = None,
    num_samples: Samples = None,
    max_questions: Questions = None,
    output: Folder = None,
    split: Split = "held_out",
    yarn_factor: YarnFactor = None,
    recipe: ModelsRecipe = None,
    overrides: Overrides = None,
    seed: Seed = None,
    fresh: Fresh = False,
    dry_run: DryRun = False,
    is_listed: Listed = False,
) -> None:
    """Evaluate a model; the same command goes on where it stopped."""
    from longloom.cli.evaluate_console import (
        EvaluateConsole,
        print_catalogue,
        print_plan,
        print_results,
    )
    from longloom.errors import ConfigError, ModelError
    from longloom.recipes.evaluating.request import EvaluationSettings
    from longloom.recipes.verbs.evaluate import evaluate as run_evaluation
    from longloom.recipes.verbs.evaluate import plan_evaluation
    from longloom.recipes.verbs.read_model import ReadModel

    if is_listed:
        print_catalogue()
        return
    if not targets:
        raise ConfigError(
            "nothing to evaluate is named; expected a suite, a benchmark or a folder "
            "of examples; --list shows what there is"
        )
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
    print(f"\nreport: {shown_path(outcome.report)}", flush=True)
    if not outcome.has_replies:
        raise ModelError("no question got a reply; the figures say nothing of the model")
