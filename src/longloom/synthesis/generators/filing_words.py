"""How filings' amounts are put into words and into nodes: one, several years, several companies."""

from collections.abc import Sequence
from decimal import Decimal

from longloom.synthesis.generators.filing_lines import Line
from longloom.synthesis.generators.numerical_drafts import Form, listed, money, percent
from longloom.synthesis.programs.numeric import flat
from longloom.synthesis.programs.numeric_series import OverPeriods, OverSubjects


def over_subjects(lines: Sequence[Line]) -> OverSubjects:
    """Return the collection of several companies' amounts of one concept."""
    fact = lines[0].fact
    return OverSubjects(
        tuple(line.fact.subject for line in lines),
        fact.relation,
        fact.unit,
        flat(fact),
        tuple(line.interval for line in lines),
    )


def over_periods(lines: Sequence[Line]) -> OverPeriods:
    """Return the collection of several years of one line."""
    fact = lines[0].fact
    periods = tuple(line.interval for line in lines)
    return OverPeriods(fact.subject, fact.relation, fact.unit, flat(fact), periods)


def crowd_words(lines: Sequence[Line]) -> str:
    """Name several companies' amounts; what they share is said once."""
    labels = {line.label for line in lines}
    periods = {line.period for line in lines}
    if len(labels) == len(periods) == 1:
        names = listed([line.fact.subject for line in lines])
        return f'"{lines[0].label}" {lines[0].period} of {names}'
    if len(labels) == 1:
        return f'"{lines[0].label}" of ' + listed(
            [f"{line.fact.subject} ({line.period})" for line in lines]
        )
    return "these amounts: " + listed([line.noun for line in lines])


def run_words(lines: Sequence[Line]) -> str:
    """Name several years of one line."""
    first = lines[0]
    days = listed([line.day for line in lines])
    prefix = "for the fiscal years ended" if first.duration == "year" else "as of"
    return f'{first.owner} "{first.label}" {prefix} {days}'


def change_words(run: Sequence[Line]) -> str:
    """Say that a line changed from its first to its last figure."""
    first, last = run[0], run[-1]
    return (
        f'{first.owner} "{first.label}" changed from the figure {first.period} to the figure '
        f"{last.period}"
    )


def _scale(lines: Sequence[Line]) -> int:
    return max(line.fact.scale for line in lines)


def amount_form(value: Decimal, lines: Sequence[Line]) -> Form:
    """Return the form of an amount like those of some lines."""
    unit = lines[0].fact.unit
    return percent(value, "percentage points") if unit == "%" else money(value, _scale(lines), unit)


def threshold_words(value: Decimal, unit: str) -> str:
    """Write a threshold: `$12.5 billion`, `15%`, `300 million shares`."""
    if unit == "%":
        return f"{value:f}%"
    for exponent, name in ((9, "billion"), (6, "million"), (3, "thousand")):
        if abs(value) >= Decimal(10) ** exponent and unit != "USD/share":
            shown = f"{value.scaleb(-exponent).normalize():f} {name}"
            return f"{shown} shares" if unit == "shares" else f"${shown}"
    return f"${value.normalize():f}" + (" per share" if unit == "USD/share" else "")
