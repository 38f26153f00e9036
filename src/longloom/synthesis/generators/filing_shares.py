"""Numerical questions on shares: a line of a filing as a percentage of a total."""

from collections.abc import Callable
from decimal import Decimal
from random import Random
from types import MappingProxyType

from longloom.synthesis.generators.filing_lines import FilingLines, Line
from longloom.synthesis.generators.filing_words import crowd_words, over_subjects
from longloom.synthesis.generators.numerical_drafts import Proposal, percent
from longloom.synthesis.programs.numeric import Numeric
from longloom.synthesis.programs.numeric_aggregates import Aggregate
from longloom.synthesis.programs.numeric_arithmetic import Difference, PercentOf

_Draw = Callable[[FilingLines, Random], Proposal | None]
_NEGATIVE = "(negative if it fell)"
_WHOLES = MappingProxyType(
    {
        "year": (
            "RevenueFromContractWithCustomerExcludingAssessedTax",
            "Revenues",
            "IncomeLossFromContinuingOperationsBeforeIncomeTaxesExtraordinaryItemsNoncontrollingInterest",
            "NetCashProvidedByUsedInOperatingActivities",
        ),
        "instant": ("Assets", "LiabilitiesAndStockholdersEquity", "Liabilities", "AssetsCurrent"),
    }
)


def _whole_of(lines: FilingLines, line: Line) -> Line | None:
    for name in _WHOLES.get(line.duration, ()):
        whole = lines.same(line, f"filing.{name}")
        if whole is not None and whole is not line and 0 < line.value < whole.value:
            return whole
    return None


def _share_phrase(line: Line, whole: Line) -> str:
    return f'{line.owner} "{line.label}" as a percentage of its "{whole.label}" {line.period}'


def _share_gap(lines: FilingLines, rng: Random) -> Proposal | None:
    crowd = lines.crowd(rng, 2)
    if crowd is None:
        return None
    pair = [(line, whole) for line in crowd if (whole := _whole_of(lines, line))][:2]
    if len(pair) < 2 or pair[0][1].fact.relation != pair[1][1].fact.relation:
        return None
    pair.sort(key=lambda both: -both[0].value / both[1].value)
    (line, whole), (other, other_whole) = pair
    gap = (line.value / whole.value - other.value / other_whole.value) * 100
    return Proposal(
        program=Difference(
            PercentOf(line.number, whole.number), PercentOf(other.number, other_whole.number)
        ),
        question=(
            f"Compute {_share_phrase(line, whole)}, and {_share_phrase(other, other_whole)}. By "
            "how many percentage points is the first above the second?"
        ),
        form=percent(gap, "percentage points"),
        ability="comparison",
        num_hops=3,
    )


def _share(lines: FilingLines, rng: Random) -> Proposal | None:
    line = rng.choice(lines.lines)
    whole = _whole_of(lines, line)
    if whole is None or line.value * 200 < whole.value:
        return None
    return Proposal(
        program=PercentOf(line.number, whole.number),
        question=f"What was {_share_phrase(line, whole)}?",
        form=percent(line.value / whole.value * 100),
    )


def _share_change(lines: FilingLines, rng: Random) -> Proposal | None:
    run = lines.run(rng, 2)
    if run is None:
        return None
    first, last = run[-2], run[-1]
    wholes = (_whole_of(lines, first), _whole_of(lines, last))
    if wholes[0] is None or wholes[1] is None:
        return None
    if wholes[0].fact.relation != wholes[1].fact.relation:
        return None
    change = (last.value / wholes[1].value - first.value / wholes[0].value) * 100
    return Proposal(
        program=Difference(
            PercentOf(last.number, wholes[1].number), PercentOf(first.number, wholes[0].number)
        ),
        question=(
            f'By how many percentage points did {first.owner} "{first.label}" as a percentage of '
            f'its "{wholes[0].label}" change from the figure {first.period} to the figure '
            f"{last.period} {_NEGATIVE}?"
        ),
        form=percent(change, "percentage points"),
        ability="temporal",
        num_hops=3,
    )


def _part_of_crowd(lines: FilingLines, rng: Random) -> Proposal | None:
    crowd = lines.crowd(rng, 3)
    if crowd is None or not all(line.value > 0 for line in crowd) or crowd[0].fact.unit != "USD":
        return None
    line = rng.choice(crowd)
    total = sum((one.value for one in crowd), Decimal(0))
    return Proposal(
        program=PercentOf(line.number, Aggregate("total", over_subjects(crowd))),
        question=(
            f"Consider {crowd_words(crowd)}. What percentage of their sum comes from "
            f"{line.fact.subject}?"
        ),
        form=percent(line.value / total * 100),
        num_hops=3,
        misreadings=tuple(PercentOf(other.number, line.number) for other in crowd),
    )


def _combined_share(lines: FilingLines, rng: Random) -> Proposal | None:
    crowd = lines.crowd(rng, 2)
    if crowd is None:
        return None
    pairs = [(line, whole) for line in crowd if (whole := _whole_of(lines, line))]
    if len(pairs) < 2 or len({whole.fact.relation for _, whole in pairs}) > 1:
        return None
    parts, wholes = [list(side) for side in zip(*pairs, strict=True)]
    total: Numeric = Aggregate("total", over_subjects(wholes))
    part = sum((line.value for line in parts), Decimal(0))
    whole_value = sum((line.value for line in wholes), Decimal(0))
    return Proposal(
        program=PercentOf(Aggregate("total", over_subjects(parts)), total),
        question=(
            f"Add up {crowd_words(parts)}. Separately, add up {crowd_words(wholes)}. What "
            "percentage of the second sum is the first?"
        ),
        form=percent(part / whole_value * 100),
        num_hops=3,
        misreadings=tuple(PercentOf(line.number, one.number) for line, one in pairs),
    )


SHAPES: MappingProxyType[str, _Draw] = MappingProxyType(
    {
        "combined_share": _combined_share,
        "part_of_crowd": _part_of_crowd,
        "share": _share,
        "share_change": _share_change,
        "share_gap": _share_gap,
    }
)
"""The shapes of this module by name."""
