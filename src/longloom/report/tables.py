"""The tables of a report as records, before they become HTML or Markdown.

The main table has the shape of QwenLong-L1.5, Table 10: one row per checkpoint, the tasks at the
first stage's lengths, the means at all stages' lengths, and the memory agent beyond the window.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from longloom.evaluation.cells import AgentName
from longloom.evaluation.statistics import Estimate
from longloom.records import TaskType
from longloom.report.estimates import accuracy, difference
from longloom.report.run_contents import RunContents

TASKS = (
    TaskType.MULTIPLE_CHOICE,
    TaskType.MULTI_HOP,
    TaskType.READING_COMPREHENSION,
    TaskType.DIALOGUE_MEMORY,
    TaskType.NUMERICAL,
)
"""In the order in which tables and legends list them."""

TASK_NAMES = {
    TaskType.MULTIPLE_CHOICE: "Multiple choice",
    TaskType.MULTI_HOP: "Multi-hop",
    TaskType.READING_COMPREHENSION: "Reading",
    TaskType.DIALOGUE_MEMORY: "Dialogue",
    TaskType.NUMERICAL: "Numerical",
}

WINDOW_SUITES = ("windows-2", "windows-4", "windows-8")
LONG_SUITES = ("windows-4", "windows-8")
"""Documents far beyond the window, whose figures open a report."""
LONG_CHECKPOINTS = ("base", "stage-3", "memory", "merged", "final")
"""Checkpoints evaluated on long documents."""
LONG_AGENTS: tuple[tuple[AgentName, str], ...] = (
    ("memory", "Memory agent"),
    ("truncated", "Middle cut out"),
    ("closed_book", "No document"),
)
NUM_TRIES = 8
"""k of pass@k beside pass@1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCell:
    """One figure."""

    estimate: Estimate | None
    """None where nothing was evaluated."""
    is_best: bool = False
    """Whether it is the largest of its column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One row of figures."""

    name: str
    """What the row is about."""
    cells: tuple[TableCell, ...]
    """One per column."""
    note: str = ""
    """Second part of the name: an agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Figures under named columns; empty `rows` means that there is nothing to show."""

    groups: tuple[tuple[str, int], ...]
    """Headings over columns, each with the number of columns it spans."""
    columns: tuple[str, ...]
    """Headings of the columns."""
    rows: tuple[TableRow, ...]
    """The rows that have at least one figure."""
    is_difference: bool = False
    """Whether figures are differences in percentage points."""


def trained_checkpoint(run: RunContents) -> str:
    """Return the last full-context stage that was evaluated, or an empty string."""
    for name in reversed(run.stage_suites):
        if run.cell(name, run.short_suite, "single_pass"):
            return name
    return ""


def in_windows(suite: str) -> str:
    """Return the length of the documents of a suite, such as `8 windows`."""
    return f"{suite.removeprefix('windows-')} windows"


def suite_title(suite: str) -> str:
    """Return the name of a suite as a heading, such as `Stage 1`."""
    return suite.replace("-", " ").capitalize()


def main_table(run: RunContents) -> Table:
    """Return accuracy by checkpoint: tasks, means by length, memory agent."""
    rows = []
    for checkpoint in run.checkpoints:
        short = run.cell(checkpoint, run.short_suite, "single_pass")
        figures = [accuracy(short, task=task) for task in TASKS]
        figures += [
            accuracy(run.cell(checkpoint, suite, "single_pass")) for suite in run.stage_suites
        ]
        figures += [accuracy(run.cell(checkpoint, suite, "memory")) for suite in LONG_SUITES]
        rows.append((checkpoint, "", figures))
    return _table(
        groups=(
            (f"Tasks at {run.short_suite} lengths", len(TASKS)),
            ("Mean by prompt length", len(run.stage_suites)),
            ("Memory agent", len(LONG_SUITES)),
        ),
        columns=(
            *(TASK_NAMES[task] for task in TASKS),
            *map(suite_title, run.stage_suites),
            *(in_windows(suite) for suite in LONG_SUITES),
        ),
        rows=rows,
    )


def pass_table(run: RunContents) -> Table:
    """Return pass@1 and pass@8 per task at stage-1 lengths, before and after."""
    names = [name for name in ("base", trained_checkpoint(run), "final") if name]
    cells = {name: run.cell(name, run.short_suite, "single_pass") for name in names}
    compared = [name for name in dict.fromkeys(names) if cells[name]]
    rows = []
    for task, title in _tasks_and_mean():
        figures = [
            accuracy(cells[name], task=task, k=k) for name in compared for k in (1, NUM_TRIES)
        ]
        rows.append((title, "", figures))
    return _table(
        groups=tuple((name, 2) for name in compared),
        columns=("pass@1", f"pass@{NUM_TRIES}") * len(compared),
        rows=rows,
        marks_best=False,
    )


def difference_table(run: RunContents) -> Table:
    """Return the paired differences to the base at every stage's lengths, per task."""
    trained = trained_checkpoint(run)
    rows = []
    for task, title in _tasks_and_mean():
        figures = [
            difference(
                run.cell("base", suite, "single_pass"),
                run.cell(trained, suite, "single_pass"),
                task=task,
            )
            for suite in run.stage_suites
        ]
        rows.append((title, "", figures))
    return _table(
        groups=((f"{trained} minus base", len(run.stage_suites)),),
        columns=tuple(map(suite_title, run.stage_suites)),
        rows=rows,
        marks_best=False,
        is_difference=True,
    )


def long_table(run: RunContents) -> Table:
    """Return accuracy against document length, by agent and checkpoint."""
    names = [name for name in run.checkpoints if name in LONG_CHECKPOINTS]
    rows = []
    for name in names:
        figures = [
            accuracy(run.cell(name, suite, agent))
            for agent, _ in LONG_AGENTS
            for suite in WINDOW_SUITES
        ]
        rows.append((name, "", figures))
    return _table(
        groups=tuple((title, len(WINDOW_SUITES)) for _, title in LONG_AGENTS),
        columns=tuple(in_windows(suite) for suite in WINDOW_SUITES) * len(LONG_AGENTS),
        rows=rows,
    )


def other_table(run: RunContents) -> Table:
    """Return the cells that no other table shows, so that nothing evaluated is left unsaid."""
    shown = {(name, suite, "single_pass") for name in run.checkpoints for suite in run.stage_suites}
    shown |= {
        (name, suite, agent)
        for name in LONG_CHECKPOINTS
        for suite in WINDOW_SUITES
        for agent, _ in LONG_AGENTS
    }
    shown |= {(name, suite, "memory") for name in run.checkpoints for suite in LONG_SUITES}
    rows = [
        (cell.checkpoint, f"{cell.suite}, {cell.agent.replace('_', ' ')}", [accuracy(cell)])
        for cell in run.cells
        if cell.scores and (cell.checkpoint, cell.suite, cell.agent) not in shown
    ]
    return _table(groups=(("", 1),), columns=("Accuracy",), rows=rows, marks_best=False)


def _tasks_and_mean() -> list[tuple[str, str]]:
    return [*((str(task), TASK_NAMES[task]) for task in TASKS), ("", "All questions")]


def _table(
    *,
    groups: tuple[tuple[str, int], ...],
    columns: tuple[str, ...],
    rows: Sequence[tuple[str, str, Sequence[Estimate | None]]],
    marks_best: bool = True,
    is_difference: bool = False,
) -> Table:
    best: list[float | None] = []
    for position in range(len(columns)):
        found = [figures[position] for _, _, figures in rows]
        values = [estimate.value for estimate in found if estimate]
        best.append(max(values) if marks_best and len(values) > 1 else None)
    table_rows = tuple(
        TableRow(
            name=name,
            note=note,
            cells=tuple(
                TableCell(
                    estimate=estimate,
                    is_best=estimate is not None and estimate.value == best[position],
                )
                for position, estimate in enumerate(figures)
            ),
        )
        for name, note, figures in rows
        if any(figures)
    )
    return Table(groups=groups, columns=columns, rows=table_rows, is_difference=is_difference)
