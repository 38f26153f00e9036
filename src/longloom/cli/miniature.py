"""`longloom miniature`: make questions for prompts of a few hundred tokens."""

from typing import Annotated

import typer

from longloom.cli.console import print_table, shown_path
from longloom.cli.options import Model, NewFolder, Overrides, Recipe, Seed


def miniature(
    documents: Annotated[str, typer.Argument(help="A folder, a file, or `builtin`.")],
    output: NewFolder,
    model: Model = "tiny-base",
    num_train: Annotated[
        int | None, typer.Option("--train", help="Training examples per prompt length.")
    ] = None,
    num_held_out: Annotated[
        int | None, typer.Option("--held-out", help="Held-out examples per prompt length.")
    ] = None,
    document_tokens: Annotated[
        int | None, typer.Option(help="Documents of so many tokens, for the memory agent.")
    ] = None,
    recipe: Recipe = "tiny-cpu",
    overrides: Overrides = None,
    seed: Seed = None,
) -> None:
    """Make verified questions for prompts of a few hundred tokens (see `synthesize`)."""
    from longloom.cli.run_console import RunConsole
    from longloom.recipes import api

    with RunConsole() as console:
        made = api.synthesize_miniature(
            documents,
            output=output,
            model=model,
            recipe=recipe,
            overrides=overrides or (),
            seed=seed,
            num_train=num_train,
            num_held_out=num_held_out,
            document_tokens=document_tokens,
            progress=console.on_progress,
        )
    counts = [(task.value, f"{count}") for task, count in made.num_by_task.items()]
    print_table([("task", "examples"), *counts])
    if made.summary:
        facts = f"{made.summary.num_facts} facts in {made.summary.num_documents} documents"
        skipped = ", ".join(f"{n} {why}" for why, n in made.summary.skipped_files.items())
        print(f"\n{facts}; skipped files: {skipped or 'none'}")
    print(f"{made.num_train} for training, {made.num_held_out} held out")
    print(f"examples: {shown_path(made.folder)}")
