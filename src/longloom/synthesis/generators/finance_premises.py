"""The amounts and rates of filings that financial questions may suppose something about.

A loan has the principal of a debt, an investment that of cash, a cost that of what is written off:
which concepts of the filings' taxonomy fit is listed here. The only rates that filings report are
discount rates of leases, so other rates are stated by the questions.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from types import MappingProxyType

from longloom.synthesis.generators.draft import Setting
from longloom.synthesis.generators.filing_lines import PREFIX, FilingLines, Line
from longloom.synthesis.programs.numeric import Numeric
from longloom.synthesis.programs.numeric_arithmetic import Plus

_PURPOSES = MappingProxyType(
    {
        "cost": re.compile(
            r"^(?:PropertyPlantAndEquipment|IntangibleAssetsNet|FiniteLivedIntangibleAssets(?:Gross|Net)"
            r"|PaymentsToAcquire(?:ProductiveAssets|PropertyPlant)|ContentAssets|CapitalizedComputer)"
        ),
        "debt": re.compile(
            r"^(?:LongTermDebt|DebtCurrent|DebtNoncurrent|CommercialPaper|ShortTermBorrowings"
            r"|ProceedsFromIssuanceOf\w*Debt|SeniorNotes|LongTermNotes|NotesPayable|DebtInstrument"
            r"(?:Carrying|Face)|DebtLongtermAndShortterm)"
        ),
        "due": re.compile(
            r"^(?:LongTermDebt|DebtCurrent|CommercialPaper|AccountsPayableCurrent|AccountsReceivable"
            r"|PurchaseObligation|ContractualObligation|LicensesPayable|OperatingLeaseLiability"
            r"|FinanceLeaseLiability|NontradeReceivables)"
        ),
        "invested": re.compile(
            r"^(?:CashAndCashEquivalents|CashCashEquivalents|MarketableSecurities|ShortTermInvest"
            r"|AvailableForSaleSecurities|EquityMethodInvestments|LongTermInvestments)"
        ),
    }
)
"""Concepts of the filings' taxonomy whose amounts fit a condition."""
_NO_STOCK = re.compile(
    r"Increase|Change|Unrealized|Gain|Loss|Interest|Repayment|FairValue|Discount|Unamortized|"
    r"Depreciation|Amortization|Allowance|Maturit|CostBasis|Tax"
)
_LEASE = re.compile(r"LeaseLiability")
_MIN_PRINCIPAL = Decimal(10) ** 7
_RATE_CONCEPT = "DiscountRate"


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount that documents state, with its words."""

    node: Numeric
    words: str


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate that documents or the question state, with its words."""

    node: Numeric
    words: str
    is_stated: bool


class Premises:
    """The amounts and rates of a context."""

    def __init__(self, setting: Setting) -> None:
        lines = FilingLines(setting).lines
        large = [
            line
            for line in lines
            if line.fact.unit == "USD"
            and line.duration in ("year", "instant")
            and line.value >= _MIN_PRINCIPAL
            and not _NO_STOCK.search(line.fact.relation)
        ]
        self.amounts = {
            purpose: [
                line
                for line in large
                if concept.match(line.fact.relation.removeprefix(PREFIX)) and _is_named(line)
            ]
            for purpose, concept in _PURPOSES.items()
        }
        self.rates = [
            line
            for line in lines
            if line.fact.unit == "%" and _RATE_CONCEPT in line.fact.relation and line.value > 1
        ]

    def amount(self, rng: Random, purpose: str) -> Amount | None:
        """Draw one company's amount, or the sum of two companies' amounts."""
        fitting = self.amounts[purpose]
        if not fitting:
            return None
        first = rng.choice(fitting)
        others = [line for line in fitting if line.fact.subject != first.fact.subject]
        alike = [line for line in others if line.fact.relation == first.fact.relation]
        if not alike or rng.random() < 0.3:
            return Amount(first.number, first.noun)
        second = rng.choice(alike)
        words = f"the sum of {first.noun} and {second.noun}"
        return Amount(Plus(first.number, second.number), words)

    def reported_rate(self, rng: Random) -> Rate | None:
        """Draw a rate that a document reports."""
        if not self.rates:
            return None
        line = rng.choice(self.rates)
        return Rate(line.number, f"the percentage reported as {line.noun}", False)

    def leased(self, rng: Random) -> tuple[Amount, Rate] | None:
        """Draw a lease liability with the discount rate of the same company and kind of lease."""
        pairs = [
            (line, rate)
            for line in self.amounts["due"]
            if _LEASE.search(line.fact.relation)
            for rate in self.rates
            if rate.fact.subject == line.fact.subject
            and rate.fact.period_end == line.fact.period_end
            and ("Operating" in rate.fact.relation) == ("Operating" in line.fact.relation)
        ]
        if not pairs:
            return None
        line, rate = rng.choice(pairs)
        reported = Rate(rate.number, f"the percentage reported as {rate.noun}", False)
        return Amount(line.number, line.noun), reported


def _is_named(line: Line) -> bool:
    """Return whether a label says by itself what is owed: `Noncurrent: Operating` does not."""
    return not _LEASE.search(line.fact.relation) or "lease" in line.label.lower()
