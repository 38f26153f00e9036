"""Numbers: looked up by their full key, and arithmetic on them.

A numeric node measures a decimal with its unit on a world, and states the same as SQL over a table
`facts(subject, relation, unit, period_start, period_end, qualifiers, number)`, so that a second
engine can compute it from parsed values (`checks/second_opinion.py`). Units must agree where
numbers are added or compared; what does not agree is nothing.

`Rounded` is the root: it says how the answer is written.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation, localcontext
from typing import ClassVar, Protocol

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.quantities import plain
from longloom.synthesis.programs.node import NOTHING, Execution, Program, distinct
from longloom.synthesis.programs.world import World

QUALIFIER_SEPARATOR = "\x1f"
"""Joins qualifiers to one text in SQL."""
_CONTEXT = Context(prec=40)


@dataclass(frozen=True, slots=True)
class Measurement:
    """A number with its unit and the facts it rests on."""

    value: Decimal
    """The number, in units."""
    unit: str
    """Its unit; empty for a pure number."""
    evidence: tuple[Fact, ...]
    """The facts it was computed from."""


class Numeric(Program, Protocol):
    """A node that gives one number."""

    def measure(self, world: World) -> Measurement | None:
        """Return the number, or None if a step finds nothing or units disagree."""
        ...

    def sql(self) -> str:
        """Return the same number as an SQL expression, NULL where there is none."""
        ...


class NumericNode(ABC):
    """Execution of a numeric node as a program: its number as plain text."""

    __slots__ = ()

    @abstractmethod
    def measure(self, world: World) -> Measurement | None:
        """Return the number; every node says how."""

    def execute(self, world: World) -> Execution:
        """Return the exact number as the only answer."""
        measured = measure(self, world)
        if measured is None:
            return NOTHING
        return Execution(frozenset({plain(measured.value)}), measured.evidence)


def measure(node: Numeric | NumericNode, world: World) -> Measurement | None:
    """Measure `node` with 40 digits; what cannot be computed is nothing."""
    with localcontext(_CONTEXT):
        try:
            return node.measure(world)
        except (InvalidOperation, ArithmeticError):
            return None


def quoted(text: str) -> str:
    """Return `text` as an SQL literal."""
    return "'" + text.replace("\0", "").replace("'", "''") + "'"


def combined(*measured: Measurement) -> tuple[Fact, ...]:
    """Return the evidence of several measurements, each fact once."""
    return distinct(fact for one in measured for fact in one.evidence)


def flat(fact: Fact) -> tuple[str, ...]:
    """Return the qualifiers of a fact as nodes store them: name, value, name, value."""
    return tuple(part for pair in fact.qualifiers for part in pair)


def single(facts: Iterable[Fact], unit: str) -> Measurement | None:
    """Return the one number that facts state; nothing if there are none or they disagree."""
    first: Fact | None = None
    for fact in facts:
        if first is None:
            first = fact
        elif fact.value != first.value and Decimal(fact.value) != Decimal(first.value):
            return None
    return None if first is None else Measurement(Decimal(first.value), unit, (first,))


@dataclass(frozen=True, slots=True)
class Number(NumericNode):
    """The number that documents state under a full key."""

    KIND: ClassVar[str] = "number"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset(
        {"subject", "relation", "unit", "period_start", "period_end", "qualifiers"}
    )

    subject: str
    """Whom or what it is about."""
    relation: str
    """Which number."""
    unit: str
    """Its unit."""
    period_start: str
    """First day of its period; empty for an instant or none."""
    period_end: str
    """Last day of its period, or its day; empty if it has none."""
    qualifiers: tuple[str, ...]
    """Names and values of its further keys, in turn: `("table", "Cities")`."""

    def measure(self, world: World) -> Measurement | None:
        """Return the number if it is stated, and stated alike."""
        return number_of(self.subject, self, world)

    def sql(self) -> str:
        """Return the look-up as a scalar query."""
        return number_sql(quoted(self.subject), self)


@dataclass(frozen=True, slots=True)
class NumberOf(NumericNode):
    """The number of a subject that another node names: `the net income of the largest`."""

    KIND: ClassVar[str] = "number_of"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset(
        {"relation", "unit", "period_start", "period_end", "qualifiers"}
    )

    subject: Program
    """Gives the subject's name."""
    relation: str
    """Which number."""
    unit: str
    """Its unit."""
    period_start: str
    """First day of its period; empty for an instant or none."""
    period_end: str
    """Last day of its period, or its day; empty if it has none."""
    qualifiers: tuple[str, ...]
    """Names and values of its further keys, in turn."""

    def measure(self, world: World) -> Measurement | None:
        """Return the number of the only subject."""
        named = self.subject.execute(world)
        if named.only_answer is None:
            return None
        found = number_of(named.only_answer, self, world)
        if found is None:
            return None
        return Measurement(found.value, found.unit, distinct((*named.evidence, *found.evidence)))

    def sql(self) -> str:
        """Return the look-up with the subject as a scalar query."""
        return number_sql(self.subject.sql(), self)  # type: ignore[attr-defined]


def number_of(subject: str, key: Number | NumberOf, world: World) -> Measurement | None:
    """Return the number of `subject` under the rest of a key."""
    return single(
        (
            fact
            for fact in world.facts_of(subject, key.relation)
            if fact.value_kind == "number"
            and fact.unit == key.unit
            and fact.period_end == key.period_end
            and fact.period_start == key.period_start
            and flat(fact) == key.qualifiers
        ),
        key.unit,
    )


def number_sql(subject_sql: str, key: Number | NumberOf) -> str:
    """Return the look-up of a key as a scalar query."""
    return (
        "(SELECT CASE WHEN min(number) = max(number) THEN min(number) END FROM facts WHERE "
        f"subject = {subject_sql} AND relation = {quoted(key.relation)} "
        f"AND unit = {quoted(key.unit)} AND period_start = {quoted(key.period_start)} "
        f"AND period_end = {quoted(key.period_end)} AND qualifiers = "
        f"{quoted(QUALIFIER_SEPARATOR.join(key.qualifiers))})"
    )


@dataclass(frozen=True, slots=True)
class Stated(NumericNode):
    """A number that the question itself states."""

    KIND: ClassVar[str] = "stated_number"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"value", "unit"})

    value: str
    """A plain decimal."""
    unit: str
    """Its unit."""

    def measure(self, world: World) -> Measurement | None:
        """Return the stated number."""
        return Measurement(Decimal(self.value), self.unit, ())

    def sql(self) -> str:
        """Return the number itself."""
        return f"CAST({Decimal(self.value):f} AS DOUBLE)"


def pair_of(
    first: Numeric, second: Numeric, world: World
) -> tuple[Measurement, Measurement] | None:
    """Measure two numbers of one unit; nothing if either is missing or units differ."""
    one = first.measure(world)
    if one is None:
        return None
    other = second.measure(world)
    return None if other is None or other.unit != one.unit else (one, other)


@dataclass(frozen=True, slots=True)
class Rounded:
    """The root: a number as the answer writes it."""

    KIND: ClassVar[str] = "rounded"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"scale", "num_decimals", "style"})

    number: Numeric
    """What is asked."""
    scale: int
    """Power of ten it is given in: 6 for millions."""
    num_decimals: int
    """Decimals of the answer, rounded half up."""
    style: str
    """`plain` (`12345.6`), `money` (`$32.4 million`, `$980,000`) or `percent` (`4.5%`)."""

    def execute(self, world: World) -> Execution:
        """Return the number as it is written."""
        measured = measure(self.number, world)
        if measured is None:
            return NOTHING
        with localcontext(_CONTEXT):
            text = written(measured.value, self.scale, self.num_decimals, self.style)
        return NOTHING if text is None else Execution(frozenset({text}), measured.evidence)

    def sql(self) -> str:
        """Return the unrounded number in the answer's scale."""
        return f"({self.number.sql()} / 1e{int(self.scale)})"


_SCALE_WORDS = {0: "", 3: " thousand", 6: " million", 9: " billion", 12: " trillion"}


def written(value: Decimal, scale: int, num_decimals: int, style: str) -> str | None:
    """Return a number as answers write it; None if it cannot be written so."""
    if not 0 <= num_decimals <= 12 or abs(value.adjusted()) > 25 or abs(scale) > 15:
        return None
    rounded = value.scaleb(-scale).quantize(Decimal(1).scaleb(-num_decimals), ROUND_HALF_UP)
    if rounded == 0:
        rounded = abs(rounded)
    match style:
        case "plain":
            return format(rounded, "f")
        case "percent":
            return f"{rounded:f}%"
        case "money" if scale in _SCALE_WORDS:
            sign = "-" if rounded < 0 else ""
            return f"{sign}${abs(rounded):,f}{_SCALE_WORDS[scale]}"
        case _:
            return None


NODES: tuple[type[Program], ...] = (Number, NumberOf, Rounded, Stated)
"""The node classes of this module."""
