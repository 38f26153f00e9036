"""The tables of a report as Markdown, for `docs/`."""

from pathlib import Path

from longloom.evaluation.statistics import Estimate
from longloom.report.estimates import percent, signed_points
from longloom.report.run_contents import RunContents, read_run
from longloom.report.summary import describe_difference, summarise
from longloom.report.tables import (
    Table,
    TableCell,
    difference_table,
    long_table,
    main_table,
    pass_table,
)


def results_markdown(run_folder: Path) -> str:
    """Return summary and tables of a run as Markdown, ending in a newline.

    Raises:
        DataError: the folder is missing, or a file in it is damaged.
    """
    run = read_run(run_folder)
    summary = summarise(run)
    tables = (
        ("Accuracy by checkpoint (percent)", main_table(run)),
        (f"One try and eight tries at {run.short_suite} lengths (percent)", pass_table(run)),
        ("Paired differences (percentage points)", difference_table(run)),
        ("Accuracy by document length (percent)", long_table(run)),
    )
    blocks = [_origin(run), _missing(run), summary.paragraph]
    for title, claims in (
        ("Improved", summary.improved),
        ("Did not improve", summary.not_improved),
    ):
        lines = [f"- {claim.text}: {describe_difference(claim.estimate)}" for claim in claims]
        if lines:
            blocks.append("\n".join([f"**{title}**", "", *lines]))
    blocks += [f"### {title}\n\n{markdown_table(table)}" for title, table in tables if table.rows]
    if any(table.rows for _, table in tables):
        blocks.append(
            "In brackets: 95% bootstrap interval over questions. Bold: best of the column."
        )
    return "\n\n".join(block for block in blocks if block) + "\n"


def markdown_table(table: Table) -> str:
    """Return a table with one heading line; a group's name stands before its columns' names."""
    groups = [name for name, span in table.groups for _ in range(span)]
    has_several = len(table.groups) > 1 and len(set(table.columns)) < len(table.columns)
    columns = [
        f"{group} {column}" if has_several else column
        for group, column in zip(groups, table.columns, strict=True)
    ]
    lines = [_line(["", *columns]), _line(["---", *("---:" for _ in columns)])]
    for row in table.rows:
        name = f"{row.name} ({row.note})" if row.note else row.name
        lines.append(_line([name, *(_figure(cell, table.is_difference) for cell in row.cells)]))
    return "\n".join(lines)


def _origin(run: RunContents) -> str:
    if not run.manifest:
        return ""
    manifest = run.manifest
    version = manifest.library_versions.get("longloom", "unknown")
    return (
        f"Recipe `{manifest.recipe}`, seed {manifest.seed}, {manifest.num_threads} threads, "
        f"Longloom {version}, {run.date}."
    )


def _missing(run: RunContents) -> str:
    return f"Not there yet: {', '.join(run.missing)}." if run.missing else ""


def _figure(cell: TableCell, is_difference: bool) -> str:
    if cell.estimate is None:
        return "-"
    text = _with_interval(cell.estimate, is_difference)
    value, _, interval = text.partition(" ")
    return f"**{value}** {interval}" if cell.is_best else text


def _with_interval(estimate: Estimate, is_difference: bool) -> str:
    if is_difference:
        value, low, high = map(signed_points, (estimate.value, estimate.low, estimate.high))
        return f"{value} ({low} to {high})"
    return f"{percent(estimate.value)} ({percent(estimate.low)}-{percent(estimate.high)})"


def _line(fields: list[str]) -> str:
    return "| " + " | ".join(field.replace("|", "\\|") for field in fields) + " |"
