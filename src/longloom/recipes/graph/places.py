"""Where the parts of a run lie, how far each is, and what belongs to other settings.

    synthesis/questions-ab12cd34/    checkpoints/stage-1-ab12cd34/    evaluation/...-ab12cd34.json

A set of examples and a cell are there when their name is; a stage is done when its `final` is.
What is computed again is put aside under `.replaced` until the new results are complete.
"""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from longloom.errors import DataError
from longloom.recipes.graph.nodes import Node, RunGraph
from longloom.recipes.saved_steps import saved_steps
from longloom.runlog.atomic import atomic_write_text, describe_write_failure
from longloom.runlog.stage_index import NodeKind, Status

REPLACED = ".replaced"
"""Ends the name of results that are being computed again."""
FINAL = "final"
"""In the folder of a stage: its model."""


def stage_status(place: Path) -> Status:
    """Return how far the stage in a folder is."""
    if (place / FINAL).is_dir():
        return Status.DONE
    is_begun = saved_steps(place) > 0 or (place / "difficulty.jsonl").is_file()
    return Status.PARTLY if is_begun else Status.TO_DO


def status_of(folder: Path, node: Node) -> Status:
    """Return how far a part of the run in `folder` is."""
    place = folder / node.place
    if node.kind is NodeKind.STAGE:
        return stage_status(place)
    return Status.DONE if place.exists() else Status.TO_DO


def put_aside(folder: Path, graph: RunGraph, stages: frozenset[str]) -> list[str]:
    """Put the results of stages and of their evaluations aside; return what is computed again.

    What a killed call has put aside already stays so, and what it has computed since is kept.

    Raises:
        DataError: a folder cannot be renamed.
    """
    again = []
    cells = [cell for name in stages for cell in graph.cells_of(name)]
    for node in [*(graph.stages[name] for name in graph.stages if name in stages), *cells]:
        place = folder / node.place
        aside = _aside(place)
        if place.exists() and not aside.exists():
            try:
                place.rename(aside)
            except OSError as error:
                raise DataError(describe_write_failure(aside, error)) from error
            if node.kind is NodeKind.STAGE:
                again.append(node.name)
    return again


def drop_replaced(folder: Path, graph: RunGraph) -> None:
    """Remove what was put aside and has been computed again."""
    for node in graph.nodes:
        place = folder / node.place
        aside = _aside(place)
        if aside.exists() and status_of(folder, node) is Status.DONE:
            _remove(aside)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusedResult:
    """Results in a run folder that the settings do not use."""

    place: str
    """Where they lie, below the run folder."""
    num_bytes: int
    """Their size."""


def unused_results(folder: Path, graph: RunGraph) -> list[UnusedResult]:
    """Return what lies in a run folder for other settings, the largest first."""
    used = {folder / node.place for node in graph.nodes}
    found = []
    for kind in NodeKind:
        for path in sorted((folder / kind).glob("*")):
            if path in used or path.is_symlink() or path.name in _link_names(graph):
                continue
            place = path.relative_to(folder).as_posix()
            found.append(UnusedResult(place=place, num_bytes=_num_bytes(path)))
    return sorted(found, key=lambda result: -result.num_bytes)


def remove_results(folder: Path, results: list[UnusedResult]) -> None:
    """Remove results that `unused_results` found, and links that led to them."""
    for result in results:
        _remove(folder / result.place)
    for kind in (NodeKind.EXAMPLES, NodeKind.STAGE):
        for link in (folder / kind).glob("*"):
            if link.is_symlink() and not link.exists():
                link.unlink()


def link_results(folder: Path, graph: RunGraph) -> None:
    """Let `checkpoints/NAME` lead to the finished model of each stage, and to nothing else.

    Likewise `synthesis/NAME` to each set of examples. They are relative links; on a disk without
    links `NAME.txt` holds the path instead.
    """
    for node in (*graph.sets.values(), *graph.stages.values()):
        link = folder / node.kind / node.name
        target = Path(node.place).name + (f"/{FINAL}" if node.kind is NodeKind.STAGE else "")
        is_done = status_of(folder, node) is Status.DONE
        if link.is_symlink() and (not is_done or os.readlink(link) != target):
            link.unlink()
        text = link.with_name(f"{node.name}.txt")
        if not is_done:
            text.unlink(missing_ok=True)
        elif not link.is_symlink() and not link.exists():
            try:
                link.symlink_to(target, target_is_directory=True)
            except OSError:
                atomic_write_text(text, target + "\n")


def _link_names(graph: RunGraph) -> set[str]:
    return {f"{name}.txt" for name in (*graph.sets, *graph.stages)}


def _aside(place: Path) -> Path:
    return place.with_name(place.name + REPLACED)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _num_bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    total = 0
    for file in path.rglob("*"):
        with suppress(OSError):
            total += file.lstat().st_size if not file.is_dir() else 0
    return total
