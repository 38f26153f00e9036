"""What a run would do in its folder, without doing it."""

from dataclasses import dataclass, replace
from pathlib import Path

from longloom.errors import LongloomError
from longloom.recipes.graph.drawing import draw_graph
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


def stage_lines(index: RunIndex, *, is_unicode: bool) -> list[str]:
    """Return the stages as a drawing, each with its kind and how far it is."""
    stages = {stage.name: stage for stage in index.stages}
    width = max(len(name) for name in ("base", *stages))
    drawn = draw_graph({name: stage.needs for name, stage in stages.items()}, is_unicode=is_unicode)
    lines = []
    for line in drawn:
        stage = stages.get(line.name)
        words = [line.name.ljust(width)]
        if stage is not None:
            state = stage.status.value
            if stage.status is Status.PARTLY:
                of = f" of {stage.num_steps}" if stage.num_steps else ""
                state = f"partly, at step {stage.step}{of}"
            left_out = "" if stage.is_wanted else ", left out"
            words += [stage.stage_kind.ljust(12), f"{state}{left_out}".ljust(24), stage.key[:8]]
        lines.append(f"{line.lanes}  {'  '.join(words)}".rstrip())
    return lines


def other_lines(index: RunIndex) -> list[str]:
    """Return how far sets of examples and evaluation are."""
    sets = [node for node in index.nodes if node.kind is NodeKind.EXAMPLES and node.is_wanted]
    cells = [node for node in index.cells if node.is_wanted]
    num_done = sum(node.status is Status.DONE for node in cells)
    described = ", ".join(f"{node.name} {node.status.value}" for node in sets)
    return [f"examples: {described}", f"evaluation: {num_done} of {len(cells)} cells done"]
