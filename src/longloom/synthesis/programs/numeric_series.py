"""Several numbers of one kind: over years, over subjects, over tables, or a column of a table.

A collection gives named numbers of one unit, and the same as an SQL query `SELECT name, number`.
What it names must be found: a sum of which one part is missing is no answer. Aggregates of
collections are in `numeric_aggregates.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Protocol

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.node import NOTHING, Execution, Program, distinct
from longloom.synthesis.programs.numeric import (
    QUALIFIER_SEPARATOR,
    Measurement,
    Number,
    flat,
    quoted,
    single,
)
from longloom.synthesis.programs.world import World

Entry = tuple[str, Measurement]
"""A name with its number."""


class Collection(Program, Protocol):
    """A node that gives named numbers of one unit, each name once."""

    def entries(self, world: World) -> tuple[Entry, ...]:
        """Return the named numbers; none if any that is asked for is missing."""
        ...

    def sql(self) -> str:
        """Return the same as a query of `name` and `number`."""
        ...

    def num_expected(self) -> int | None:
        """Return how many there must be; None if the documents decide."""
        ...


class CollectionNode(ABC):
    """Execution of a collection as a program: the set of its names."""

    __slots__ = ()

    @abstractmethod
    def entries(self, world: World) -> tuple[Entry, ...]:
        """Return the named numbers; every node says how."""

    def execute(self, world: World) -> Execution:
        """Return the names as the answers."""
        entries = self.entries(world)
        if not entries:
            return NOTHING
        evidence = distinct(fact for _, one in entries for fact in one.evidence)
        return Execution(frozenset(name for name, _ in entries), evidence)


def interval(fact: Fact) -> str:
    """Return the period of a fact as nodes store it: `2023-01-01/2023-12-31`, `/2023-12-31`."""
    return f"{fact.period_start}/{fact.period_end}"


_SELECT = (
    "SELECT {name} AS name, CASE WHEN min(number) = max(number) THEN min(number) END AS number "
    "FROM facts WHERE relation = {relation} AND unit = {unit} AND {where} GROUP BY {group}"
)


def _select(name: str, relation: str, unit: str, where: str, group: str = "") -> str:
    return _SELECT.format(
        name=name, relation=quoted(relation), unit=quoted(unit), where=where, group=group or name
    )


@dataclass(frozen=True, slots=True)
class OverPeriods(CollectionNode):
    """One number of one subject in several periods, named by the year in which each ends."""

    KIND: ClassVar[str] = "over_periods"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset(
        {"subject", "relation", "unit", "qualifiers", "periods"}
    )

    subject: str
    """Whom or what the numbers are about."""
    relation: str
    """Which number."""
    unit: str
    """Their unit."""
    qualifiers: tuple[str, ...]
    """Names and values of their further keys, in turn."""
    periods: tuple[str, ...]
    """First and last day of every period, joined by a slash, in order of time."""

    def entries(self, world: World) -> tuple[Entry, ...]:
        """Return a number for every period."""
        found = []
        for period in self.periods:
            start, _, end = period.partition("/")
            key = Number(self.subject, self.relation, self.unit, start, end, self.qualifiers)
            measured = key.measure(world)
            if measured is None:
                return ()
            found.append((end[:4], measured))
        return tuple(found) if len({name for name, _ in found}) == len(found) else ()

    def sql(self) -> str:
        """Select by subject, grouped by period."""
        periods = ", ".join(quoted(period) for period in self.periods)
        where = (
            f"subject = {quoted(self.subject)} "
            f"AND qualifiers = {quoted(QUALIFIER_SEPARATOR.join(self.qualifiers))} "
            f"AND period_start || '/' || period_end IN ({periods})"
        )
        return _select("left(period_end, 4)", self.relation, self.unit, where, "period_end")

    def num_expected(self) -> int | None:
        """One a period."""
        return len(self.periods)


@dataclass(frozen=True, slots=True)
class OverSubjects(CollectionNode):
    """One number of several subjects, each in its own period, named by the subject."""

    KIND: ClassVar[str] = "over_subjects"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset(
        {"subjects", "relation", "unit", "qualifiers", "periods"}
    )

    subjects: tuple[str, ...]
    """Whom or what the numbers are about."""
    relation: str
    """Which number."""
    unit: str
    """Their unit."""
    qualifiers: tuple[str, ...]
    """Names and values of their further keys, in turn."""
    periods: tuple[str, ...]
    """The period of every subject; a slash alone for none."""

    def entries(self, world: World) -> tuple[Entry, ...]:
        """Return a number for every subject."""
        found = []
        for subject, period in zip(self.subjects, self.periods, strict=False):
            start, _, end = period.partition("/")
            key = Number(subject, self.relation, self.unit, start, end, self.qualifiers)
            measured = key.measure(world)
            if measured is None:
                return ()
            found.append((subject, measured))
        is_whole = len(self.subjects) == len(self.periods) == len(set(self.subjects))
        return tuple(found) if is_whole else ()

    def sql(self) -> str:
        """Select by subject and period, grouped by subject."""
        pairs = ", ".join(
            f"({quoted(subject)}, {quoted(period)})"
            for subject, period in zip(self.subjects, self.periods, strict=False)
        )
        where = (
            f"qualifiers = {quoted(QUALIFIER_SEPARATOR.join(self.qualifiers))} "
            f"AND (subject, period_start || '/' || period_end) IN ({pairs})"
        )
        return _select("subject", self.relation, self.unit, where)

    def num_expected(self) -> int | None:
        """One a subject."""
        return len(self.subjects)


@dataclass(frozen=True, slots=True)
class OverTables(CollectionNode):
    """One cell, by row and column, in several tables, named by the table."""

    KIND: ClassVar[str] = "over_tables"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset(
        {"subject", "relation", "unit", "period", "tables"}
    )

    subject: str
    """Key of the row."""
    relation: str
    """Which column."""
    unit: str
    """Their unit."""
    period: str
    """Period of the cells; a slash alone for none."""
    tables: tuple[str, ...]
    """Titles of the tables."""

    def entries(self, world: World) -> tuple[Entry, ...]:
        """Return a number for every table."""
        start, _, end = self.period.partition("/")
        found = []
        for table in self.tables:
            key = Number(self.subject, self.relation, self.unit, start, end, ("table", table))
            measured = key.measure(world)
            if measured is None:
                return ()
            found.append((table, measured))
        return tuple(found) if len(set(self.tables)) == len(self.tables) else ()

    def sql(self) -> str:
        """Select by subject, grouped by table."""
        keys = ", ".join(
            quoted(QUALIFIER_SEPARATOR.join(("table", table))) for table in self.tables
        )
        where = (
            f"subject = {quoted(self.subject)} "
            f"AND period_start || '/' || period_end = {quoted(self.period)} "
            f"AND qualifiers IN ({keys})"
        )
        return _select("substr(qualifiers, 7)", self.relation, self.unit, where)

    def num_expected(self) -> int | None:
        """One a table."""
        return len(self.tables)


@dataclass(frozen=True, slots=True)
class Column(CollectionNode):
    """Every number in a column of a table, named by its row: whatever the documents hold."""

    KIND: ClassVar[str] = "column"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"relation", "unit", "period", "qualifiers"})

    relation: str
    """Which column."""
    unit: str
    """Its unit."""
    period: str
    """Period of its rows; a slash alone for none."""
    qualifiers: tuple[str, ...]
    """Names and values of further keys, in turn: its table."""

    def entries(self, world: World) -> tuple[Entry, ...]:
        """Return a number for every row; none if a row has two."""
        groups: dict[str, list[Fact]] = {}
        for fact in world.facts_with(self.relation):
            is_of_column = fact.value_kind == "number" and fact.unit == self.unit
            if is_of_column and flat(fact) == self.qualifiers and interval(fact) == self.period:
                groups.setdefault(fact.subject, []).append(fact)
        found = [(name, single(facts, self.unit)) for name, facts in groups.items()]
        entries = tuple((name, measured) for name, measured in found if measured is not None)
        return entries if len(entries) == len(found) else ()

    def sql(self) -> str:
        """Select the column, grouped by row."""
        where = (
            f"qualifiers = {quoted(QUALIFIER_SEPARATOR.join(self.qualifiers))} "
            f"AND period_start || '/' || period_end = {quoted(self.period)}"
        )
        return _select("subject", self.relation, self.unit, where)

    def num_expected(self) -> int | None:
        """As many as the documents hold."""
        return None


def _stated(facts: Iterable[Fact], qualifiers: tuple[str, ...], period: str) -> list[Fact]:
    return [fact for fact in facts if flat(fact) == qualifiers and interval(fact) == period]


@dataclass(frozen=True, slots=True)
class WithText(CollectionNode):
    """The numbers of those rows that have a text in another column of the same table."""

    KIND: ClassVar[str] = "with_text"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"relation", "text"})

    column: Column
    """The numbers."""
    relation: str
    """The other column."""
    text: str
    """What it says."""

    def entries(self, world: World) -> tuple[Entry, ...]:
        """Return the numbers of the rows that fit."""
        naming = _stated(
            world.facts_naming(self.relation, self.text),
            self.column.qualifiers,
            self.column.period,
        )
        reasons = {fact.subject: fact for fact in reversed(naming)}
        return tuple(
            (name, Measurement(one.value, one.unit, (reasons[name], *one.evidence)))
            for name, one in self.column.entries(world)
            if name in reasons
        )

    def sql(self) -> str:
        """Join the column with the other one."""
        return (
            f"SELECT name, number FROM ({self.column.sql()}) WHERE name IN (SELECT subject FROM "
            f"facts WHERE relation = {quoted(self.relation)} AND value = {quoted(self.text)} "
            f"AND qualifiers = {quoted(QUALIFIER_SEPARATOR.join(self.column.qualifiers))} "
            f"AND period_start || '/' || period_end = {quoted(self.column.period)})"
        )

    def num_expected(self) -> int | None:
        """As many as the documents hold."""
        return None


@dataclass(frozen=True, slots=True)
class WithNumber(CollectionNode):
    """The numbers of those rows whose number in another column is above or below a threshold."""

    KIND: ClassVar[str] = "with_number"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"threshold"})

    column: Column
    """The numbers."""
    other: Column
    """The column that decides, of the same table."""
    side: str
    """`above` or `below`."""
    threshold: str
    """A plain decimal."""

    def entries(self, world: World) -> tuple[Entry, ...]:
        """Return the numbers of the rows that fit."""
        threshold = Decimal(self.threshold)
        reasons = {
            name: one
            for name, one in self.other.entries(world)
            if (one.value > threshold if self.side == "above" else one.value < threshold)
        }
        return tuple(
            (name, Measurement(one.value, one.unit, (*reasons[name].evidence, *one.evidence)))
            for name, one in self.column.entries(world)
            if name in reasons
        )

    def sql(self) -> str:
        """Join the column with the other one."""
        sign = ">" if self.side == "above" else "<"
        return (
            f"SELECT name, number FROM ({self.column.sql()}) WHERE name IN (SELECT name FROM "
            f"({self.other.sql()}) WHERE number {sign} {Decimal(self.threshold):f})"
        )

    def num_expected(self) -> int | None:
        """As many as the documents hold."""
        return None


NODES: tuple[type[Program], ...] = (
    Column,
    OverPeriods,
    OverSubjects,
    OverTables,
    WithNumber,
    WithText,
)
"""The node classes of this module."""
