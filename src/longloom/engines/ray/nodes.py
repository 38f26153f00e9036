"""Check once, before the first task, that every node sees what synthesis reads and writes.

Without it a node that lacks the documents would drop them as unreadable, one that lacks the output
folder would write shards nobody finds, and another version of Longloom would make other files.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longloom import __version__
from longloom.engines.ray.cluster import load_ray
from longloom.errors import EngineError

_MOST_FILES = 100
"""Files of the documents that every node looks at, spread evenly."""
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFile:
    """A file or folder that every node must see."""

    path: str
    """Absolute path."""
    num_bytes: int = -1
    """Its size; -1 where it is not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """What one node sees."""

    version: str
    """Its Longloom."""
    sees_output: bool
    """Whether it sees the file the caller wrote into the output folder."""
    write_problem: str
    """Why it cannot write there; empty if it can."""
    missing: tuple[str, ...]
    """Files that it does not see, or sees with another size."""


def check_nodes(output: Path, sources: Sequence[Path], files: Sequence[tuple[Path, int]]) -> int:
    """Return how many nodes can work, having asked every node of the cluster that has CPUs.

    Args:
        output: the output folder; it must exist.
        sources: folders and files that must exist on every node.
        files: documents with their sizes in bytes; many are looked at in part.

    Raises:
        EngineError: a node lacks a folder, a file or this version of Longloom; or none has CPUs.
    """
    ray = load_ray()
    step = max(1, len(files) // _MOST_FILES)
    wanted = [SeenFile(path=str(source.absolute())) for source in sources]
    wanted += [SeenFile(path=str(path.absolute()), num_bytes=size) for path, size in files[::step]]
    marker = output.absolute() / f".longloom-nodes-{uuid.uuid4().hex}"
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    if not nodes:
        raise EngineError(
            "no node of the Ray cluster has CPUs; expected one at least (`ray start --num-cpus`)"
        )
    marker.touch()
    try:
        _ask(ray, nodes, marker, wanted)
    finally:
        for path in output.absolute().glob(f"{marker.name}*"):
            path.unlink(missing_ok=True)
    return len(nodes)


def _ask(
    ray: Any, nodes: Sequence[dict[str, Any]], marker: Path, wanted: Sequence[SeenFile]
) -> None:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    look_from = ray.remote(num_cpus=0, max_retries=1)(look)
    asked = []
    for node in nodes:
        answer = marker.with_name(f"{marker.name}-{node['NodeID']}")
        strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        running = look_from.options(scheduling_strategy=strategy)
        asked.append((node, answer, running.remote(str(marker), str(answer), tuple(wanted))))
    for node, answer, view in asked:
        name = f"node {node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
        try:
            problem = problem_of(ray.get(view), answer)
        except ray.exceptions.RayError as error:
            reason = str(error).strip().rpartition("\n")[2]
            problem = f"cannot run Longloom: {reason}; install Longloom {__version__} there"
        if problem:
            raise EngineError(f"{name} {problem}")


def look(marker: str, answer: str, wanted: tuple[SeenFile, ...]) -> NodeView:
    """Return what this node sees; runs as a task on every node."""
    problem = ""
    try:
        Path(answer).touch()
    except OSError as error:
        problem = error.strerror or str(error)
    return NodeView(
        version=__version__,
        sees_output=Path(marker).exists(),
        write_problem=problem,
        missing=tuple(file.path for file in wanted if not _sees(file)),
    )


def _sees(file: SeenFile) -> bool:
    try:
        size = Path(file.path).stat().st_size
    except OSError:
        return False
    return file.num_bytes < 0 or size == file.num_bytes


def problem_of(view: NodeView, answer: Path) -> str:
    """Return why a node cannot work, or an empty string; `answer` is the file it wrote."""
    if view.version != __version__:
        return f"has Longloom {view.version}, expected {__version__}; install the same everywhere"
    if view.write_problem:
        return (
            f"cannot write into {answer.parent} ({view.write_problem}); take an output folder on a "
            "disk that all nodes share"
        )
    if not view.sees_output or not answer.exists():
        return (
            f"has another folder {answer.parent} than this machine; take an output folder on a "
            "disk that all nodes share"
        )
    if view.missing:
        shown = ", ".join(view.missing[:_SHOWN])
        return (
            f"does not see {len(view.missing)} of the documents as this machine does, as {shown}; "
            "put them on a disk that all nodes share"
        )
    return ""
