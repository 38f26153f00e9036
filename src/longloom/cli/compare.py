"""`longloom compare`: what one run answers and another does not."""

from pathlib import Path
from typing import Annotated

import typer

from longloom.cli.console import print_paragraph, print_table, shown_path


def compare(
    baseline: Annotated[Path, typer.Argument(help="Folder of `evaluate`, or a run folder: A.")],
    candidate: Annotated[Path, typer.Argument(help="Another of the same kind: B.")],
    mode: Annotated[
        str, typer.Option(help="Scores that are compared: strict or parity.")
    ] = "strict",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.html", help="Page with what changed."),
    ] = None,
) -> None:
    """Compare two runs question by question."""
    from longloom.recipes import api
    from longloom.report.estimates import percent, signed_points

    found = api.compare(baseline, candidate, mode=mode, output=output)
    print(f"A: {found.baseline}\nB: {found.candidate}\n")
    rows = [("benchmark", "questions", "A", "B", "B - A", "95% interval", "won", "lost")]
    for one in found.paired:
        gap = one.difference
        rows.append(
            (
                one.title, f"{gap.num_questions:,}", percent(one.baseline.value),
                percent(one.candidate.value), signed_points(gap.value),
                f"{signed_points(gap.low)} to {signed_points(gap.high)}"
                f"{' *' if one.is_separated else ''}",
                f"{one.num_won:,}", f"{one.num_lost:,}",
            )
        )  # fmt: skip
    print_table(rows)
    scores = f"{found.mode} scores" if found.mode else "rewards"
    print(f"\n{scores} in percent, paired by question; *: the interval leaves 0 out")
    for line in api.comparison_notes(found):
        print_paragraph(line)
    if output:
        print(f"\npage: {shown_path(output)}")
