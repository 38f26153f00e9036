import math
from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.runlog import MetricLog, RecordSchema, RecordWriter, metric_series, read_metrics


def test_metrics_come_back_by_step_and_stage(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with MetricLog(path) as log:
        log.log(1, {"training/entropy_nats": 0.5, "reward/mean": 1}, stage="stage_1")
        log.log(1, {"evaluation/stage_1/pass_at_1": 0.25})
        log.log(2, {"training/entropy_nats": 0.25}, stage="stage_2")
    rows = read_metrics(path)
    assert [(row.step, row.stage) for row in rows] == [(1, "stage_1"), (1, ""), (2, "stage_2")]
    assert rows[0].metrics == {"training/entropy_nats": 0.5, "reward/mean": 1.0}
    assert metric_series(rows, "training/entropy_nats") == ((1, 0.5), (2, 0.25))
    assert metric_series(rows, "training/entropy_nats", stage="stage_2") == ((2, 0.25),)


def test_values_that_json_lacks_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with MetricLog(path) as log:
        log.log(0, {"a/nan": math.nan, "a/high": math.inf, "a/low": -math.inf})
    metrics = read_metrics(path)[0].metrics
    assert math.isnan(metrics["a/nan"])
    assert (metrics["a/high"], metrics["a/low"]) == (math.inf, -math.inf)


def test_resumed_log_holds_every_step_once(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    for first_step in (1, 3):
        with MetricLog(path) as log:
            log.discard_after(first_step - 1)
            for step in range(first_step, 6):
                log.log(step, {"reward/mean": float(step)})
    assert [row.step for row in read_metrics(path)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", ["entropy", "Training/entropy", "training/", "a/b c"])
def test_name_of_another_form_is_refused(tmp_path: Path, name: str) -> None:
    with (
        MetricLog(tmp_path / "metrics.jsonl") as log,
        pytest.raises(DataError, match="is not of the form room/name_unit"),
    ):
        log.log(1, {name: 1.0})


def test_record_without_metrics_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    schema = RecordSchema(name="longloom.metrics", version=1)
    with RecordWriter(path, schema=schema) as writer:
        writer.append({"step": 1})
    with pytest.raises(DataError, match="line 2 is not a metrics record"):
        read_metrics(path)
