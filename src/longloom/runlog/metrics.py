"""Metrics by step: plain floats named `room/name_unit` in metrics.jsonl."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from longloom.errors import DataError
from longloom.runlog.closing import ClosesOnExit
from longloom.runlog.records import RecordSchema, RecordWriter, read_records

METRIC_SCHEMA = RecordSchema(name="longloom.metrics", version=1)
"""Lines are {step, stage, metrics: {name: value}}; values that JSON lacks are strings."""

_METRIC_NAME = re.compile(r"[a-z][a-z0-9_]*(/[a-z0-9_]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """The metrics of one call of `MetricLog.log`."""

    step: int
    """Counts within the stage whose file it is; the report counts on over the stages of a run."""
    stage: str
    """The stage that logged it; empty outside stages."""
    metrics: Mapping[str, float]
    """Value by `room/name_unit`."""


class MetricLog(ClosesOnExit):
    """Appends metrics to a file and forgets steps that a resumed run will repeat."""

    def __init__(self, path: Path) -> None:
        """Open or start the file.

        Raises:
            DataError: the file holds something else, or cannot be written.
        """
        self._writer = RecordWriter(path, schema=METRIC_SCHEMA)

    def log(self, step: int, metrics: Mapping[str, float], *, stage: str = "") -> None:
        """Write the metrics of a step; a step may be logged in several calls.

        Raises:
            DataError: a name is not of the form `room/name_unit`, or the disk is full.
        """
        for name in metrics:
            if not _METRIC_NAME.fullmatch(name):
                raise DataError(
                    f"metric name {name!r} is not of the form room/name_unit (lower case, digits "
                    "and '_')"
                )
        encoded = {name: _encode(float(value)) for name, value in metrics.items()}
        self._writer.append({"step": step, "stage": stage, "metrics": encoded})

    def sync(self) -> None:
        """Flush to the disk; call it before a checkpoint takes its final name."""
        self._writer.sync()

    def discard_after(self, step: int) -> int:
        """Drop later steps than `step`, atomically, and return the number of lines dropped."""
        return self._writer.discard_after(step)

    def close(self) -> None:
        """Flush to the disk and close."""
        self._writer.close()


def read_metrics(path: Path) -> tuple[MetricRow, ...]:
    """Return all rows of a metrics file in the order in which they were logged.

    Raises:
        DataError: the file is missing, damaged or not a metrics file.
    """
    rows = []
    for number, record in enumerate(read_records(path, schema=METRIC_SCHEMA).records, start=2):
        try:
            metrics = {name: float(value) for name, value in record["metrics"].items()}
            rows.append(MetricRow(step=record["step"], stage=record["stage"], metrics=metrics))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{path}, line {number} is not a metrics record: {error!r}") from None
    return tuple(rows)


def metric_series(
    rows: Sequence[MetricRow], name: str, *, stage: str | None = None
) -> tuple[tuple[int, float], ...]:
    """Return (step, value) of one metric, of one stage if given, in logged order."""
    return tuple(
        (row.step, row.metrics[name])
        for row in rows
        if name in row.metrics and (stage is None or row.stage == stage)
    )


def _encode(value: float) -> float | str:
    # JSON has no NaN or infinity; float() reads these strings back.
    return value if math.isfinite(value) else str(value)
