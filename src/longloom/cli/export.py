"""`longloom export`: examples as one file for another trainer."""

from pathlib import Path
from typing import Annotated

import typer

from longloom.cli.console import shown_path
from longloom.cli.options import NewFile


def export(
    examples: Annotated[Path, typer.Argument(help="Folder of `synthesize`, or of a run.")],
    output: NewFile,
    kind: Annotated[
        str, typer.Option("--for", help="verl, trl, jsonl; or rollouts of a run.")
    ] = "verl",
    template: Annotated[str, typer.Option(help="Prompt template: plain or l1.")] = "plain",
) -> None:
    """Write examples with their documents as one self-contained file."""
    from longloom.recipes import api

    num_examples = api.export(examples, output=output, kind=kind, template=template)
    what = "rollouts" if kind == "rollouts" else "examples"
    print(f"{num_examples} {what}: {shown_path(output)}")
