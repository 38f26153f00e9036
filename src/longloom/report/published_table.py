"""An evaluation beside what the papers report on the same benchmarks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from longloom.evaluation.published import PublishedFigure, published_figures
from longloom.report.evaluation_contents import EvaluationContents


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCell:
    """One figure."""

    percent: float
    """From 0 to 100."""
    notes: tuple[int, ...] = ()
    """Numbers of its notes."""
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
    def num_figures(self) -> int:
        """Columns that it has a figure for."""
        return sum(cell is not None for cell in self.cells)

    @property
    def mean(self) -> float | None:
        """Mean of the columns; None unless it has all of several."""
        figures = [cell.percent for cell in self.cells if cell is not None]
        return fmean(figures) if len(figures) == len(self.cells) > 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedTable:
    """Models under benchmarks."""

    columns: tuple[tuple[str, tuple[int, ...]], ...]
    """Titles, each with the numbers of the notes that hold for the whole column."""
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
    shared = [_shared_notes(figures) for _, _, figures in columns]
    numbers = [notes.numbers(own) for own in shared]
    bests = [max((one.percent for one in own), default=0.0) for _, _, own in columns]
    rows = [
        _row(model, figures, len(columns), bests, shared, notes)
        for model, figures in _by_model([figures for _, _, figures in columns])
    ]
    titles = [title for _, title, _ in columns]
    leading = [row for role in ("recipe", "base") for row in _fullest(rows, role)]
    return PublishedTable(
        columns=tuple(zip(titles, numbers, strict=True)),
        rows=(*_own_rows(contents), *leading, _best_row([own for _, _, own in columns])),
        others=tuple(row for row in rows if row not in leading),
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


def _fullest(rows: Sequence[PublishedRow], role: str) -> list[PublishedRow]:
    """Return the rows of a role with the most figures: another paper's have one or two here."""
    own = [row for row in rows if row.role == role]
    most = max((row.num_figures for row in own), default=0)
    return [row for row in own if row.num_figures == most]


class _Notes:
    """Numbers notes, each text once."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def numbers(self, texts: Iterable[str]) -> tuple[int, ...]:
        found = []
        for text in texts:
            if text not in self.texts:
                self.texts.append(text)
            found.append(self.texts.index(text) + 1)
        return tuple(found)


def _shared_notes(figures: Sequence[PublishedFigure]) -> tuple[str, ...]:
    """Return the notes that all figures of a column have."""
    if not figures:
        return ()
    return tuple(note for note in figures[0].notes if all(note in one.notes for one in figures))


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
    shared: Sequence[tuple[str, ...]],
    notes: _Notes,
) -> PublishedRow:
    cells: list[PublishedCell | None] = [None] * num_columns
    for place, figure in figures.items():
        cells[place] = PublishedCell(
            percent=figure.percent,
            notes=notes.numbers(note for note in figure.notes if note not in shared[place]),
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
