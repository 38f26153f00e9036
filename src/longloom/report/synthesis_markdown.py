"""The counts of a set of questions as Markdown, in the tables of its data card and two more."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from longloom.report.synthesis_contents import SynthesisContents, read_synthesis
from longloom.report.synthesis_tables import (
    Matrix,
    ability_matrix,
    depth_columns,
    genre_matrix,
    left_out,
    length_columns,
    refusals,
    task_name,
    task_order,
    task_shapes,
)

Counts = Sequence[tuple[str, int]]


def synthesis_markdown(folder: Path) -> str:
    """Return the counts of a folder of questions as Markdown, ending in a newline.

    Raises:
        DataError: a file is missing or damaged.
    """
    contents = read_synthesis(folder)
    tally = contents.tally
    blocks = [
        f"{tally.num_examples} questions on {len(tally.context_ids)} contexts of "
        f"{len(contents.documents)} documents; {tally.num_with_several} need more than one "
        f"document. Lengths are counted with: {_cell(contents.counted_with)}.",
        _block("Task types", "task", [(task, tally.tasks[task]) for task in task_order(contents)]),
        _matrix("Question categories by task", "category", ability_matrix(contents)),
        _matrix("Genres of the documents that answer, by task", "genre", genre_matrix(contents)),
        _block("Lengths of contexts", "tokens", length_columns(contents)),
        _block("Hops", "hops", _by_number(tally.hops.items())),
        _block("Documents needed", "documents", _by_number(tally.golds.items())),
        _block("Where evidence stands", "depth", depth_columns(contents)),
        _shapes(contents),
        _block("Licences of the documents shown", "licence", tally.licences.most_common()),
        _block("Sources of the documents shown", "source", tally.sources.most_common()),
        _block(
            "Documents and files left out",
            "reason",
            list(contents.counts("dropped_documents").items()),
        ),
        _matrix("Drafts refused", "reason", refusals(contents)),
        _matrix("Left out for balance", "reason", left_out(contents)),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _by_number(counts: Iterable[tuple[int, int]]) -> list[tuple[str, int]]:
    return [(str(number), count) for number, count in sorted(counts)]


def _block(title: str, column: str, counts: Counts) -> str:
    if not counts:
        return ""
    lines = [f"### {title}", "", _line([column, "number"]), "| --- | ---: |"]
    return "\n".join([*lines, *(_line([name, str(count)]) for name, count in counts)])


def _matrix(title: str, corner: str, matrix: Matrix) -> str:
    if not matrix.rows:
        return ""
    lines = [
        f"### {title}",
        "",
        _line([corner, *matrix.columns, "all"]),
        "| --- |" + " ---: |" * (len(matrix.columns) + 1),
    ]
    for row in matrix.rows:
        lines.append(_line([row.name, *map(str, row.counts), str(row.total)]))
    return "\n".join(lines)


def _shapes(contents: SynthesisContents) -> str:
    lines = [
        "### Program shapes",
        "",
        _line(["task", "questions", "shapes", "most frequent"]),
        "| --- | ---: | ---: | ---: |",
    ]
    for task in task_shapes(contents):
        largest = f"{task.most_frequent[0].fraction:.1%}"
        counts = [str(task.num_questions), str(task.num_shapes), largest]
        lines.append(_line([task_name(task.task), *counts]))
    return "\n".join(lines) if len(lines) > 4 else ""


def _line(cells: Iterable[str]) -> str:
    """Return a line of a table; names come from documents' sources and may hold anything."""
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    written = " ".join(text.split()) or "(none stated)"
    for character, shown in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|")):
        written = written.replace(character, shown)
    return written
