"""The parts of a run with their keys, in the order in which they are computed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from longloom.recipes.evaluation_jobs import EvaluationJob, jobs_of
from longloom.recipes.graph.keys import (
    Digests,
    Ingredients,
    Parent,
    cell_ingredients,
    examples_ingredients,
    stage_ingredients,
)
from longloom.recipes.graph.order import depending_on, needed_by
from longloom.recipes.inputs import model_digest, tokenizer_digest
from longloom.recipes.run_config import RunConfig, StageConfig
from longloom.recipes.run_examples import QUESTIONS, examples_of, set_names
from longloom.recipes.woven_questions import woven_digest
from longloom.runlog.digests import file_digest
from longloom.runlog.stage_index import NodeKind
from longloom.synthesis.miniature import corpus_digest

SHOWN_KEY_CHARACTERS = 8
"""Of a key in the names of folders and in messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One part of a run."""

    name: str
    """`questions`, `stage-1`, `base--stage-1--single_pass`."""
    made_from: Ingredients
    """What decides its content."""
    key: str
    """Digest of that."""
    needs: tuple[str, ...] = ()
    """Checkpoints that it reads."""
    examples: str = ""
    """Name of the set of examples that it reads; empty if it reads none."""
    stage: StageConfig | None = None
    """Of a stage: its settings."""
    job: EvaluationJob | None = None
    """Of an evaluation cell: what is asked; without the places of this run folder."""

    @property
    def kind(self) -> NodeKind:
        """What it is."""
        return self.made_from.kind

    @property
    def shown_key(self) -> str:
        """The beginning of its key."""
        return self.key[:SHOWN_KEY_CHARACTERS]

    @property
    def place(self) -> str:
        """Where it lies below the run folder: a folder, of a cell a file."""
        ending = ".json" if self.kind is NodeKind.CELL else ""
        return str(PurePosixPath(self.kind) / f"{self.name}-{self.shown_key}{ending}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunGraph:
    """All parts of a run."""

    base_key: str
    """Digest of the model that it starts from."""
    sets: Mapping[str, Node]
    """Sets of examples by name."""
    stages: Mapping[str, Node]
    """Stages by name, each after what it starts from."""
    cells: tuple[Node, ...]
    """Evaluation cells, checkpoint by checkpoint."""

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All of them: sets, stages, cells."""
        return (*self.sets.values(), *self.stages.values(), *self.cells)

    @property
    def needs(self) -> dict[str, tuple[str, ...]]:
        """The checkpoints that each stage reads."""
        return {name: node.needs for name, node in self.stages.items()}

    def ancestors(self, name: str) -> set[str]:
        """Return the stages that one starts from, directly or through others."""
        return needed_by(self.needs, name) - {"base"}

    def descendants(self, name: str) -> set[str]:
        """Return the stages that start from one, directly or through others."""
        return depending_on(self.needs, name)

    def cells_of(self, checkpoint: str) -> tuple[Node, ...]:
        """Return the cells of a checkpoint."""
        return tuple(node for node in self.cells if checkpoint in node.needs)


def read_digests(config: RunConfig, base: Path) -> Digests:
    """Return the digests of what a run reads beside its settings.

    Raises:
        DataError: a file is missing or cannot be read.
    """
    return Digests(
        base=model_digest(base),
        tokenizer=tokenizer_digest(base),
        documents=corpus_digest(config.synthesis.documents),
        woven=woven_digest(config.woven) if config.woven is not None else "",
        rows_by_stage={
            stage.name: f"{file_digest(Path(stage.sft_rows))}{Path(stage.sft_rows).suffix}"
            for stage in config.stages
            if stage.sft_rows
        },
    )


def build_graph(config: RunConfig, digests: Digests) -> RunGraph:
    """Return the parts of a run with their keys."""
    sets = {name: _set_node(config, name, digests) for name in set_names(config)}
    keys = {"base": digests.base}
    stages = {}
    for stage in config.stages:
        node = _stage_node(config, stage, digests, keys, sets)
        keys[stage.name] = node.key
        stages[stage.name] = node
    cells = tuple(
        _cell_node(config, job, keys, sets)
        for checkpoint in keys
        for job in jobs_of(config, checkpoint, Path())
    )
    return RunGraph(base_key=digests.base, sets=sets, stages=stages, cells=cells)


def _set_node(config: RunConfig, name: str, digests: Digests) -> Node:
    made_from = examples_ingredients(config, name, digests)
    return Node(name=name, made_from=made_from, key=made_from.key)


def _stage_node(
    config: RunConfig,
    stage: StageConfig,
    digests: Digests,
    keys: Mapping[str, str],
    sets: Mapping[str, Node],
) -> Node:
    parents = [Parent(name=name, key=keys[name]) for name in stage.needs]
    examples = examples_of(stage)
    if examples in sets:
        parents.append(Parent(name=examples, key=sets[examples].key))
    made_from = stage_ingredients(config, stage, digests, parents)
    return Node(
        name=stage.name,
        made_from=made_from,
        key=made_from.key,
        needs=tuple(dict.fromkeys(stage.needs)),
        examples=examples,
        stage=stage,
    )


def _cell_node(
    config: RunConfig, job: EvaluationJob, keys: Mapping[str, str], sets: Mapping[str, Node]
) -> Node:
    examples = job.suite if job.suite in sets else QUESTIONS
    parents = [
        Parent(name=job.checkpoint, key=keys[job.checkpoint]),
        Parent(name=examples, key=sets[examples].key),
    ]
    made_from = cell_ingredients(config, job, parents)
    node = Node(
        name=f"{job.checkpoint}--{job.suite}--{job.agent}",
        made_from=made_from,
        key=made_from.key,
        needs=(job.checkpoint,),
        examples=examples,
    )
    return replace(node, job=replace(job, key=node.shown_key))
