"""Comparison: which of several entities comes first, all of them in order, and whether two agree.

Every entity must have exactly one value, all values must be of one kind and unit, and no two may
tie where the answer would depend on it; else there is no answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.node import NOTHING, Execution, Program, distinct
from longloom.synthesis.programs.predicates import to_decimal, trace_of
from longloom.synthesis.programs.world import World

LEAST = "least"
"""The earliest date or the smallest number first."""
GREATEST = "greatest"
"""The latest date or the largest number first."""
SEPARATOR = "; "
"""What stands between the entities of an ordering."""


@dataclass(frozen=True, slots=True)
class Compare:
    """The entity with the least or greatest value; at least two entities."""

    KIND: ClassVar[str] = "compare"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    of: Program
    """Answers the entities."""
    relation: str
    """What they are compared by: dates or numbers."""
    first: str
    """`least` or `greatest`."""

    def execute(self, world: World) -> Execution:
        """Return the entity that comes first."""
        ranking, evidence = _ranking(self.of, self.relation, world)
        ordered = ranking if self.first == LEAST else ranking[::-1]
        if len(ordered) < 2 or ordered[0][0] == ordered[1][0]:
            return NOTHING
        return Execution(frozenset((ordered[0][1],)), evidence)


@dataclass(frozen=True, slots=True)
class OrderOf:
    """All entities in order, joined by semicolons; at least two, no ties."""

    KIND: ClassVar[str] = "order_of"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    of: Program
    """Answers the entities."""
    relation: str
    """What they are ordered by: dates or numbers."""
    first: str
    """`least` or `greatest`."""

    def execute(self, world: World) -> Execution:
        """Return the entities in order."""
        ranking, evidence = _ranking(self.of, self.relation, world)
        if len(ranking) < 2 or len({value for value, _ in ranking}) < len(ranking):
            return NOTHING
        ordered = ranking if self.first == LEAST else ranking[::-1]
        joined = SEPARATOR.join(entity for _, entity in ordered)
        return Execution(frozenset((joined,)), evidence)


@dataclass(frozen=True, slots=True)
class SameAs:
    """Whether two programs have the same only answer: `yes` or `no`."""

    KIND: ClassVar[str] = "same_as"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    first: Program
    """One value."""
    second: Program
    """The other value."""

    def execute(self, world: World) -> Execution:
        """Return yes or no; nothing if either has not exactly one answer."""
        first, second = self.first.execute(world), self.second.execute(world)
        if first.only_answer is None or second.only_answer is None:
            return NOTHING
        verdict = "yes" if first.only_answer == second.only_answer else "no"
        return Execution(frozenset((verdict,)), distinct((*first.evidence, *second.evidence)))


Rank = str | Decimal


def _ranking(
    program: Program, relation: str, world: World
) -> tuple[list[tuple[Rank, str]], tuple[Fact, ...]]:
    """Return the entities by rising value with the evidence; nothing if they do not compare."""
    values: list[Fact] = []
    evidence: list[Fact] = []
    for entity, facts in trace_of(program, world).items():
        stated = world.facts_of(entity, relation)
        if len({(fact.value, fact.unit) for fact in stated}) != 1:
            return [], ()
        values.append(stated[0])
        evidence += (*facts, stated[0])
    ranks = ranks_of(values)
    pairs = zip(ranks, (fact.subject for fact in values), strict=True) if ranks else ()
    return sorted(pairs), distinct(evidence)


def ranks_of(facts: Sequence[Fact]) -> list[Rank]:
    """Return what orders the facts, or nothing if their values do not compare.

    Dates are cut to the least precise of them.
    """
    kinds = {(fact.value_kind, fact.unit) for fact in facts}
    if len(kinds) != 1:
        return []
    kind = next(iter(kinds))[0]
    if kind == "date":
        shared = min(len(fact.value) for fact in facts)
        return [fact.value[:shared] for fact in facts] if shared >= 4 else []
    numbers = [to_decimal(fact.value) for fact in facts] if kind == "number" else []
    known: list[Rank] = [number for number in numbers if number is not None]
    return known if len(known) == len(facts) else []


NODES: tuple[type[Program], ...] = (Compare, OrderOf, SameAs)
"""The node classes of this module."""
