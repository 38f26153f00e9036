"""What every program node is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.world import World


@dataclass(frozen=True, slots=True)
class Execution:
    """What a program gives on a world."""

    answers: frozenset[str]
    """Every answer; a question is kept only if there is exactly one."""
    evidence: tuple[Fact, ...] = ()
    """The facts the answers rest on, in the order of use, each once."""

    @property
    def only_answer(self) -> str | None:
        """The answer if there is exactly one."""
        return next(iter(self.answers)) if len(self.answers) == 1 else None


NOTHING = Execution(frozenset())
"""A program that finds nothing."""


class Program(Protocol):
    """A node: a frozen dataclass whose fields are str, int, nodes, or tuples of these.

    Decimal constants are written as str. `KIND` names the class in JSON. `CONSTANTS` names the
    fields that are constants of the question (entities, values, ordinals, options); the shape of a
    program is its JSON with these removed.
    """

    KIND: ClassVar[str]
    CONSTANTS: ClassVar[frozenset[str]]

    def execute(self, world: World) -> Execution:
        """Return the answers on `world`; nothing if a step finds nothing. Never raises."""
        ...


def distinct(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Return the facts, each once, in order of first appearance."""
    return tuple(dict.fromkeys(facts))
