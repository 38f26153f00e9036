"""`longloom evaluate`: score a model's answers."""

from pathlib import Path
from typing import Annotated

import typer

from longloom.cli.console import print_table, shown_path
from longloom.cli.options import Model, Overrides, Recipe, Seed, YarnFactor


def evaluate(
    examples: Annotated[Path, typer.Argument(help="Folder written by `synthesize`.")],
    model: Model = "tiny-base",
    agent: Annotated[
        str, typer.Option(help="single_pass, truncated, memory or closed_book.")
    ] = "single_pass",
    num_samples: Annotated[int, typer.Option("--samples", help="Attempts per question.")] = 1,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the scores.")
    ] = None,
    split: Annotated[str, typer.Option(help="held_out or train.")] = "held_out",
    max_questions: Annotated[
        int | None, typer.Option("--questions", help="Ask so many questions.")
    ] = None,
    max_prompt_tokens: Annotated[
        int | None, typer.Option(help="Longer prompts are cut or left out.")
    ] = None,
    yarn_factor: YarnFactor = None,
    recipe: Recipe = "tiny-cpu",
    overrides: Overrides = None,
    seed: Seed = None,
) -> None:
    """Ask a model held-out questions and score its answers."""
    from longloom.cli.run_console import RunConsole
    from longloom.recipes import api

    with RunConsole() as console:
        cell = api.evaluate(
            examples,
            model=model,
            agent=agent,
            num_samples=num_samples,
            output=output,
            split=split,
            max_questions=max_questions,
            max_prompt_tokens=max_prompt_tokens,
            yarn_factor=yarn_factor,
            recipe=recipe,
            overrides=overrides or (),
            seed=seed,
            progress=console.on_progress,
        )
    figures = [
        (
            name, f"{found.num_questions}", f"{found.value:.1%}",
            f"{found.low:.1%} to {found.high:.1%}",
        )
        for name, found in api.accuracy_by_task(cell).items()
    ]  # fmt: skip
    print_table([("task", "questions", "reward", "95% interval"), *figures])
    num_failed = sum(score.finish not in ("stop", "length") for score in cell.scores)
    print(f"\n{cell.checkpoint} on {cell.suite} by {cell.agent}: {cell.seconds:.1f} s")
    if num_failed:
        print(f"failed attempts, counted as wrong: {num_failed}")
    if output:
        print(f"scores: {shown_path(output)}")
