"""The live parts of a run, and the index that says how far it is."""

from dataclasses import dataclass, field
from pathlib import Path

from longloom.recipes.background import BackgroundEvaluator
from longloom.recipes.graph.ledger import ledger_place, read_cost
from longloom.recipes.graph.nodes import Node, RunGraph
from longloom.recipes.graph.places import FINAL, link_results, status_of
from longloom.recipes.graph.selection import Part, Selection
from longloom.recipes.run_config import RunConfig
from longloom.recipes.run_listener import RunListener
from longloom.recipes.saved_steps import saved_steps
from longloom.recipes.scoring import Scoring
from longloom.runlog import (
    METRICS_FILE,
    IndexedNode,
    RunIndex,
    Status,
    read_metrics,
    write_index,
)
from longloom.runlog.trackers import Trackers


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """A run in its folder: what there is to do, and how far it is."""

    config: RunConfig
    """Its settings."""
    folder: Path
    """Its folder."""
    base: Path
    """The model folder it starts from."""
    graph: RunGraph
    """Its parts."""
    part: Part
    """What this call was told to compute."""
    selection: Selection
    """The same as names of parts."""
    sft_steps: dict[str, int] = field(default_factory=dict)
    """Steps of stages of supervised fine-tuning, where their rows have been counted."""

    def place(self, node: Node) -> Path:
        """Return where a part lies."""
        return self.folder / node.place

    def set_place(self, name: str) -> Path:
        """Return the folder of a set of examples."""
        return self.place(self.graph.sets[name])

    def model(self, checkpoint: str) -> Path:
        """Return the model folder of a checkpoint."""
        if checkpoint == "base":
            return self.base
        return self.place(self.graph.stages[checkpoint]) / FINAL

    def status(self, node: Node) -> Status:
        """Return how far a part is."""
        return status_of(self.folder, node)

    def is_wanted(self, node: Node) -> bool:
        """Return whether this call computes a part unless it is there."""
        return self.selection.includes(node)

    def to_do(self) -> list[Node]:
        """Return the wanted parts that are not done, in the order in which they are computed."""
        return [
            node
            for node in self.graph.nodes
            if self.is_wanted(node) and self.status(node) is not Status.DONE
        ]

    def steps_before(self, name: str) -> int:
        """Return the steps of all stages of the run before the one called `name`."""
        return self.index().steps_before(name)

    def index(self) -> RunIndex:
        """Return how far every part is."""
        return RunIndex(
            recipe=self.config.recipe,
            part=self.part.options,
            nodes=tuple(self._indexed(node) for node in self.graph.nodes),
        )

    def write_index(self) -> None:
        """Write stages.json, and let the stable names lead to the models that are there.

        Raises:
            DataError: it cannot be written.
        """
        write_index(self.folder, self.index())
        link_results(self.folder, self.graph)

    def _indexed(self, node: Node) -> IndexedNode:
        ledger = ledger_place(self.folder, node)
        cost = read_cost(ledger) if ledger is not None else None
        status = self.status(node)
        step = num_steps = 0
        if node.stage is not None:
            num_steps = self._num_steps(node, status)
            step = num_steps if status is Status.DONE else saved_steps(self.place(node))
        return IndexedNode(
            kind=node.kind,
            name=node.name,
            key=node.key,
            place=node.place,
            status=status,
            is_wanted=self.is_wanted(node),
            needs=node.needs,
            stage_kind=node.stage.kind if node.stage else "",
            step=step,
            num_steps=num_steps,
            finished=cost.finished if cost else "",
            seconds=cost.seconds if cost else 0.0,
            cpu_seconds=cost.cpu_seconds if cost else 0.0,
        )

    def _num_steps(self, node: Node, status: Status) -> int:
        assert node.stage is not None
        if node.stage.training is not None:
            return node.stage.training.num_steps
        if node.stage.sft is None or node.name in self.sft_steps:
            return self.sft_steps.get(node.name, 0)
        metrics_file = self.place(node) / METRICS_FILE
        if status is not Status.DONE or not metrics_file.exists():
            return 0
        self.sft_steps[node.name] = max((row.step for row in read_metrics(metrics_file)), default=0)
        return self.sft_steps[node.name]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRun:
    """A run with what is open while it goes on."""

    state: RunState
    """What there is to do."""
    listener: RunListener
    """Is told what happens."""
    scoring: Scoring
    """Gives rewards."""
    trackers: Trackers
    """Show metrics elsewhere."""
    evaluator: BackgroundEvaluator | None
    """Evaluates beside training; None: between the stages."""
