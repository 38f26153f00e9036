"""An evaluation beside what the papers report on the same benchmarks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from longloom.evaluation.published import PublishedFigure, published_figures
from longloom.report.evaluation_contents import EvaluationContents


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCell:
    """One figure."""

    percent: float
    """From 0 to 100."""
    note: int = 0
    """Number of its note; 0 for none."""
    model: str = ""
    """Whose it is, where a row mixes models."""
    is_best: bool = False
    """Whether no published figure of its column is larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRow:
    """One model."""

    model: str
    """Its name."""
    sources: str
    """The tables its figures come from."""
    cells: tuple[PublishedCell | None, ...]
    """One for each column."""
    role: str = ""
    """`own`, `recipe`, `base`, `best` or empty."""

    @property
    def mean(self) -> float | None:
        """Mean of the columns; None unless it has all of several."""
        figures = [cell.percent for cell in self.cells if cell is not None]
        return fmean(figures) if len(figures) == len(self.cells) > 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedTable:
    """Models under benchmarks."""

    columns: tuple[tuple[str, int], ...]
    """Titles, each with the number of a note that holds for the whole column."""
    rows: tuple[PublishedRow, ...]
    """This evaluation, the recipe's model, its base, the best of each column."""
    others: tuple[PublishedRow, ...]
    """All other models."""
    notes: tuple[str, ...]
    """What is said beside figures, from number 1."""


def published_table(contents: EvaluationContents) -> PublishedTable | None:
    """Return the papers' figures beside this evaluation's; None if they have none of them."""
    columns: list[tuple[str, str, tuple[PublishedFigure, ...]]] = []
    for one in contents.results.benchmarks:
        figures = tuple(figure for figure in published_figures(one.name) if not figure.part)
        columns.append((one.name, one.title, figures))
    if not any(figures for _, _, figures in columns):
        return None
    notes = _Notes()
    shared = [_shared_note(figures) for _, _, figures in columns]
    numbers = [notes.number(note) for note in shared]
    bests = [max((one.percent for one in own), default=0.0) for _, _, own in columns]
    rows = [
        _row(model, figures, len(columns), bests, shared, notes)
        for model, figures in _by_model([figures for _, _, figures in columns])
    ]
    titles = [title for _, title, _ in columns]
    leading = [row for role in ("recipe", "base") for row in rows if row.role == role]
    return PublishedTable(
        columns=tuple(zip(titles, numbers, strict=True)),
        rows=(*_own_rows(contents), *leading, _best_row([own for _, _, own in columns])),
        others=tuple(row for row in rows if not row.role),
        notes=tuple(notes.texts),
    )


def published_parts(
    benchmark: str, own: Mapping[str, float]
) -> tuple[tuple[str, ...], tuple[PublishedRow, ...]]:
    """Return what the papers report on parts of a benchmark: the parts, and a row for each model.

    Args:
        benchmark: its name.
        own: this evaluation's figures of any parts, from 0 to 1, by name.
    """
    figures = [figure for figure in published_figures(benchmark) if figure.part]
    parts = tuple(dict.fromkeys(figure.part for figure in figures))
    if not parts:
        return (), ()
    known = {name.lower(): value for name, value in own.items()}
    cells = tuple(
        PublishedCell(percent=100 * known[part.lower()]) if part.lower() in known else None
        for part in parts
    )
    rows = [PublishedRow(model="this evaluation (strict)", sources="", cells=cells, role="own")]
    by_model: dict[str, list[PublishedFigure]] = {}
    for figure in figures:
        by_model.setdefault(figure.model, []).append(figure)
    for model, found in by_model.items():
        percent_by_part = {figure.part: figure.percent for figure in found}
        rows.append(
            PublishedRow(
                model=model,
                sources=found[0].source,
                role=found[0].role,
                cells=tuple(
                    PublishedCell(percent=percent_by_part[part])
                    if part in percent_by_part
                    else None
                    for part in parts
                ),
            )
        )
    return parts, tuple(rows if any(cells) else rows[1:])


class _Notes:
    """Numbers notes, each text once."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def number(self, text: str) -> int:
        if not text:
            return 0
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


def _shared_note(figures: Sequence[PublishedFigure]) -> str:
    """Return the note of all figures of a column; empty if they differ."""
    found = {figure.note for figure in figures}
    return found.pop() if len(found) == 1 else ""


def _own_rows(contents: EvaluationContents) -> list[PublishedRow]:
    rows = []
    for mode in ("strict", "parity"):
        rows.append(
            PublishedRow(
                model=f"{contents.results.model} ({mode})",
                sources="this evaluation",
                role="own",
                cells=tuple(
                    PublishedCell(percent=100 * contents.summaries[one.name].headline[mode].value)
                    for one in contents.results.benchmarks
                ),
            )
        )
    return rows if rows[0].cells != rows[1].cells else rows[:1]


def _by_model(
    columns: Sequence[Sequence[PublishedFigure]],
) -> list[tuple[str, dict[int, PublishedFigure]]]:
    """Return the figures of each model by column; a second figure of a column is a further row."""
    rows: list[tuple[str, dict[int, PublishedFigure]]] = []
    for place, figures in enumerate(columns):
        for figure in figures:
            for model, found in rows:
                if model == figure.model and place not in found:
                    found[place] = figure
                    break
            else:
                rows.append((figure.model, {place: figure}))
    return rows


def _row(
    model: str,
    figures: Mapping[int, PublishedFigure],
    num_columns: int,
    bests: Sequence[float],
    shared: Sequence[str],
    notes: _Notes,
) -> PublishedRow:
    cells: list[PublishedCell | None] = [None] * num_columns
    for place, figure in figures.items():
        own_note = figure.note if figure.note != shared[place] else ""
        cells[place] = PublishedCell(
            percent=figure.percent,
            note=notes.number(own_note),
            is_best=figure.percent == bests[place],
        )
    return PublishedRow(
        model=model,
        sources="; ".join(dict.fromkeys(figure.source for figure in figures.values())),
        cells=tuple(cells),
        role=next(iter(figures.values())).role,
    )


def _best_row(columns: Sequence[Sequence[PublishedFigure]]) -> PublishedRow:
    cells: list[PublishedCell | None] = []
    for figures in columns:
        best = max(figures, key=lambda figure: figure.percent, default=None)
        cells.append(
            PublishedCell(percent=best.percent, model=best.model, is_best=True) if best else None
        )
    return PublishedRow(
        model="best published", sources="of each column", cells=tuple(cells), role="best"
    )
