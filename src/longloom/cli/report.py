"""`longloom report`: write the report of a run, an evaluation, or a set of questions."""

from pathlib import Path
from typing import Annotated

import typer

from longloom.cli.console import shown_path


def report(
    run_folder: Annotated[
        Path,
        typer.Argument(help="Folder of a run, finished or not, of `synthesize` or `evaluate`."),
    ],
    is_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the results as Markdown instead.")
    ] = False,
) -> None:
    """Write report.html from the files of a run, an evaluation or a folder of questions."""
    from longloom.recipes import api

    if is_markdown:
        print(api.report_markdown(run_folder).rstrip())
        return
    print(f"report: {shown_path(api.write_report(run_folder))}")
