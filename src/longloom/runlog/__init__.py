"""What a run leaves on the disk, and how it survives being killed.

Flow: a `RunFolder` is locked by one process, `write_manifest` stores the resolved configuration,
`MetricLog` and `RecordWriter` append lines while the run goes on, and a resumed run calls
`discard_after(step)` with the step of its checkpoint. Everything that is not appended is written
atomically, so a final name never holds half a file.

No section of the paper: this is what makes its long runs repeatable.

Read `folder.py`, `records.py`, `manifest.py`.
"""

from longloom.runlog.atomic import (
    atomic_folder,
    atomic_path,
    atomic_write_bytes,
    atomic_write_text,
)
from longloom.runlog.folder import (
    METRICS_FILE,
    ROLLOUTS_FILE,
    RunFolder,
    config_hash,
    run_folder_name,
)
from longloom.runlog.manifest import RunManifest, describe_run, read_manifest, write_manifest
from longloom.runlog.metrics import MetricLog, MetricRow, metric_series, read_metrics
from longloom.runlog.records import (
    RecordLines,
    RecordSchema,
    RecordWriter,
    iterate_records,
    read_records,
)
from longloom.runlog.stage_index import (
    INDEX_FILE,
    IndexedNode,
    NodeKind,
    RunIndex,
    Status,
    read_index,
    write_index,
)

__all__ = [
    "INDEX_FILE",
    "METRICS_FILE",
    "ROLLOUTS_FILE",
    "IndexedNode",
    "MetricLog",
    "MetricRow",
    "NodeKind",
    "RecordLines",
    "RecordSchema",
    "RecordWriter",
    "RunFolder",
    "RunIndex",
    "RunManifest",
    "Status",
    "atomic_folder",
    "atomic_path",
    "atomic_write_bytes",
    "atomic_write_text",
    "config_hash",
    "describe_run",
    "iterate_records",
    "metric_series",
    "read_index",
    "read_manifest",
    "read_metrics",
    "read_records",
    "run_folder_name",
    "write_index",
    "write_manifest",
]
