"""Arithmetic on dates, and worlds in which one thing had happened at another time."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from datetime import date
from typing import ClassVar

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.node import NOTHING, Execution, Program, distinct
from longloom.synthesis.programs.predicates import year_of
from longloom.synthesis.programs.world import World


class _Between(ABC):
    """What all differences of two dates share."""

    __slots__ = ()
    first: Program
    second: Program

    @abstractmethod
    def difference(self, first: str, second: str) -> int | None:
        """Return the distance of two ISO dates, or None if they are not precise enough."""

    def execute(self, world: World) -> Execution:
        """Return the distance of the two dates, never negative."""
        first, second = self.first.execute(world), self.second.execute(world)
        if first.only_answer is None or second.only_answer is None:
            return NOTHING
        distance = self.difference(first.only_answer, second.only_answer)
        if distance is None:
            return NOTHING
        evidence = distinct((*first.evidence, *second.evidence))
        return Execution(frozenset((str(abs(distance)),)), evidence)


@dataclass(frozen=True, slots=True)
class YearsBetween(_Between):
    """The difference of the calendar years of two dates."""

    KIND: ClassVar[str] = "years_between"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    first: Program
    """One date."""
    second: Program
    """The other date."""

    def difference(self, first: str, second: str) -> int | None:
        """Return one year less the other."""
        years = year_of(first), year_of(second)
        return None if years[0] is None or years[1] is None else years[0] - years[1]


@dataclass(frozen=True, slots=True)
class MonthsBetween(_Between):
    """The difference of the calendar months of two dates, days aside."""

    KIND: ClassVar[str] = "months_between"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    first: Program
    """One date."""
    second: Program
    """The other date."""

    def difference(self, first: str, second: str) -> int | None:
        """Return one month less the other."""
        days = _day(first[:7] + "-01"), _day(second[:7] + "-01")
        if days[0] is None or days[1] is None:
            return None
        return (days[0].year - days[1].year) * 12 + days[0].month - days[1].month


@dataclass(frozen=True, slots=True)
class DaysBetween(_Between):
    """The days from one date to another."""

    KIND: ClassVar[str] = "days_between"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    first: Program
    """One date, to the day."""
    second: Program
    """The other date, to the day."""

    def difference(self, first: str, second: str) -> int | None:
        """Return one day less the other."""
        days = _day(first), _day(second)
        return None if days[0] is None or days[1] is None else (days[0] - days[1]).days


@dataclass(frozen=True, slots=True)
class Had:
    """What a program answers if a date of one entity had been some years later or earlier."""

    KIND: ClassVar[str] = "had"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"years"})

    entity: Program
    """Whose date is changed; exactly one."""
    relation: str
    """Which of its dates."""
    years: int
    """How many years later; negative for earlier."""
    then: Program
    """What is asked of the changed world."""

    def execute(self, world: World) -> Execution:
        """Return what holds in the changed world; the unchanged facts are the evidence."""
        changed = self.entity.execute(world)
        if changed.only_answer is None or not world.facts_of(changed.only_answer, self.relation):
            return NOTHING
        altered = _AlteredWorld(world, changed.only_answer, self.relation, self.years)
        then = self.then.execute(altered)
        evidence = (*changed.evidence, *(altered.stated(fact) for fact in then.evidence))
        return Execution(then.answers, distinct(evidence))


class _AlteredWorld(World):
    """A world seen with one date moved; it makes no index of its own."""

    __slots__ = ("_key", "_stated_by_moved", "_world", "_years")

    def __init__(self, world: World, subject: str, relation: str, years: int) -> None:
        self._world = world
        self._key = (subject, relation)
        self._years = years
        self._stated_by_moved: dict[Fact, Fact] = {}

    @property
    def documents(self) -> tuple[str, ...]:
        """The documents of the world."""
        return self._world.documents

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Every fact, the date moved."""
        return self._seen(self._world.facts)

    @property
    def relations(self) -> tuple[str, ...]:
        """Names of the relations that are stated."""
        return self._world.relations

    def facts_of(self, subject: str, relation: str) -> tuple[Fact, ...]:
        """Return what would be stated of a subject."""
        return self._seen(self._world.facts_of(subject, relation))

    def facts_naming(self, relation: str, value: str) -> tuple[Fact, ...]:
        """Return the facts that would have this value."""
        if relation != self._key[1]:
            return self._world.facts_naming(relation, value)
        facts = self._seen(self._world.facts_with(relation))
        return tuple(fact for fact in facts if fact.value == value)

    def facts_with(self, relation: str) -> tuple[Fact, ...]:
        """Return every fact of a relation, the date moved."""
        return self._seen(self._world.facts_with(relation))

    def facts_in(self, doc_id: str) -> tuple[Fact, ...]:
        """Return the facts of one document, the date moved."""
        return self._seen(self._world.facts_in(doc_id))

    def stated(self, fact: Fact) -> Fact:
        """Return the fact as the document states it."""
        return self._stated_by_moved.get(fact, fact)

    def _seen(self, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
        return tuple(self._moved(fact) if fact.key == self._key else fact for fact in facts)

    def _moved(self, fact: Fact) -> Fact:
        year = year_of(fact.value) if fact.value_kind == "date" else None
        if year is None or not 1000 <= year + self._years <= 9999:
            return fact
        moved = replace(fact, value=f"{year + self._years}{fact.value[4:]}")
        self._stated_by_moved[moved] = fact
        return moved


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


NODES: tuple[type[Program], ...] = (DaysBetween, Had, MonthsBetween, YearsBetween)
"""The node classes of this module."""
