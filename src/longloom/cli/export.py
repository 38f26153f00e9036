"""`longloom export`: examples as one file for another trainer."""

from pathlib import Path
from typing import Annotated

import typer

from longloom.cli.console import shown_path
from longloom.cli.options import NewFile


def export(
    examples: Annotated[Path, typer.Argument(help="Folder written by `synthesize`.")],
    output: NewFile,
    kind: Annotated[str, typer.Option("--for", help="verl, trl or jsonl.")] = "verl",
    template: Annotated[str, typer.Option(help="Prompt template: plain or l1.")] = "plain",
) -> None:
    """Write examples with their documents as one self-contained file."""
    from longloom.recipes import api

    num_examples = api.export(examples, output=output, kind=kind, template=template)
    print(f"{num_examples} examples: {shown_path(output)}")
