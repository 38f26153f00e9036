"""Dated finance: interest, fees, amortisation, rates, with the usual misreadings as neighbours.

Every node says which convention it follows; a misreading (a half-year's interest for a year's, a
month too few, the fee left out) is the same program with one field changed, so that distractors
come from executed programs too. Rates are in percent. Money keeps the unit of its principal.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import ClassVar

from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.numeric import (
    Measurement,
    Numeric,
    NumericNode,
    combined,
    quoted,
)
from longloom.synthesis.programs.world import World

_HUNDRED = Decimal(100)
_MAX_PERIODS = 1_200


def _money_and_rate(
    money: Numeric, percent: Numeric, world: World
) -> tuple[Measurement, Measurement] | None:
    amount, rate = money.measure(world), percent.measure(world)
    if amount is None or rate is None or rate.unit != "%" or amount.unit == "%":
        return None
    return amount, rate


def num_months(start: str, end: str) -> int | None:
    """Return the whole months from one `YYYY-MM` or `YYYY-MM-DD` date to another.

    July 2022 to August 2023 is 13 months: the first month is not counted, the last one is.
    """
    try:
        first, last = (
            date.fromisoformat(day if len(day) > 7 else f"{day}-01") for day in (start, end)
        )
    except ValueError:
        return None
    months = 12 * (last.year - first.year) + last.month - first.month
    return months - (last.day < first.day)


@dataclass(frozen=True, slots=True)
class Share(NumericNode):
    """A percentage of an amount: an issuance fee, a discount, a year's simple interest."""

    KIND: ClassVar[str] = "share_of_amount"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    amount: Numeric
    """The amount."""
    percent: Numeric
    """The percentage."""

    def measure(self, world: World) -> Measurement | None:
        """Multiply."""
        pair = _money_and_rate(self.amount, self.percent, world)
        return pair and Measurement(
            pair[0].value * pair[1].value / _HUNDRED, pair[0].unit, combined(*pair)
        )

    def sql(self) -> str:
        """Multiply."""
        return f"({self.amount.sql()} * {self.percent.sql()} / 100.0)"


@dataclass(frozen=True, slots=True)
class Coupons(NumericNode):
    """The interest paid in some payments on an amount that stays outstanding."""

    KIND: ClassVar[str] = "coupons"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"payments_per_year", "num_payments"})

    principal: Numeric
    """What interest is paid on."""
    annual_percent: Numeric
    """The stated annual rate."""
    payments_per_year: int
    """2 for semi-annual."""
    num_payments: int
    """How many payments are counted."""

    def measure(self, world: World) -> Measurement | None:
        """Divide the year's interest over its payments."""
        pair = _money_and_rate(self.principal, self.annual_percent, world)
        if pair is None or not 0 < self.payments_per_year <= 365 or self.num_payments < 1:
            return None
        interest = pair[0].value * pair[1].value / _HUNDRED / self.payments_per_year
        return Measurement(interest * self.num_payments, pair[0].unit, combined(*pair))

    def sql(self) -> str:
        """Divide the year's interest over its payments."""
        return (
            f"({self.principal.sql()} * {self.annual_percent.sql()} / 100.0 "
            f"/ {int(self.payments_per_year)} * {int(self.num_payments)})"
        )


@dataclass(frozen=True, slots=True)
class InterestBetween(NumericNode):
    """Simple interest by whole months between two dates."""

    KIND: ClassVar[str] = "interest_between"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"start", "end", "extra_months"})

    principal: Numeric
    """What interest accrues on."""
    annual_percent: Numeric
    """The annual rate."""
    start: str
    """ISO month or day from which it accrues."""
    end: str
    """ISO month or day to which it accrues."""
    extra_months: int
    """0; a wrong count of months is a misreading."""

    def measure(self, world: World) -> Measurement | None:
        """Take a twelfth of the year's interest for every month."""
        pair = _money_and_rate(self.principal, self.annual_percent, world)
        months = num_months(self.start, self.end)
        if pair is None or months is None or months + self.extra_months < 1:
            return None
        years = Decimal(months + self.extra_months) / 12
        interest = pair[0].value * pair[1].value / _HUNDRED * years
        return Measurement(interest, pair[0].unit, combined(*pair))

    def sql(self) -> str:
        """Count months by the calendar."""
        days = [quoted(day if len(day) > 7 else f"{day}-01") for day in (self.start, self.end)]
        months = f"datesub('month', DATE {days[0]}, DATE {days[1]})"
        return (
            f"({self.principal.sql()} * {self.annual_percent.sql()} / 1200.0 "
            f"* ({months} + {int(self.extra_months)}))"
        )


@dataclass(frozen=True, slots=True)
class Compounded(NumericNode):
    """An amount after some periods of compound interest, or the interest alone."""

    KIND: ClassVar[str] = "compounded"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"periods_per_year", "num_periods"})

    principal: Numeric
    """What it starts from."""
    annual_percent: Numeric
    """The nominal annual rate."""
    periods_per_year: int
    """How often a year interest is added."""
    num_periods: int
    """How often it is added in all."""

    def measure(self, world: World) -> Measurement | None:
        """Compound."""
        pair = _money_and_rate(self.principal, self.annual_percent, world)
        if pair is None or not 0 < self.periods_per_year <= 365:
            return None
        if not 0 < self.num_periods <= _MAX_PERIODS:
            return None
        factor = 1 + pair[1].value / _HUNDRED / self.periods_per_year
        return Measurement(pair[0].value * factor**self.num_periods, pair[0].unit, combined(*pair))

    def sql(self) -> str:
        """Compound."""
        factor = f"(1 + {self.annual_percent.sql()} / 100.0 / {int(self.periods_per_year)})"
        return f"({self.principal.sql()} * power({factor}, {int(self.num_periods)}))"


@dataclass(frozen=True, slots=True)
class Discounted(NumericNode):
    """What an amount due in some years is worth today at an annual rate."""

    KIND: ClassVar[str] = "discounted"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"num_years"})

    amount: Numeric
    """What is due."""
    annual_percent: Numeric
    """The rate it is discounted at."""
    num_years: int
    """Years until it is due."""

    def measure(self, world: World) -> Measurement | None:
        """Divide by the growth factor."""
        pair = _money_and_rate(self.amount, self.annual_percent, world)
        if pair is None or not 0 < self.num_years <= 100:
            return None
        factor = (1 + pair[1].value / _HUNDRED) ** self.num_years
        return Measurement(pair[0].value / factor, pair[0].unit, combined(*pair))

    def sql(self) -> str:
        """Divide by the growth factor."""
        factor = f"power(1 + {self.annual_percent.sql()} / 100.0, {int(self.num_years)})"
        return f"({self.amount.sql()} / {factor})"


@dataclass(frozen=True, slots=True)
class LevelPayment(NumericNode):
    """The equal payment at the end of each period that repays a loan with interest."""

    KIND: ClassVar[str] = "level_payment"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"periods_per_year", "num_periods"})

    principal: Numeric
    """The loan."""
    annual_percent: Numeric
    """Its nominal annual rate; above zero."""
    periods_per_year: int
    """Payments a year."""
    num_periods: int
    """Payments in all."""

    def measure(self, world: World) -> Measurement | None:
        """Apply the annuity formula."""
        pair = _money_and_rate(self.principal, self.annual_percent, world)
        if pair is None or not 0 < self.periods_per_year <= 365 or pair[1].value <= 0:
            return None
        if not 0 < self.num_periods <= _MAX_PERIODS:
            return None
        rate = pair[1].value / _HUNDRED / self.periods_per_year
        payment = pair[0].value * rate / (1 - (1 + rate) ** -self.num_periods)
        return Measurement(payment, pair[0].unit, combined(*pair))

    def sql(self) -> str:
        """Apply the annuity formula."""
        rate = f"({self.annual_percent.sql()} / 100.0 / {int(self.periods_per_year)})"
        return (
            f"({self.principal.sql()} * {rate} / (1 - power(1 + {rate}, -{int(self.num_periods)})))"
        )


@dataclass(frozen=True, slots=True)
class StraightLine(NumericNode):
    """What is left of an amount that is written down evenly, by months."""

    KIND: ClassVar[str] = "straight_line"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"num_months", "life_months"})

    amount: Numeric
    """What is written down."""
    num_months: int
    """Months gone by."""
    life_months: int
    """Months over which it is written down."""

    def measure(self, world: World) -> Measurement | None:
        """Take off the months gone by."""
        amount = self.amount.measure(world)
        if amount is None or not 0 <= self.num_months <= self.life_months <= _MAX_PERIODS:
            return None
        left = amount.value * (self.life_months - self.num_months) / self.life_months
        return Measurement(left, amount.unit, amount.evidence)

    def sql(self) -> str:
        """Take off the months gone by."""
        left = int(self.life_months) - int(self.num_months)
        return f"({self.amount.sql()} * {left} / {int(self.life_months)}.0)"


@dataclass(frozen=True, slots=True)
class EffectiveRate(NumericNode):
    """The effective annual rate of a nominal rate that is compounded several times a year."""

    KIND: ClassVar[str] = "effective_rate"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"periods_per_year"})

    annual_percent: Numeric
    """The nominal annual rate."""
    periods_per_year: int
    """How often a year interest is added."""

    def measure(self, world: World) -> Measurement | None:
        """Compound over a year."""
        rate = self.annual_percent.measure(world)
        if rate is None or rate.unit != "%" or not 0 < self.periods_per_year <= 365:
            return None
        factor = (1 + rate.value / _HUNDRED / self.periods_per_year) ** self.periods_per_year
        return Measurement((factor - 1) * _HUNDRED, "%", rate.evidence)

    def sql(self) -> str:
        """Compound over a year."""
        times = int(self.periods_per_year)
        return f"(100.0 * (power(1 + {self.annual_percent.sql()} / 100.0 / {times}, {times}) - 1))"


@dataclass(frozen=True, slots=True)
class MonthlyRate(NumericNode):
    """The monthly rate that compounds to an annual rate."""

    KIND: ClassVar[str] = "monthly_rate"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    annual_percent: Numeric
    """The effective annual rate."""

    def measure(self, world: World) -> Measurement | None:
        """Take the twelfth root."""
        rate = self.annual_percent.measure(world)
        if rate is None or rate.unit != "%" or rate.value <= -_HUNDRED:
            return None
        factor = (1 + rate.value / _HUNDRED) ** (1 / Decimal(12))
        return Measurement((factor - 1) * _HUNDRED, "%", rate.evidence)

    def sql(self) -> str:
        """Take the twelfth root."""
        return f"(100.0 * (power(1 + {self.annual_percent.sql()} / 100.0, 1.0 / 12) - 1))"


NODES: tuple[type[Program], ...] = (
    Compounded,
    Coupons,
    Discounted,
    EffectiveRate,
    InterestBetween,
    LevelPayment,
    MonthlyRate,
    Share,
    StraightLine,
)
"""The node classes of this module."""
