"""Everything a report shows, read from a run folder; what is missing is simply empty."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from longloom.errors import DataError, ModelError
from longloom.evaluation.results import EvaluationCell, read_cells
from longloom.merging.merge_report import REPORT_FILE_NAME, MergeReport, read_merge_report
from longloom.runlog import MetricRow, RunFolder, RunManifest, read_manifest, read_metrics

EVALUATION_FOLDER = "evaluation"
"""Where a run folder holds its evaluation cells."""

CHECKPOINTS = ("base", "stage-1", "stage-2", "stage-3", "memory", "merged", "final")
"""In the order in which a run makes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSpan:
    """The steps of one stage."""

    stage: str
    """Its name."""
    first_step: int
    """First step, counted over the whole run."""
    last_step: int
    """Last step, counted over the whole run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContents:
    """A run folder as records."""

    path: Path
    """The folder."""
    manifest: RunManifest | None
    """run.yaml; None if there is none."""
    date: str
    """Day on which run.yaml was written (UTC), or empty."""
    rows: tuple[MetricRow, ...]
    """One row per step, in order."""
    cells: tuple[EvaluationCell, ...]
    """All evaluation cells."""
    merges: tuple[tuple[str, MergeReport], ...] = ()
    """Stages that merged, by name, with what they did."""

    def cell(self, checkpoint: str, suite: str, agent: str) -> EvaluationCell | None:
        """Return one cell that holds scores, or None."""
        for cell in self.cells:
            is_asked = (cell.checkpoint, cell.suite, cell.agent) == (checkpoint, suite, agent)
            if is_asked and cell.scores:
                return cell
        return None

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """The evaluated checkpoints: the known ones in order, then any others."""
        found = {cell.checkpoint for cell in self.cells if cell.scores}
        known = tuple(name for name in CHECKPOINTS if name in found)
        return known + tuple(sorted(found - set(known)))

    @property
    def stages(self) -> tuple[StageSpan, ...]:
        """The stages in the order in which they ran."""
        spans: list[StageSpan] = []
        for row in self.rows:
            first = row.step
            if spans and spans[-1].stage == row.stage:
                first = spans.pop().first_step
            spans.append(StageSpan(stage=row.stage, first_step=first, last_step=row.step))
        return tuple(spans)

    @property
    def training_seconds(self) -> float:
        """Sum of the steps' times."""
        return sum(row.metrics.get("training/step_seconds", 0.0) for row in self.rows)

    @property
    def evaluation_seconds(self) -> float:
        """Sum of the cells' times."""
        return sum(cell.seconds for cell in self.cells)


def read_run(path: Path) -> RunContents:
    """Return what lies in run folder `path`.

    Raises:
        DataError: the folder is missing, or a file in it is damaged.
    """
    if not path.is_dir():
        raise DataError(f"run folder {path} does not exist; pass the folder of a run")
    folder = RunFolder(path)
    manifest, date = None, ""
    if folder.run_file.exists():
        manifest = read_manifest(folder.run_file)
        date = datetime.fromtimestamp(folder.run_file.stat().st_mtime, UTC).date().isoformat()
    rows: Sequence[MetricRow] = ()
    if folder.metrics_file.exists():
        rows = read_metrics(folder.metrics_file)
    return RunContents(
        path=path,
        manifest=manifest,
        date=date,
        rows=_one_row_per_step(rows),
        cells=read_cells(path / EVALUATION_FOLDER),
        merges=tuple(_merges(folder)),
    )


def _merges(folder: RunFolder) -> Iterator[tuple[str, MergeReport]]:
    for path in sorted(folder.checkpoints_folder.glob(f"*/final/{REPORT_FILE_NAME}")):
        # A report of an earlier version lacks what is drawn; the merge itself is sound.
        with suppress(ModelError):
            yield path.parent.parent.name, read_merge_report(path.parent)


def _one_row_per_step(rows: Sequence[MetricRow]) -> tuple[MetricRow, ...]:
    by_step: dict[int, MetricRow] = {}
    for row in rows:
        if not row.stage:
            continue
        earlier = by_step.get(row.step)
        metrics = {**(earlier.metrics if earlier else {}), **row.metrics}
        by_step[row.step] = MetricRow(step=row.step, stage=row.stage, metrics=metrics)
    return tuple(by_step[step] for step in sorted(by_step))
