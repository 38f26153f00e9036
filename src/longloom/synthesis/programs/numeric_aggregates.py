"""Aggregates of collections: one number or one name out of several numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from types import MappingProxyType
from typing import ClassVar

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.node import NOTHING, Execution, Program, distinct
from longloom.synthesis.programs.numeric import Measurement, NumericNode, quoted
from longloom.synthesis.programs.numeric_series import Collection, Entry
from longloom.synthesis.programs.world import World

_HUNDRED = Decimal(100)


def _all_evidence(entries: tuple[Entry, ...]) -> tuple[Fact, ...]:
    return distinct(fact for _, one in entries for fact in one.evidence)


def _whole(numbers: Collection, expression: str, condition: str = "true") -> str:
    """Return an expression over the whole collection, NULL if a part of it is missing."""
    expected = numbers.num_expected()
    count = "count(*) > 0" if expected is None else f"count(*) = {expected}"
    return (
        f"(SELECT CASE WHEN {count} AND count(*) = count(number) AND {condition} "
        f"THEN {expression} END FROM ({numbers.sql()}))"
    )


def _total(values: list[Decimal]) -> Decimal:
    return sum(values, Decimal(0))


def _median(values: list[Decimal]) -> Decimal:
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _average_change(values: list[Decimal]) -> Decimal:
    return (values[-1] - values[0]) / (len(values) - 1)


_BY_NAME = "list(number ORDER BY name)"
_PAIRS = f"list_zip({_BY_NAME}[2:], {_BY_NAME}[:count(*) - 1])"
_STEPS = f"list_transform({_PAIRS}, lambda pair: pair[1] - pair[2])"
_AGGREGATES: MappingProxyType[str, tuple[Callable[[list[Decimal]], Decimal], str]] = (
    MappingProxyType(
        {
            "average_change": (
                _average_change,
                "(arg_max(number, name) - arg_min(number, name)) / (count(*) - 1)",
            ),
            "largest_rise": (
                lambda values: max(after - before for before, after in pairwise(values)),
                f"list_max({_STEPS})",
            ),
            "mean": (lambda values: _total(values) / len(values), "sum(number) / count(*)"),
            "median": (_median, "median(number)"),
            "spread": (lambda values: max(values) - min(values), "max(number) - min(number)"),
            "total": (_total, "sum(number)"),
        }
    )
)
"""How an aggregate is computed from the numbers in order, and in SQL; steps go by name."""
_NEED_TWO = frozenset({"average_change", "largest_rise"})


@dataclass(frozen=True, slots=True)
class Aggregate(NumericNode):
    """One number out of all of a collection, in its unit."""

    KIND: ClassVar[str] = "aggregate"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    function: str
    """`total`, `mean`, `median`, `spread` (largest less smallest), `average_change` (from one year
    to the next) or `largest_rise`."""
    numbers: Collection
    """The numbers."""

    def measure(self, world: World) -> Measurement | None:
        """Return the aggregate; nothing of nothing."""
        entries = self.numbers.entries(world)
        known = _AGGREGATES.get(self.function)
        if known is None or len(entries) < 1 + (self.function in _NEED_TWO):
            return None
        value = known[0]([one.value for _, one in entries])
        return Measurement(value, entries[0][1].unit, _all_evidence(entries))

    def sql(self) -> str:
        """Return the aggregate of the query."""
        return _whole(self.numbers, _AGGREGATES[self.function][1])


@dataclass(frozen=True, slots=True)
class Nth(NumericNode):
    """The n-th largest or smallest number of a collection."""

    KIND: ClassVar[str] = "nth"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"place"})

    order: str
    """`largest` or `smallest`."""
    place: int
    """1 for the first."""
    numbers: Collection
    """The numbers."""

    def measure(self, world: World) -> Measurement | None:
        """Return the number; nothing if it shares its place."""
        named = nth_entry(self.numbers.entries(world), self.order, self.place)
        if named is None:
            return None
        (_, one), evidence = named
        return Measurement(one.value, one.unit, evidence)

    def sql(self) -> str:
        """Return the number from the ordered list."""
        way = "DESC" if self.order == "largest" else "ASC"
        return _whole(self.numbers, f"list(number ORDER BY number {way})[{int(self.place)}]")


def nth_entry(
    entries: tuple[Entry, ...], order: str, place: int
) -> tuple[Entry, tuple[Fact, ...]] | None:
    """Return the entry at a place with all evidence; nothing if another shares its number."""
    ordered = sorted(entries, key=lambda entry: entry[1].value, reverse=order == "largest")
    if not 1 <= place <= len(ordered):
        return None
    chosen = ordered[place - 1]
    if sum(one.value == chosen[1].value for _, one in entries) != 1:
        return None
    return chosen, distinct((*chosen[1].evidence, *_all_evidence(entries)))


@dataclass(frozen=True, slots=True)
class Leader:
    """The name at a place of a collection: which of them had the second largest number."""

    KIND: ClassVar[str] = "leader"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"place"})

    order: str
    """`largest` or `smallest`."""
    place: int
    """1 for the first."""
    numbers: Collection
    """The numbers."""

    def execute(self, world: World) -> Execution:
        """Return the name; nothing if two share the place."""
        named = nth_entry(self.numbers.entries(world), self.order, self.place)
        return NOTHING if named is None else Execution(frozenset({named[0][0]}), named[1])

    def sql(self) -> str:
        """Return the name from the ordered list."""
        way = "DESC" if self.order == "largest" else "ASC"
        return _whole(self.numbers, f"list(name ORDER BY number {way})[{int(self.place)}]")


@dataclass(frozen=True, slots=True)
class FirstBeyond:
    """The first name, in the order of time, whose number is above or below a threshold."""

    KIND: ClassVar[str] = "first_beyond"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"threshold"})

    side: str
    """`above` or `below`."""
    threshold: str
    """A plain decimal."""
    numbers: Collection
    """The numbers, in order of time."""

    def execute(self, world: World) -> Execution:
        """Return the name; nothing if none is beyond."""
        entries = self.numbers.entries(world)
        for name, one in sorted(entries):
            if _is_beyond(one.value, self.side, self.threshold):
                return Execution(frozenset({name}), _all_evidence(entries))
        return NOTHING

    def sql(self) -> str:
        """Return the least name that fits."""
        return _whole(self.numbers, f"min(name) FILTER ({_beyond_sql(self.side, self.threshold)})")


@dataclass(frozen=True, slots=True)
class CountBeyond(NumericNode):
    """How many numbers of a collection are above or below a threshold."""

    KIND: ClassVar[str] = "count_beyond"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"threshold"})

    side: str
    """`above` or `below`."""
    threshold: str
    """A plain decimal."""
    numbers: Collection
    """The numbers."""

    def measure(self, world: World) -> Measurement | None:
        """Count."""
        entries = self.numbers.entries(world)
        if not entries:
            return None
        count = sum(_is_beyond(one.value, self.side, self.threshold) for _, one in entries)
        return Measurement(Decimal(count), "", _all_evidence(entries))

    def sql(self) -> str:
        """Count."""
        return _whole(self.numbers, f"count(*) FILTER ({_beyond_sql(self.side, self.threshold)})")


def _is_beyond(value: Decimal, side: str, threshold: str) -> bool:
    return value > Decimal(threshold) if side == "above" else value < Decimal(threshold)


def _beyond_sql(side: str, threshold: str) -> str:
    return f"number {'>' if side == 'above' else '<'} {Decimal(threshold):f}"


@dataclass(frozen=True, slots=True)
class CountChanges(NumericNode):
    """In how many years a number was above, or below, that of the year before."""

    KIND: ClassVar[str] = "count_changes"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    way: str
    """`rises` or `falls`."""
    numbers: Collection
    """The numbers, in order of time."""

    def measure(self, world: World) -> Measurement | None:
        """Count the steps."""
        entries = self.numbers.entries(world)
        if len(entries) < 2:
            return None
        steps = [after[1].value - before[1].value for before, after in pairwise(entries)]
        count = sum(step > 0 if self.way == "rises" else step < 0 for step in steps)
        return Measurement(Decimal(count), "", _all_evidence(entries))

    def sql(self) -> str:
        """Count the steps."""
        sign = ">" if self.way == "rises" else "<"
        return _whole(self.numbers, f"len(list_filter({_STEPS}, lambda step: step {sign} 0))")


@dataclass(frozen=True, slots=True)
class Count(NumericNode):
    """How many numbers a collection holds."""

    KIND: ClassVar[str] = "count_numbers"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    numbers: Collection
    """What is counted."""

    def measure(self, world: World) -> Measurement | None:
        """Count."""
        entries = self.numbers.entries(world)
        if not entries:
            return None
        return Measurement(Decimal(len(entries)), "", _all_evidence(entries))

    def sql(self) -> str:
        """Count."""
        return _whole(self.numbers, "count(*)")


@dataclass(frozen=True, slots=True)
class RankOf(NumericNode):
    """The place of a name in a collection, from the largest or the smallest."""

    KIND: ClassVar[str] = "rank_of"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"name"})

    order: str
    """`largest` or `smallest` is the first."""
    name: str
    """Whose place is asked."""
    numbers: Collection
    """The numbers."""

    def measure(self, world: World) -> Measurement | None:
        """Return one more than the number of entries before it; nothing if one is equal."""
        entries = self.numbers.entries(world)
        asked = dict(entries).get(self.name)
        if asked is None or sum(one.value == asked.value for _, one in entries) != 1:
            return None
        before = sum(
            one.value > asked.value if self.order == "largest" else one.value < asked.value
            for _, one in entries
        )
        return Measurement(Decimal(before + 1), "", _all_evidence(entries))

    def sql(self) -> str:
        """Find the name in the ordered list."""
        way = "DESC" if self.order == "largest" else "ASC"
        names = f"list(name ORDER BY number {way})"
        return _whole(self.numbers, f"nullif(list_position({names}, {quoted(self.name)}), 0)")


@dataclass(frozen=True, slots=True)
class WeightedMean(NumericNode):
    """The mean of numbers, each weighted by that of the same name in another collection."""

    KIND: ClassVar[str] = "weighted_mean"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    numbers: Collection
    """What is averaged."""
    weights: Collection
    """The weights: not negative, of the same names."""

    def measure(self, world: World) -> Measurement | None:
        """Divide the weighted sum by the sum of weights."""
        entries, weights = self.numbers.entries(world), dict(self.weights.entries(world))
        if not entries or {name for name, _ in entries} != weights.keys():
            return None
        total = _total([one.value for one in weights.values()])
        if total <= 0 or any(one.value < 0 for one in weights.values()):
            return None
        weighted = _total([one.value * weights[name].value for name, one in entries])
        evidence = _all_evidence((*entries, *weights.items()))
        return Measurement(weighted / total, entries[0][1].unit, evidence)

    def sql(self) -> str:
        """Join numbers with weights."""
        return (
            "(SELECT CASE WHEN count(*) = count(a.number * b.number) THEN "
            "sum(a.number * b.number) / nullif(sum(b.number), 0) END "
            f"FROM ({self.numbers.sql()}) a FULL JOIN ({self.weights.sql()}) b USING (name))"
        )


NODES: tuple[type[Program], ...] = (
    Aggregate,
    Count,
    CountBeyond,
    CountChanges,
    FirstBeyond,
    Leader,
    Nth,
    RankOf,
    WeightedMean,
)
"""The node classes of this module."""
