"""Read what a run folder says of a run at this moment."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from longloom.errors import ConfigError, DataError
from longloom.evaluation.cells import read_cell
from longloom.runlog import (
    INDEX_FILE,
    METRICS_FILE,
    IndexedNode,
    MetricRow,
    NodeKind,
    RunIndex,
    Status,
    read_index,
    read_metrics,
    read_records,
)
from longloom.runlog.events import ACTIVITY_FILE, EVENTS_FILE, EVENTS_SCHEMA

RUNS_FOLDER = Path("runs")
_NUM_MESSAGES = 6
_ALIVE_SECONDS = 120.0
"""A process that has written nothing for so long may be gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveStage:
    """A stage with the figures of its steps."""

    node: IndexedNode
    """What the index says of it."""
    rows: tuple[MetricRow, ...]
    """Its steps so far."""

    @property
    def step(self) -> int:
        """Steps taken, those whose checkpoint is still being written included."""
        if self.node.status is Status.DONE:
            return self.node.num_steps
        return max((row.step for row in self.rows), default=self.node.step)

    def series(self, metric: str) -> list[float]:
        """Return the values of a metric in the order of the steps."""
        return [row.metrics[metric] for row in self.rows if metric in row.metrics]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCell:
    """A finished evaluation cell."""

    checkpoint: str
    """Its checkpoint."""
    suite: str
    """Its questions."""
    agent: str
    """Who answered."""
    mean_reward: float
    """What the answers scored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveView:
    """A run at one moment."""

    folder: Path
    """Its folder."""
    index: RunIndex | None
    """Its parts; None before they are written."""
    stages: tuple[LiveStage, ...]
    """Its stages in the order in which they run."""
    cells: tuple[LiveCell, ...]
    """Evaluation cells, the latest last."""
    messages: tuple[str, ...]
    """The last lines that the run told."""
    activity: str
    """What its process was doing when it last wrote."""
    silent_seconds: float | None
    """Since anything was last written; None if nothing was."""

    @property
    def is_finished(self) -> bool:
        """Whether everything that the last call was told to compute is there."""
        if self.index is None:
            return False
        return all(node.status is Status.DONE for node in self.index.nodes if node.is_wanted)

    @property
    def is_alive(self) -> bool:
        """Whether a process seems to work on it."""
        return bool(self.activity) and (self.silent_seconds or 0.0) < _ALIVE_SECONDS

    @property
    def current(self) -> LiveStage | None:
        """The stage that is under way: the last one with steps that is not done, or the last."""
        begun = [stage for stage in self.stages if stage.rows]
        open_stages = [stage for stage in begun if stage.node.status is not Status.DONE]
        return next(iter([*open_stages[-1:], *begun[-1:]]), None)


def latest_run(root: Path = RUNS_FOLDER) -> Path:
    """Return the run folder below `root` that was written last.

    Raises:
        ConfigError: there is none.
    """
    found = [path.parent for path in root.glob(f"*/{INDEX_FILE}")]
    if not found:
        raise ConfigError(
            f"no run lies in {root}; expected a folder with {INDEX_FILE}; name the run folder, or "
            "start a run first"
        )
    return max(found, key=_last_written)


def read_view(folder: Path) -> LiveView:
    """Return what a run folder says at this moment; what cannot be read is left out.

    Raises:
        ConfigError: it is a file.
    """
    if folder.is_file():
        raise ConfigError(f"{folder} is a file; expected a run folder")
    try:
        index: RunIndex | None = read_index(folder)
    except DataError:
        index = None
    stages = tuple(_stage(folder, node) for node in index.stages) if index else ()
    cells = _cells(folder, index) if index else ()
    if index is not None:
        index = replace(index, nodes=_as_of_now(index, folder, stages))
    written = _last_written(folder)
    return LiveView(
        folder=folder,
        index=index,
        stages=stages,
        cells=cells,
        messages=_messages(folder),
        activity=_activity(folder),
        silent_seconds=max(0.0, time.time() - written) if written else None,
    )


def _as_of_now(
    index: RunIndex, folder: Path, stages: Sequence[LiveStage]
) -> tuple[IndexedNode, ...]:
    """Return the parts with what has been done since the index was written."""
    steps = {stage.node.name: stage.step for stage in stages if stage.rows}
    nodes = []
    for node in index.nodes:
        if node.status is not Status.DONE and node.kind is NodeKind.STAGE and node.name in steps:
            node = replace(node, status=Status.PARTLY, step=steps[node.name])
        elif node.kind is NodeKind.CELL and (folder / node.place).is_file():
            node = replace(node, status=Status.DONE)
        nodes.append(node)
    return tuple(nodes)


def _stage(folder: Path, node: IndexedNode) -> LiveStage:
    rows: tuple[MetricRow, ...] = ()
    if node.stage_kind != "merge":
        try:
            rows = read_metrics(folder / node.place / METRICS_FILE)
        except DataError:  # not there yet, or just being replaced
            rows = ()
    return LiveStage(node=node, rows=rows)


def _cells(folder: Path, index: RunIndex) -> tuple[LiveCell, ...]:
    found = []
    for node in index.cells:
        path = folder / node.place
        try:
            moment = path.stat().st_mtime_ns
            mean = _mean_reward(path, moment)
        except (OSError, DataError):
            continue
        checkpoint, suite, agent = node.name.split("--")
        found.append((moment, checkpoint, suite, agent, mean))
    return tuple(
        LiveCell(checkpoint=checkpoint, suite=suite, agent=agent, mean_reward=mean)
        for _, checkpoint, suite, agent, mean in sorted(found)
    )


@lru_cache(maxsize=4_096)
def _mean_reward(path: Path, written_ns: int) -> float:
    """Return the mean reward of a cell; its file is read again only if it was written again."""
    rewards = [reward for score in read_cell(path).scores for reward in score.rewards]
    return sum(rewards) / max(1, len(rewards))


def _messages(folder: Path) -> tuple[str, ...]:
    try:
        records = read_records(folder / EVENTS_FILE, schema=EVENTS_SCHEMA).records
    except DataError:
        return ()
    told = [record for record in records if record.get("kind") in ("message", "cell")]
    return tuple(
        f"{str(record.get('time', ''))[11:19]}  {record.get('text', '')}"
        for record in told[-_NUM_MESSAGES:]
    )


def _activity(folder: Path) -> str:
    try:
        written = json.loads((folder / ACTIVITY_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    if not isinstance(written, Mapping):
        return ""
    counts = f"{written.get('num_done', '')}/{written.get('num_total', '')}"
    return f"{written.get('description', '')} {counts}".strip()


def _last_written(folder: Path) -> float:
    """Return when a file of a run was last written, in seconds; 0 if none was."""
    paths = [folder / name for name in (INDEX_FILE, ACTIVITY_FILE, EVENTS_FILE)]
    paths += folder.glob(f"checkpoints/*/{METRICS_FILE}")
    moments = [0.0]
    for path in paths:
        try:
            moments.append(path.stat().st_mtime)
        except OSError:
            continue
    return max(moments)
