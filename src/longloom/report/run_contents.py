"""Everything a report shows, read from a run folder; what is missing is simply empty.

A whole run has an index that says which results belong to its settings; a training by hand has one
metrics.jsonl and its cells.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from longloom.errors import DataError, ModelError
from longloom.evaluation.cells import EvaluationCell, read_cell, read_cells
from longloom.merging.merge_report import REPORT_FILE_NAME, MergeReport, read_merge_report
from longloom.runlog import (
    INDEX_FILE,
    METRICS_FILE,
    ROLLOUTS_FILE,
    MetricRow,
    RunFolder,
    RunIndex,
    RunManifest,
    Status,
    read_index,
    read_manifest,
    read_metrics,
)

EVALUATION_FOLDER = "evaluation"
"""Where a run folder holds its evaluation cells."""

CHECKPOINTS = ("base", "stage-1", "stage-2", "stage-3", "memory", "merged", "final")
"""In the order in which they are shown where no index gives one."""
STAGE_SUITES = ("stage-1", "stage-2", "stage-3")
"""The suites of stages' lengths where no index names them."""


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
    merges: tuple[tuple[str, str, MergeReport], ...] = ()
    """Stages that merged: name, folder of the model below the run folder, and what was done."""
    index: RunIndex | None = None
    """What belongs to the run; None for a training by hand."""

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
        order: tuple[str, ...] = CHECKPOINTS
        if self.index is not None:
            order = ("base", *(stage.name for stage in self.index.stages))
        known = tuple(name for name in order if name in found)
        return known + tuple(sorted(found - set(known)))

    @property
    def stage_suites(self) -> tuple[str, ...]:
        """The suites of prompts of stages' lengths, named by the first stage of each length."""
        if self.index is None:
            return STAGE_SUITES
        suites = (cell.name.split("--")[1] for cell in self.index.cells)
        stages = {stage.name for stage in self.index.stages}
        return tuple(dict.fromkeys(suite for suite in suites if suite in stages)) or STAGE_SUITES

    @property
    def short_suite(self) -> str:
        """Questions at the first stage's prompt lengths."""
        return self.stage_suites[0]

    @property
    def missing(self) -> tuple[str, ...]:
        """What of the run is not there yet, one phrase each."""
        if self.index is None:
            return ()
        stages = [stage for stage in self.index.stages if stage.status is not Status.DONE]
        phrases = [
            f"stage {stage.name} (step {stage.step} of {stage.num_steps})"
            if stage.status is Status.PARTLY and stage.num_steps
            else f"stage {stage.name}"
            for stage in stages
        ]
        num_missing = sum(cell.status is not Status.DONE for cell in self.index.cells)
        if num_missing:
            phrases.append(f"{num_missing} of {len(self.index.cells)} evaluations")
        return tuple(phrases)

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
    _check_layout(folder, manifest)
    if (path / INDEX_FILE).exists():
        index = read_index(path)
        return RunContents(
            path=path,
            manifest=manifest,
            date=date,
            rows=_rows_of_stages(path, index),
            cells=tuple(
                read_cell(path / cell.place)
                for cell in index.cells
                if (path / cell.place).is_file()
            ),
            merges=tuple(_merges(path, index)),
            index=index,
        )
    rows: Sequence[MetricRow] = ()
    if folder.metrics_file.exists():
        rows = read_metrics(folder.metrics_file)
    return RunContents(
        path=path,
        manifest=manifest,
        date=date,
        rows=_one_row_per_step(rows),
        cells=read_cells(path / EVALUATION_FOLDER),
    )


def _merges(path: Path, index: RunIndex) -> Iterator[tuple[str, str, MergeReport]]:
    for stage in index.stages:
        model = f"{stage.place}/final"
        if (path / model / REPORT_FILE_NAME).is_file():
            # A report of an earlier version lacks what is drawn; the merge itself is sound.
            with suppress(ModelError):
                yield stage.name, model, read_merge_report(path / model)


def rollout_files(path: Path) -> tuple[tuple[Path, int], ...]:
    """Return the files of logged rollouts that are there, and how many steps come before each.

    Raises:
        DataError: the index is damaged.
    """
    if not (path / INDEX_FILE).exists():
        files = [(path / ROLLOUTS_FILE, 0)]
    else:
        index = read_index(path)
        files = [
            (path / stage.place / ROLLOUTS_FILE, index.steps_before(stage.name))
            for stage in index.stages
        ]
    return tuple((file, before) for file, before in files if file.is_file())


def _check_layout(folder: RunFolder, manifest: RunManifest | None) -> None:
    is_run = manifest is not None and "stages" in manifest.config
    if is_run and not (folder.path / INDEX_FILE).exists():
        raise DataError(
            f"{folder.path} is a run of an earlier Longloom: it has no {INDEX_FILE}; read it with "
            "the Longloom that wrote it, or run the recipe again"
        )


def _rows_of_stages(path: Path, index: RunIndex) -> tuple[MetricRow, ...]:
    """Return the rows of all stages, their steps counted over the run."""
    found: list[MetricRow] = []
    for stage in index.stages:
        file = path / stage.place / METRICS_FILE
        if file.is_file():
            before = index.steps_before(stage.name)
            found += [replace(row, step=row.step + before) for row in read_metrics(file)]
    return _one_row_per_step(found)


def _one_row_per_step(rows: Sequence[MetricRow]) -> tuple[MetricRow, ...]:
    by_step: dict[int, MetricRow] = {}
    for row in rows:
        if not row.stage:
            continue
        earlier = by_step.get(row.step)
        metrics = {**(earlier.metrics if earlier else {}), **row.metrics}
        by_step[row.step] = MetricRow(step=row.step, stage=row.stage, metrics=metrics)
    return tuple(by_step[step] for step in sorted(by_step))
