"""Predicates: what is true of a subject, as nodes of a program.

A predicate alone answers every subject it is true of. Each also tells whether it holds for one
subject, by the facts that show it, which is how descriptions with several predicates are executed.
Dates are compared as ISO text, as far as both sides are precise.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import ClassVar, Protocol

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.node import Execution, Program, distinct
from longloom.synthesis.programs.world import World

Trace = dict[str, tuple[Fact, ...]]
"""Every answer with the facts it rests on, in the order of the context."""


class Traced(Program, Protocol):
    """A program that knows the evidence of each answer by itself."""

    def trace(self, world: World) -> Trace:
        """Return the answers with their evidence."""
        ...


class Predicate(Traced, Protocol):
    """A program that answers subjects and can be asked about one."""

    @property
    def relation(self) -> str:
        """The relation it speaks about."""
        ...

    def proof(self, world: World, subject: str) -> tuple[Fact, ...]:
        """Return the facts that make it true of `subject`; none if it is not."""
        ...


def trace_of(program: Program, world: World) -> Trace:
    """Return a program's answers with their evidence, in order; all of it where it cannot tell."""
    tracer: Callable[[World], Trace] | None = getattr(program, "trace", None)
    if tracer is not None:
        return tracer(world)
    execution = program.execute(world)
    return dict.fromkeys(sorted(execution.answers), execution.evidence)


def execution_of(trace: Trace) -> Execution:
    """Return a trace as an execution."""
    if len(trace) == 1:
        ((answer, facts),) = trace.items()
        return Execution(frozenset((answer,)), distinct(facts))
    return Execution(frozenset(trace), distinct(fact for facts in trace.values() for fact in facts))


def to_decimal(text: str) -> Decimal | None:
    """Return a plain decimal, or None for what is not one."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def year_of(date: str) -> int | None:
    """Return the year of an ISO date, or None for what is not one."""
    return int(date[:4]) if date[:4].isascii() and date[:4].isdigit() and len(date) >= 4 else None


class _ByValue(ABC):
    """What all predicates on the value of one relation share."""

    __slots__ = ()
    relation: str

    @abstractmethod
    def accepts(self, fact: Fact) -> bool:
        """Return whether the value of a fact satisfies the predicate."""

    def proof(self, world: World, subject: str) -> tuple[Fact, ...]:
        """Return the first fact that shows it; none if there is none."""
        for fact in world.facts_of(subject, self.relation):
            if self.accepts(fact):
                return (fact,)
        return ()

    def trace(self, world: World) -> Trace:
        """Return the subjects with the fact that shows it."""
        found: Trace = {}
        for fact in world.facts_with(self.relation):
            if fact.subject not in found and self.accepts(fact):
                found[fact.subject] = (fact,)
        return found

    def execute(self, world: World) -> Execution:
        """Return the subjects it is true of."""
        return execution_of(self.trace(world))


@dataclass(frozen=True, slots=True)
class Equals(_ByValue):
    """The relation names exactly this value."""

    KIND: ClassVar[str] = "equals"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"value"})

    relation: str
    """Name of the relation."""
    value: str
    """The value, as facts state it."""

    def accepts(self, fact: Fact) -> bool:
        """Return whether the value is the one given."""
        return fact.value == self.value

    def trace(self, world: World) -> Trace:
        """Return the subjects, by the look-up of values."""
        found: Trace = {}
        for fact in world.facts_naming(self.relation, self.value):
            found.setdefault(fact.subject, (fact,))
        return found


@dataclass(frozen=True, slots=True)
class InMonth(_ByValue):
    """The date lies in a month."""

    KIND: ClassVar[str] = "in_month"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"month"})

    relation: str
    """Name of a relation with dates."""
    month: str
    """The month: `2019-05`."""

    def accepts(self, fact: Fact) -> bool:
        """Return whether the date is of that month."""
        return fact.value_kind == "date" and fact.value[:7] == self.month


@dataclass(frozen=True, slots=True)
class InYears(_ByValue):
    """The date lies between two years, both included: a year, half a decade or a decade."""

    KIND: ClassVar[str] = "in_years"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"first"})

    relation: str
    """Name of a relation with dates."""
    first: int
    """The first year."""
    num_years: int
    """How many years: 1, 5 or 10; one of the ladder's rungs, so no constant of the question."""

    def accepts(self, fact: Fact) -> bool:
        """Return whether the year is one of them."""
        year = year_of(fact.value) if fact.value_kind == "date" else None
        return year is not None and self.first <= year < self.first + self.num_years


@dataclass(frozen=True, slots=True)
class Before(_ByValue):
    """The date is earlier than a date."""

    KIND: ClassVar[str] = "before"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"date"})

    relation: str
    """Name of a relation with dates."""
    date: str
    """The date that is later, of any precision."""

    def accepts(self, fact: Fact) -> bool:
        """Return whether the date is certainly earlier."""
        shared = min(len(fact.value), len(self.date))
        return fact.value_kind == "date" and fact.value[:shared] < self.date[:shared]


@dataclass(frozen=True, slots=True)
class After(_ByValue):
    """The date is later than a date."""

    KIND: ClassVar[str] = "after"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"date"})

    relation: str
    """Name of a relation with dates."""
    date: str
    """The date that is earlier, of any precision."""

    def accepts(self, fact: Fact) -> bool:
        """Return whether the date is certainly later."""
        shared = min(len(fact.value), len(self.date))
        return fact.value_kind == "date" and fact.value[:shared] > self.date[:shared]


@dataclass(frozen=True, slots=True)
class InBand(_ByValue):
    """The number lies in a band, both ends included."""

    KIND: ClassVar[str] = "in_band"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"low", "high"})

    relation: str
    """Name of a relation with numbers."""
    low: str
    """Lower end, a plain decimal."""
    high: str
    """Upper end, a plain decimal."""

    def accepts(self, fact: Fact) -> bool:
        """Return whether the number lies in the band."""
        number = to_decimal(fact.value) if fact.value_kind == "number" else None
        low, high = to_decimal(self.low), to_decimal(self.high)
        return None not in (number, low, high) and low <= number <= high  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class Role:
    """The relation names what a program describes: `the delegate of PEP 440` for a name."""

    KIND: ClassVar[str] = "role"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    relation: str
    """Name of the relation."""
    of: Program
    """Has exactly one answer, the value."""

    def proof(self, world: World, subject: str) -> tuple[Fact, ...]:
        """Return the fact and what identifies the value."""
        trace = trace_of(self.of, world)
        if len(trace) != 1:
            return ()
        ((value, facts),) = trace.items()
        naming = Equals(self.relation, value).proof(world, subject)
        return (*naming, *facts) if naming else ()

    def trace(self, world: World) -> Trace:
        """Return the subjects that name the value."""
        trace = trace_of(self.of, world)
        if len(trace) != 1:
            return {}
        ((value, facts),) = trace.items()
        named = Equals(self.relation, value).trace(world)
        return {subject: (*naming, *facts) for subject, naming in named.items()}

    def execute(self, world: World) -> Execution:
        """Return the subjects that name the value."""
        return execution_of(self.trace(world))


NODES: tuple[type[Program], ...] = (
    After,
    Before,
    Equals,
    InBand,
    InMonth,
    InYears,
    Role,
)
"""The node classes of this module."""
