"""Which parts of a run a call computes: all, or what `--from`, `--until` and `--only` say."""

from collections.abc import Mapping
from dataclasses import dataclass

from longloom.config import nearest_key
from longloom.errors import ConfigError
from longloom.recipes.graph.nodes import Node, RunGraph
from longloom.runlog.stage_index import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a run, named by stages; empty names mean everything."""

    begin: str = ""
    """`--from`: compute this stage and what depends on it again."""
    end: str = ""
    """`--until`: this stage and what it starts from, nothing else."""
    only: str = ""
    """`--only`: this stage alone, from checkpoints that are there."""

    @property
    def options(self) -> str:
        """Return it as it is written on a command line."""
        named = (("--from", self.begin), ("--until", self.end), ("--only", self.only))
        return " ".join(f"{option} {name}" for option, name in named if name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The parts of a run that a call computes."""

    stages: frozenset[str]
    """Stages that are computed unless they are there."""
    checkpoints: frozenset[str]
    """Checkpoints that are evaluated."""
    again: frozenset[str]
    """Stages that are computed even though they are there, with their evaluations."""
    sets: frozenset[str]
    """Sets of examples that the others read."""

    def includes(self, node: Node) -> bool:
        """Return whether a part is computed."""
        if node.stage is not None:
            return node.name in self.stages
        if node.job is not None:
            return node.job.checkpoint in self.checkpoints
        return node.name in self.sets


def select(graph: RunGraph, part: Part) -> Selection:
    """Return what a call computes.

    Raises:
        ConfigError: there is no such stage, or the options contradict each other.
    """
    for option, name in (("--from", part.begin), ("--until", part.end), ("--only", part.only)):
        if name:
            _check_name(graph, option, name)
    if part.only and (part.begin or part.end):
        raise ConfigError(
            f"{part.options} were given together; expected --only alone, or --from and --until"
        )
    stages, checkpoints = set(graph.stages), {"base", *graph.stages}
    if part.end:
        stages = {part.end, *graph.ancestors(part.end)}
        checkpoints = {"base", *stages}
    if part.only:
        stages = checkpoints = {part.only}
    again: set[str] = set()
    if part.begin:
        again = {part.begin, *graph.descendants(part.begin)} & stages
        if not again:
            raise ConfigError(
                f"stage {part.end!r} does not start from {part.begin!r}, so {part.options} leaves "
                "nothing; expected an --until that depends on --from"
            )
    read = [graph.stages[name].examples for name in stages]
    read += [cell.examples for name in checkpoints for cell in graph.cells_of(name)]
    return Selection(
        stages=frozenset(stages),
        checkpoints=frozenset(checkpoints),
        again=frozenset(again),
        sets=frozenset(name for name in read if name in graph.sets),
    )


def check_starts(graph: RunGraph, part: Part, states: Mapping[str, Status]) -> None:
    """Check that what `--only` starts from is there.

    Args:
        graph: the run.
        part: what was asked for.
        states: how far each stage is, by name.

    Raises:
        ConfigError: a checkpoint is missing; says which command makes it.
    """
    if not part.only or states[part.only] is Status.DONE:
        return
    for name in graph.stages[part.only].needs:
        if name != "base" and states[name] is not Status.DONE:
            raise ConfigError(
                f"--only {part.only} starts from {name}, which is not there with these settings "
                f"(key {graph.stages[name].shown_key}); the same command with --until {name} in "
                "place of --only makes it"
            )


def _check_name(graph: RunGraph, option: str, name: str) -> None:
    if name in graph.stages:
        return
    known = list(graph.stages)
    nearest = nearest_key(name, known)
    hint = f"did you mean {nearest!r}?" if nearest else f"stages: {', '.join(known)}"
    raise ConfigError(f"{option} {name}: the recipe has no such stage; {hint}")
