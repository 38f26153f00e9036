"""Walks over the graph of facts: entities, what they name, what names them.

    Follow(Only(Filter(Inverse(Named("PEP 440"), "pep.cites"), (InYears(...),))), "pep.author")

Sets are sets: only `Only` asks that a description fits exactly one thing, and it is what makes a
chain fail, rather than guess, when a further document adds a second candidate.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.node import Execution, Program
from longloom.synthesis.programs.predicates import Trace, execution_of, trace_of
from longloom.synthesis.programs.world import World


class _Step(ABC):
    """What every node with a trace shares."""

    __slots__ = ()

    @abstractmethod
    def trace(self, world: World) -> Trace:
        """Return the answers with their evidence."""

    def execute(self, world: World) -> Execution:
        """Return the answers with all evidence."""
        return execution_of(self.trace(world))


@dataclass(frozen=True, slots=True)
class Named(_Step):
    """An entity the question names."""

    KIND: ClassVar[str] = "named"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"entity"})

    entity: str
    """Its display name."""

    def trace(self, world: World) -> Trace:
        """Return the entity; naming needs no evidence."""
        return {self.entity: ()}


@dataclass(frozen=True, slots=True)
class Values(_Step):
    """Several entities the question names."""

    KIND: ClassVar[str] = "values"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"entities"})

    entities: tuple[str, ...]
    """Their display names, in the order of the question."""

    def trace(self, world: World) -> Trace:
        """Return the entities; naming needs no evidence."""
        return dict.fromkeys(self.entities, ())


@dataclass(frozen=True, slots=True)
class Described(_Step):
    """All subjects of a kind for which every predicate holds."""

    KIND: ClassVar[str] = "described"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    kind: str
    """Kind of entity: `PEP`."""
    predicates: tuple[Program, ...]
    """At least one; each is a predicate."""

    def trace(self, world: World) -> Trace:
        """Return the subjects with the facts that fit the description."""
        if not self.predicates:
            return {}
        first, *others = self.predicates
        found = {
            subject: facts
            for subject, facts in trace_of(first, world).items()
            if facts and facts[0].subject_kind == self.kind
        }
        return _narrowed(found, tuple(others), world)


@dataclass(frozen=True, slots=True)
class Filter(_Step):
    """Those answers of a program for which every predicate holds."""

    KIND: ClassVar[str] = "filter"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    of: Program
    """Answers entities."""
    predicates: tuple[Program, ...]
    """Each is a predicate."""

    def trace(self, world: World) -> Trace:
        """Return those that stay, with the facts of both."""
        return _narrowed(trace_of(self.of, world), self.predicates, world)


@dataclass(frozen=True, slots=True)
class Follow(_Step):
    """The values of a relation for every answer of a program."""

    KIND: ClassVar[str] = "follow"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    of: Program
    """Answers entities."""
    relation: str
    """Name of the relation."""

    def trace(self, world: World) -> Trace:
        """Return the values with the facts that state them."""
        found: Trace = {}
        for subject, facts in trace_of(self.of, world).items():
            for fact in world.facts_of(subject, self.relation):
                found.setdefault(fact.value, (*facts, fact))
        return found


@dataclass(frozen=True, slots=True)
class Inverse(_Step):
    """The subjects whose relation names an answer of a program."""

    KIND: ClassVar[str] = "inverse"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    of: Program
    """Answers values."""
    relation: str
    """Name of the relation."""

    def trace(self, world: World) -> Trace:
        """Return the subjects with the facts that name the value."""
        found: Trace = {}
        for value, facts in trace_of(self.of, world).items():
            for fact in world.facts_naming(self.relation, value):
                found.setdefault(fact.subject, (*facts, fact))
        return found


@dataclass(frozen=True, slots=True)
class Other(_Step):
    """The answers of a program without those of another: `another PEP by the same author`."""

    KIND: ClassVar[str] = "other"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    of: Program
    """What is chosen from."""
    than: Program
    """What is left out."""

    def trace(self, world: World) -> Trace:
        """Return the answers that are left."""
        left_out = trace_of(self.than, world)
        return {
            answer: facts
            for answer, facts in trace_of(self.of, world).items()
            if answer not in left_out
        }


@dataclass(frozen=True, slots=True)
class Only(_Step):
    """The answer of a program if it is the only one: `the PEP that ...`."""

    KIND: ClassVar[str] = "only"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    of: Program
    """What must have exactly one answer."""

    def trace(self, world: World) -> Trace:
        """Return the answer; nothing if there are more."""
        found = trace_of(self.of, world)
        return found if len(found) == 1 else {}


def _narrowed(found: Trace, predicates: tuple[Program, ...], world: World) -> Trace:
    for predicate in predicates:
        found = {
            subject: (*facts, *proof)
            for subject, facts in found.items()
            if (proof := _proof(predicate, world, subject))
        }
    return found


def _proof(predicate: Program, world: World, subject: str) -> tuple[Fact, ...]:
    prover = getattr(predicate, "proof", None)
    proof: tuple[Fact, ...] = (
        prover(world, subject) if prover else trace_of(predicate, world).get(subject, ())
    )
    return proof


NODES: tuple[type[Program], ...] = (
    Described,
    Filter,
    Follow,
    Inverse,
    Named,
    Only,
    Other,
    Values,
)
"""The node classes of this module."""
