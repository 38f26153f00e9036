"""What a run would do in its folder, without doing it."""

from dataclasses import dataclass, replace
from pathlib import Path

from longloom.errors import LongloomError
from longloom.recipes.graph.index_lines import other_lines, stage_lines
from longloom.recipes.graph.keys import Digests
from longloom.recipes.graph.nodes import build_graph, read_digests
from longloom.recipes.graph.selection import Part, select
from longloom.recipes.model_source import resolve_model
from longloom.recipes.pipeline import default_folder
from longloom.recipes.run_config import RunConfig
from longloom.recipes.run_state import RunState
from longloom.runlog import NodeKind, RunIndex, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """What is there and what would be computed."""

    folder: Path
    """The run folder."""
    index: RunIndex
    """How far each part is; what the call computes is wanted."""
    unknown: str
    """Why nothing is known of what is there; empty if it is known."""

    def graph_lines(self, *, is_unicode: bool) -> list[str]:
        """Return the stages as a drawing, how far they are, and the rest in one line each."""
        lines = stage_lines(self.index, is_unicode=is_unicode)
        if self.unknown:
            return [*lines, "", f"what is there: not known ({self.unknown})"]
        return [*lines, "", *other_lines(self.index)]


def plan_run(config: RunConfig, *, output: Path | None = None, part: Part | None = None) -> RunPlan:
    """Return what `run` would do with the same arguments; nothing is written.

    Raises:
        ConfigError: there is no such part.
    """
    folder = output or default_folder(config)
    unknown = ""
    try:
        base = resolve_model(config.model)
        digests = read_digests(config, base)
    except LongloomError as error:
        unknown, base = str(error), Path()
        digests = Digests(base="", tokenizer="", documents="")
    graph = build_graph(config, digests)
    wanted = part or Part()
    state = RunState(
        config=config,
        folder=folder,
        base=base,
        graph=graph,
        part=wanted,
        selection=select(graph, wanted),
    )
    index = state.index()
    again = state.selection.again
    nodes = tuple(
        replace(node, status=Status.TO_DO, step=0)
        if node.name in again or (node.kind is NodeKind.CELL and node.needs[0] in again)
        else node
        for node in index.nodes
    )
    return RunPlan(folder=folder, index=replace(index, nodes=nodes), unknown=unknown)
