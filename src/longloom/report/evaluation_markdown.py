"""The figures of an evaluation as a Markdown table."""

from pathlib import Path

from longloom.report.estimates import percent, signed_points
from longloom.report.evaluation_contents import read_evaluation
from longloom.report.evaluation_tables import average, headline_rows
from longloom.report.published_table import PublishedRow, PublishedTable, published_table


def evaluation_markdown(folder: Path) -> str:
    """Return the headline table of an evaluation, and the papers' figures below it.

    Raises:
        DataError: the evaluation is not finished, or a file is damaged.
    """
    contents = read_evaluation(folder)
    lines = [
        f"`{_plain(contents.results.model)}`, {_plain(contents.results.suite)}, asked by "
        f"{_plain(contents.results.agent)}; percent, with 95% intervals over questions.",
        "",
        "| benchmark | questions | strict | parity | strict - parity | failures | cut |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in headline_rows(contents):
        bound = " (lower bound: no judge)" if row.benchmark.is_lower_bound else ""
        lines.append(
            f"| {_plain(row.benchmark.title)}{bound} | {len(row.benchmark.questions)} "
            f"| {percent(row.strict.value)} ({percent(row.strict.low)} to "
            f"{percent(row.strict.high)}) | {percent(row.parity.value)} "
            f"| {signed_points(row.strict.value - row.parity.value)} | {row.num_failed} "
            f"| {row.summary.num_cut_answers} |"
        )
    mean = average(contents)
    if mean:
        strict, parity = mean.by_mode["strict"], mean.by_mode["parity"]
        lines.append(
            f"| mean of {mean.num_benchmarks} | {strict.num_questions} | {percent(strict.value)} "
            f"({percent(strict.low)} to {percent(strict.high)}) | {percent(parity.value)} "
            f"| {signed_points(strict.value - parity.value)} | | |"
        )
    table = published_table(contents)
    if table:
        lines += ["", *_published(table)]
    return "\n".join(lines) + "\n"


def _published(table: PublishedTable) -> list[str]:
    titles = [_plain(title) for title, _ in table.columns]
    return [
        f"| model | {' | '.join(titles)} |",
        f"| --- |{' --- |' * len(titles)}",
        *(_published_row(row) for row in table.rows),
    ]


def _published_row(row: PublishedRow) -> str:
    cells = ["-" if cell is None else f"{cell.percent:.2f}" for cell in row.cells]
    return f"| {_plain(row.model)} | {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Return a name without what would end a cell of the table."""
    return " ".join(text.replace("|", "/").split())
