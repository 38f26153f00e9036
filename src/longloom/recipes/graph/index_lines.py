"""An index of a run as lines of text: its stages drawn as a graph, the rest in a line each."""

from longloom.recipes.graph.drawing import draw_graph
from longloom.runlog import NodeKind, RunIndex, Status


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
