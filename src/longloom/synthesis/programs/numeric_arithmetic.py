"""Arithmetic on two numbers: differences, ratios, changes in percent, growth, counterfactuals."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.numeric import (
    Measurement,
    Numeric,
    NumericNode,
    combined,
    pair_of,
)
from longloom.synthesis.programs.world import World

_HUNDRED = Decimal(100)
_NEAR_ZERO = Decimal("1e-9")


@dataclass(frozen=True, slots=True)
class Plus(NumericNode):
    """The sum of two numbers of one unit."""

    KIND: ClassVar[str] = "plus"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    first: Numeric
    """One number."""
    second: Numeric
    """The other."""

    def measure(self, world: World) -> Measurement | None:
        """Add."""
        pair = pair_of(self.first, self.second, world)
        return pair and Measurement(pair[0].value + pair[1].value, pair[0].unit, combined(*pair))

    def sql(self) -> str:
        """Add."""
        return f"({self.first.sql()} + {self.second.sql()})"


@dataclass(frozen=True, slots=True)
class Difference(NumericNode):
    """What the first number has over the second; for percentages, in percentage points."""

    KIND: ClassVar[str] = "difference"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    first: Numeric
    """The minuend."""
    second: Numeric
    """The subtrahend."""

    def measure(self, world: World) -> Measurement | None:
        """Subtract."""
        pair = pair_of(self.first, self.second, world)
        return pair and Measurement(pair[0].value - pair[1].value, pair[0].unit, combined(*pair))

    def sql(self) -> str:
        """Subtract."""
        return f"({self.first.sql()} - {self.second.sql()})"


@dataclass(frozen=True, slots=True)
class Ratio(NumericNode):
    """How many times the second number goes into the first."""

    KIND: ClassVar[str] = "ratio"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    first: Numeric
    """The numerator."""
    second: Numeric
    """The denominator."""

    def measure(self, world: World) -> Measurement | None:
        """Divide; a pure number."""
        pair = pair_of(self.first, self.second, world)
        if pair is None or abs(pair[1].value) < _NEAR_ZERO:
            return None
        return Measurement(pair[0].value / pair[1].value, "", combined(*pair))

    def sql(self) -> str:
        """Divide."""
        return f"({self.first.sql()} / nullif({self.second.sql()}, 0))"


@dataclass(frozen=True, slots=True)
class PercentOf(NumericNode):
    """A part as a percentage of a whole."""

    KIND: ClassVar[str] = "percent_of"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    part: Numeric
    """The part."""
    whole: Numeric
    """What it is a part of."""

    def measure(self, world: World) -> Measurement | None:
        """Divide, in percent."""
        pair = pair_of(self.part, self.whole, world)
        if pair is None or abs(pair[1].value) < _NEAR_ZERO:
            return None
        return Measurement(pair[0].value / pair[1].value * _HUNDRED, "%", combined(*pair))

    def sql(self) -> str:
        """Divide, in percent."""
        return f"(100.0 * {self.part.sql()} / nullif({self.whole.sql()}, 0))"


@dataclass(frozen=True, slots=True)
class PercentChange(NumericNode):
    """By how many percent the second number is above the first (negative: below)."""

    KIND: ClassVar[str] = "percent_change"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    before: Numeric
    """The number it starts from; must be above zero."""
    after: Numeric
    """The number it ends with."""

    def measure(self, world: World) -> Measurement | None:
        """Divide the difference by the start, in percent."""
        pair = pair_of(self.before, self.after, world)
        if pair is None or pair[0].value < _NEAR_ZERO:
            return None
        change = (pair[1].value - pair[0].value) / pair[0].value * _HUNDRED
        return Measurement(change, "%", combined(*pair))

    def sql(self) -> str:
        """Divide the difference by the start, in percent."""
        before = self.before.sql()
        return f"(100.0 * ({self.after.sql()} - {before}) / nullif({before}, 0))"


@dataclass(frozen=True, slots=True)
class AnnualGrowth(NumericNode):
    """The compound annual growth rate between two numbers some years apart, in percent."""

    KIND: ClassVar[str] = "annual_growth"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"num_years"})

    before: Numeric
    """The first number; above zero."""
    after: Numeric
    """The last number; above zero."""
    num_years: int
    """Years between them."""

    def measure(self, world: World) -> Measurement | None:
        """Take the root of the growth factor."""
        pair = pair_of(self.before, self.after, world)
        if pair is None or min(pair[0].value, pair[1].value) <= 0 or self.num_years < 1:
            return None
        factor = (pair[1].value / pair[0].value) ** (1 / Decimal(self.num_years))
        return Measurement((factor - 1) * _HUNDRED, "%", combined(*pair))

    def sql(self) -> str:
        """Take the root of the growth factor."""
        factor = f"({self.after.sql()} / nullif({self.before.sql()}, 0))"
        return f"(100.0 * (power({factor}, 1.0 / {int(self.num_years)}) - 1))"


@dataclass(frozen=True, slots=True)
class Grown(NumericNode):
    """A number after some years of growth by a percentage: a counterfactual."""

    KIND: ClassVar[str] = "grown"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"num_years"})

    start: Numeric
    """The number that grows."""
    percent: Numeric
    """Growth a year, in percent; negative to shrink."""
    num_years: int
    """How often it grows."""

    def measure(self, world: World) -> Measurement | None:
        """Compound."""
        start, percent = self.start.measure(world), self.percent.measure(world)
        if start is None or percent is None or percent.unit != "%" or not 0 < self.num_years < 100:
            return None
        factor = (1 + percent.value / _HUNDRED) ** self.num_years
        return Measurement(start.value * factor, start.unit, combined(start, percent))

    def sql(self) -> str:
        """Compound."""
        factor = f"power(1 + {self.percent.sql()} / 100.0, {int(self.num_years)})"
        return f"({self.start.sql()} * {factor})"


NODES: tuple[type[Program], ...] = (
    AnnualGrowth,
    Difference,
    Grown,
    PercentChange,
    PercentOf,
    Plus,
    Ratio,
)
"""The node classes of this module."""
