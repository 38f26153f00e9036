"""stages.json: what a run consists of, where each part lies and how far it is.

A run folder keeps results of several settings side by side, each part under its name and a key.
This file says which of them belong to the settings of run.yaml: the report and the live view read
it and look nowhere else.
"""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from longloom.errors import DataError
from longloom.runlog.atomic import atomic_write_text

INDEX_FILE = "stages.json"
"""In a run folder."""
INDEX_SCHEMA = {"schema": "longloom.stages", "version": 1}


class NodeKind(StrEnum):
    """What a part of a run is; also the folder of the run folder in which it lies."""

    EXAMPLES = "synthesis"
    STAGE = "checkpoints"
    CELL = "evaluation"


class Status(StrEnum):
    """How far a part is."""

    DONE = "done"
    PARTLY = "partly"
    TO_DO = "to do"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedNode:
    """One part of a run."""

    kind: NodeKind
    """A set of examples, a stage or an evaluation cell."""
    name: str
    """`questions`, `stage-1`, `base--stage-1--single_pass`."""
    key: str
    """Digest of what decides its content."""
    place: str
    """Where it lies, below the run folder: a folder, or the file of a cell."""
    status: Status
    """How far it is."""
    is_wanted: bool
    """False if the last call was told to leave it out."""
    needs: tuple[str, ...] = ()
    """Names of the stages that a stage starts from, `base` included; of a cell its checkpoint."""
    stage_kind: str = ""
    """Of a stage: full_context, memory, merge or sft."""
    step: int = 0
    """Of a stage that trains: steps whose checkpoint is on the disk."""
    num_steps: int = 0
    """Of a stage that trains: all its steps; 0 where its rows have not been counted yet."""
    finished: str = ""
    """When it was done, UTC; empty if it is not."""
    seconds: float = 0.0
    """Wall time spent on it, by all calls together."""
    cpu_seconds: float = 0.0
    """CPU time of the training process spent on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunIndex:
    """All parts of a run, in the order in which they are computed."""

    recipe: str
    """Name of the recipe."""
    part: str
    """What the last call was told to compute, as its options; empty: everything."""
    nodes: tuple[IndexedNode, ...]
    """Its parts."""

    @property
    def stages(self) -> tuple[IndexedNode, ...]:
        """The stages in the order in which they run."""
        return tuple(node for node in self.nodes if node.kind is NodeKind.STAGE)

    @property
    def cells(self) -> tuple[IndexedNode, ...]:
        """The evaluation cells."""
        return tuple(node for node in self.nodes if node.kind is NodeKind.CELL)

    def steps_before(self, name: str) -> int:
        """Return the steps of all stages that run before the one called `name`."""
        total = 0
        for stage in self.stages:
            if stage.name == name:
                break
            total += stage.num_steps
        return total


def write_index(folder: Path, index: RunIndex) -> None:
    """Write stages.json into a run folder, atomically.

    Raises:
        DataError: it cannot be written.
    """
    content = {**INDEX_SCHEMA, **asdict(index)}
    atomic_write_text(folder / INDEX_FILE, json.dumps(content, indent=1) + "\n")


def read_index(folder: Path) -> RunIndex:
    """Return what `write_index` wrote.

    Raises:
        DataError: the file is missing, damaged or of another version.
    """
    path = folder / INDEX_FILE
    try:
        content = json.loads(path.read_text("utf-8"))
        if {name: content[name] for name in INDEX_SCHEMA} != INDEX_SCHEMA:
            raise ValueError(f"expected {INDEX_SCHEMA}")
        return RunIndex(
            recipe=str(content["recipe"]),
            part=str(content["part"]),
            nodes=tuple(_node(entry) for entry in content["nodes"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} cannot be read ({error!r}); the command that made the run writes it again"
        ) from None


def _node(entry: dict[str, Any]) -> IndexedNode:
    place = Path(str(entry["place"]))
    if place.is_absolute() or ".." in place.parts:
        raise ValueError(f"place is {str(place)!r}; expected a path below the run folder")
    return IndexedNode(
        kind=NodeKind(entry["kind"]),
        name=str(entry["name"]),
        key=str(entry["key"]),
        place=str(place),
        status=Status(entry["status"]),
        is_wanted=bool(entry["is_wanted"]),
        needs=tuple(str(name) for name in entry["needs"]),
        stage_kind=str(entry["stage_kind"]),
        step=int(entry["step"]),
        num_steps=int(entry["num_steps"]),
        finished=str(entry["finished"]),
        seconds=float(entry["seconds"]),
        cpu_seconds=float(entry["cpu_seconds"]),
    )
