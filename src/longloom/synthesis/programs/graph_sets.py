"""Sets of entities: counting, intersecting, and statements that are missing or disagree."""

from dataclasses import dataclass
from typing import ClassVar

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.node import NOTHING, Execution, Program, distinct
from longloom.synthesis.programs.predicates import Trace, execution_of, trace_of
from longloom.synthesis.programs.world import World

NOT_STATED = "not stated"
"""The answer to a question that the documents do not answer."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many answers a program has; nothing if it has none."""

    KIND: ClassVar[str] = "count"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    of: Program
    """What is counted."""

    def execute(self, world: World) -> Execution:
        """Return the number; every counted thing is evidence."""
        inner = self.of.execute(world)
        if not inner.answers:
            return NOTHING
        return Execution(frozenset((str(len(inner.answers)),)), inner.evidence)


@dataclass(frozen=True, slots=True)
class Exactly:
    """The answers of a program, if they are as many as the question says."""

    KIND: ClassVar[str] = "exactly"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"count"})

    of: Program
    """What must have that many answers."""
    count: int
    """How many."""

    def trace(self, world: World) -> Trace:
        """Return the answers; nothing if they are more or fewer."""
        found = trace_of(self.of, world)
        return found if len(found) == self.count else {}

    def execute(self, world: World) -> Execution:
        """Return the answers; nothing if they are more or fewer."""
        return execution_of(self.trace(world))


@dataclass(frozen=True, slots=True)
class Intersection:
    """What all programs answer."""

    KIND: ClassVar[str] = "intersection"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    of: tuple[Program, ...]
    """At least one program."""

    def trace(self, world: World) -> Trace:
        """Return the shared answers with the evidence of each program."""
        if not self.of:
            return {}
        first, *others = (trace_of(program, world) for program in self.of)
        return {
            answer: (*facts, *(fact for other in others for fact in other[answer]))
            for answer, facts in first.items()
            if all(answer in other for other in others)
        }

    def execute(self, world: World) -> Execution:
        """Return the shared answers."""
        return execution_of(self.trace(world))


@dataclass(frozen=True, slots=True)
class Union:
    """What any of several descriptions answers; nothing if one of them finds nothing."""

    KIND: ClassVar[str] = "union"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    of: tuple[Program, ...]
    """The programs."""

    def trace(self, world: World) -> Trace:
        """Return all answers, with the evidence of the first program that gives each."""
        found: Trace = {}
        for program in self.of:
            part = trace_of(program, world)
            if not part:
                return {}
            for answer, facts in part.items():
                found.setdefault(answer, facts)
        return found

    def execute(self, world: World) -> Execution:
        """Return all answers."""
        return execution_of(self.trace(world))


@dataclass(frozen=True, slots=True)
class LatestStatement:
    """What the latest document states, where documents disagree about one entity.

    A document is dated by its one fact with `date_relation`. Answers only if at least two documents
    state different values and the latest date is one document's alone; all statements and all dates
    are evidence.
    """

    KIND: ClassVar[str] = "latest_statement"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"among", "period_end"})

    of: Program
    """The entity."""
    relation: str
    """The relation about which the documents disagree."""
    period_end: str
    """Last day of the period the statements are about; empty if they have none."""
    date_relation: str
    """The relation that dates a document."""
    among: tuple[str, ...] = ()
    """Subjects of the dates of the only documents that count; all documents if empty."""

    def execute(self, world: World) -> Execution:
        """Return the value of the latest document."""
        inner = self.of.execute(world)
        if inner.only_answer is None:
            return NOTHING
        statements = [
            fact
            for fact in world.facts_of(inner.only_answer, self.relation)
            if fact.period_end == self.period_end
        ]
        dated = [(_date_fact(world, fact.doc_id, self.date_relation), fact) for fact in statements]
        if self.among:
            dated = [(date, fact) for date, fact in dated if date and date.subject in self.among]
        complete = [(date.value, date, fact) for date, fact in dated if date is not None]
        if len(complete) < len(dated) or len({fact.value for _, fact in dated}) < 2:
            return NOTHING
        latest = max(date for date, _, _ in complete)
        last = [fact for date, _, fact in complete if date == latest]
        if len({fact.doc_id for fact in last}) != 1 or len({fact.value for fact in last}) != 1:
            return NOTHING
        evidence = (part for _, date, fact in complete for part in (fact, date))
        return Execution(frozenset((last[0].value,)), distinct((*inner.evidence, *evidence)))


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """Answers "not stated" if the documents hold the anchor but not what is asked of it."""

    KIND: ClassVar[str] = "unanswerable"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    program: Program
    """What is asked; must find nothing."""
    anchor: Program
    """What must be found; its evidence is the evidence."""

    def execute(self, world: World) -> Execution:
        """Return "not stated", or nothing."""
        anchor = self.anchor.execute(world)
        if not anchor.answers or not anchor.evidence or self.program.execute(world).answers:
            return NOTHING
        return Execution(frozenset((NOT_STATED,)), anchor.evidence)


def _date_fact(world: World, doc_id: str, relation: str) -> Fact | None:
    dates = [fact for fact in world.facts_in(doc_id) if fact.relation == relation]
    return dates[0] if len({fact.value for fact in dates}) == 1 else None


NODES: tuple[type[Program], ...] = (
    Count,
    Exactly,
    Intersection,
    LatestStatement,
    Unanswerable,
    Union,
)
"""The node classes of this module."""
