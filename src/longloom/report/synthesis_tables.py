"""The counts of a set of questions as records, before they become charts, HTML or Markdown."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from longloom.records import TaskType
from longloom.report.program_drawing import Line, draw_shape
from longloom.report.refusal_words import REFUSAL_WORDS
from longloom.report.synthesis_contents import NUM_DEPTHS, SynthesisContents
from longloom.report.tables import TASK_NAMES, TASKS

_MAX_LENGTHS = 16
"""Rows of the map of evidence, and columns of the chart of lengths."""
_TOP_SHAPES = 5
"""Program shapes that are drawn for each task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRow:
    """Counts of one thing under named columns."""

    name: str
    """What is counted."""
    counts: tuple[int, ...]
    """One per column."""
    note: str = ""
    """A sentence about it."""

    @property
    def total(self) -> int:
        """Sum of the counts."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Counts under named columns and rows."""

    columns: tuple[str, ...]
    """Headings."""
    rows: tuple[MatrixRow, ...]
    """Rows, empty if there is nothing to show."""

    @property
    def largest(self) -> int:
        """The largest count."""
        return max((count for row in self.rows for count in row.counts), default=0)

    @property
    def totals(self) -> tuple[int, ...]:
        """Sums of the columns."""
        return tuple(map(sum, zip(*(row.counts for row in self.rows), strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A program without its constants."""

    num_questions: int
    """How many questions have it."""
    fraction: float
    """Their share of the questions of the task."""
    lines: tuple[Line, ...]
    """The shape, drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskShapes:
    """The program shapes of one task."""

    task: str
    """Task type."""
    num_questions: int
    """Questions of the task."""
    num_shapes: int
    """Different shapes."""
    once_fraction: float
    """Share of its questions whose shape no other has."""
    most_frequent: tuple[Shape, ...]
    """The most frequent first; never empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Documents of one source."""

    name: str
    """First part of their source."""
    licences: tuple[str, ...]
    """Their licences."""
    genres: tuple[str, ...]
    """What they are."""
    num_documents: int
    """How many were kept."""
    num_tokens: float
    """Tokens of them all."""
    num_gold: int
    """How often one of them was needed by a question."""


def task_name(task: str) -> str:
    """Return how a task is called, or its own name if it is unknown."""
    return TASK_NAMES[TaskType(task)] if task in set(TaskType) else task


def words(name: str) -> str:
    """Return a name with blanks instead of underscores."""
    return name.replace("_", " ")


def task_order(contents: SynthesisContents) -> list[str]:
    """Return the tasks that have questions, known ones in their order."""
    known = [str(task) for task in TASKS if task in contents.tally.tasks]
    return known + sorted(set(contents.tally.tasks) - set(known))


def ability_matrix(contents: SynthesisContents) -> Matrix:
    """Return questions by category and task."""
    return _by_task(contents.tally.abilities, task_order(contents))


def genre_matrix(contents: SynthesisContents) -> Matrix:
    """Return questions by genre of the documents that answer, and task."""
    return _by_task(contents.tally.genres, task_order(contents))


def _by_task(counts: Mapping[tuple[str, str], int], tasks: Sequence[str]) -> Matrix:
    names = dict.fromkeys(name for name, _ in counts)
    rows = [
        MatrixRow(
            name=words(name) or "(none stated)",
            counts=tuple(counts.get((name, task), 0) for task in tasks),
        )
        for name in names
    ]
    rows.sort(key=lambda row: (-row.total, row.name))
    return Matrix(columns=tuple(map(task_name, tasks)), rows=tuple(rows))


def length_step(contents: SynthesisContents) -> int:
    """Return thousands of tokens a class of lengths spans: 1, 2, 4, 8, ..."""
    step = 1
    while max(contents.tally.lengths, default=0) // step >= _MAX_LENGTHS:
        step *= 2
    return step


def length_columns(contents: SynthesisContents) -> tuple[tuple[str, int], ...]:
    """Return questions by length of their context, without gaps."""
    step = length_step(contents)
    counts: Counter[int] = Counter()
    for kilotokens, count in contents.tally.lengths.items():
        counts[kilotokens // step] += count
    if not counts:
        return ()
    return tuple(
        (f"{place * step}-{place * step + step}K", counts[place])
        for place in range(max(counts) + 1)
    )


def depth_columns(contents: SynthesisContents) -> tuple[tuple[str, int], ...]:
    """Return pieces of evidence by tenth of the context."""
    counts: Counter[int] = Counter()
    for (_, tenth), count in contents.tally.depths.items():
        counts[tenth] += count
    return tuple((f"{place * 10}%", counts[place]) for place in range(NUM_DEPTHS) if counts)


def number_columns(counts: Mapping[int, int]) -> tuple[tuple[str, int], ...]:
    """Return counts of whole numbers from the smallest to the largest; many end in `8+`."""
    if not counts:
        return ()
    last = min(max(counts), 8)
    columns = [(str(number), counts.get(number, 0)) for number in range(min(counts), last)]
    rest = sum(count for number, count in counts.items() if number >= last)
    return (*columns, (f"{last}+" if max(counts) > last else str(last), rest))


def evidence_map(contents: SynthesisContents) -> Matrix:
    """Return pieces of evidence by length of the context and depth, longest last."""
    step = length_step(contents)
    counts: Counter[tuple[int, int]] = Counter()
    for (kilotokens, tenth), count in contents.tally.depths.items():
        counts[kilotokens // step, tenth] += count
    rows = [
        MatrixRow(
            name=f"{place * step}-{place * step + step}K",
            counts=tuple(counts[place, tenth] for tenth in range(NUM_DEPTHS)),
        )
        for place in sorted({place for place, _ in counts})
    ]
    columns = tuple(f"{tenth * 10}%" for tenth in range(NUM_DEPTHS))
    return Matrix(columns=columns, rows=tuple(rows))


def task_shapes(contents: SynthesisContents) -> list[TaskShapes]:
    """Return the program shapes of every task."""
    found = []
    for task in task_order(contents):
        counts = contents.tally.shapes[task]
        total = counts.total()
        top = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:_TOP_SHAPES]
        found.append(
            TaskShapes(
                task=task,
                num_questions=total,
                num_shapes=len(counts),
                once_fraction=sum(count == 1 for count in counts.values()) / total,
                most_frequent=tuple(
                    Shape(
                        num_questions=count,
                        fraction=count / total,
                        lines=tuple(draw_shape(shape)),
                    )
                    for shape, count in top
                ),
            )
        )
    return found


def collections(contents: SynthesisContents) -> list[Collection]:
    """Return the sources of the documents, largest first."""
    by_name: dict[str, list[str]] = {}
    for doc_id, document in contents.documents.items():
        by_name.setdefault(document.collection, []).append(doc_id)
    found = []
    for name, doc_ids in by_name.items():
        documents = [contents.documents[doc_id] for doc_id in doc_ids]
        found.append(
            Collection(
                name=name,
                licences=_distinct(document.licence for document in documents),
                genres=_distinct(document.genre for document in documents),
                num_documents=len(documents),
                num_tokens=math.fsum(document.num_tokens for document in documents),
                num_gold=sum(contents.tally.gold_documents[doc_id] for doc_id in doc_ids),
            )
        )
    return sorted(found, key=lambda collection: (-collection.num_gold, collection.name))


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name for name in names if name}))


def refusals(contents: SynthesisContents) -> Matrix:
    """Return drafts refused, by reason and task, most frequent first."""
    return _reasons(contents, "refused")


def left_out(contents: SynthesisContents) -> Matrix:
    """Return checked questions that the balance left out, by reason and task."""
    return _reasons(contents, "left_out")


def _reasons(contents: SynthesisContents, key: str) -> Matrix:
    tasks = task_order(contents)
    counts: dict[str, Counter[str]] = {}
    for name, count in contents.counts(key).items():
        task, _, reason = name.partition("/")
        counts.setdefault(reason, Counter())[task] += count
        tasks += [task] if task not in tasks else []
    rows = [
        MatrixRow(
            name=words(reason),
            counts=tuple(by_task[task] for task in tasks),
            note=REFUSAL_WORDS.get(reason, ""),
        )
        for reason, by_task in counts.items()
    ]
    rows.sort(key=lambda row: (-row.total, row.name))
    return Matrix(columns=tuple(map(task_name, tasks)), rows=tuple(rows))
