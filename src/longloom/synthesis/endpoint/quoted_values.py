"""Normalise a value that a model copied from a text: dates, numbers, names.

What it leaves out: anything that needs a guess. Day and month in digits alone, ranges, and numbers
with more words than a unit are refused.
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from longloom.synthesis.endpoint.quoting import fold_quote

MAX_VALUE_CHARACTERS = 200
_MONTH_NAMES = (
    "january february march april may june july august september october november december"
)
_MONTHS = _MONTH_NAMES.split()
_MONTH = "|".join(_MONTHS)
_DAY_FIRST = re.compile(rf"(\d{{1,2}}) ({_MONTH}),? (\d{{4}})", re.IGNORECASE)
_MONTH_FIRST = re.compile(rf"({_MONTH}) (\d{{1,2}}),? (\d{{4}})", re.IGNORECASE)
_MONTH_ALONE = re.compile(rf"({_MONTH}),? (\d{{4}})", re.IGNORECASE)
_ISO = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_NUMBER = re.compile(
    r"([$\u20ac\u00a3]?) ?([-+]?)(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?"
    r"(?: (thousand|million|billion|trillion))?(?: ?(%|percent)| ([A-Za-z][A-Za-z/]{0,20}))?"
)
_SCALES = {"": 0, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_CURRENCIES = {"": "", "$": "USD", "\u20ac": "EUR", "\u00a3": "GBP"}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotedValue:
    """A value in its normal form."""

    value: str
    """A name or text; an ISO date; a plain decimal."""
    unit: str = ""
    """Unit of a number."""
    scale: int = 0
    """Power of ten from the displayed number to the value."""


def read_value(shown: str, kind: str) -> QuotedValue | str:
    """Return a displayed value in its normal form, or why it has none."""
    folded = fold_quote(shown)
    if not 1 <= len(folded) <= MAX_VALUE_CHARACTERS:
        return "value empty or too long"
    if kind == "date":
        iso = read_date(folded)
        return QuotedValue(value=iso) if iso else "date not understood"
    if kind == "number":
        return read_number(folded) or "number not understood"
    return QuotedValue(value=folded)


def read_date(shown: str) -> str | None:
    """Return an English or ISO date as `2024`, `2024-05` or `2024-05-31`; None for others."""
    if match := _ISO.fullmatch(shown):
        return _iso(match[1], match[2], match[3])
    if match := _DAY_FIRST.fullmatch(shown):
        return _iso(match[3], _month_number(match[2]), match[1])
    if match := _MONTH_FIRST.fullmatch(shown):
        return _iso(match[3], _month_number(match[1]), match[2])
    if match := _MONTH_ALONE.fullmatch(shown):
        return _iso(match[2], _month_number(match[1]), None)
    return None


def read_number(shown: str) -> QuotedValue | None:
    """Return a displayed number as a plain decimal with unit and scale; None for others."""
    match = _NUMBER.fullmatch(shown)
    if match is None:
        return None
    currency, sign, whole, decimals, scale_word, percent, unit = match.groups()
    if currency and (percent or unit):
        return None
    scale = _SCALES[scale_word or ""]
    number = Decimal(f"{sign}{whole.replace(',', '')}{decimals or ''}").scaleb(scale)
    plain = format(number, "f")
    plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    stated = _CURRENCIES[currency] or ("%" if percent else "") or unit or ""
    return QuotedValue(value=plain.removeprefix("+"), unit=stated, scale=scale)


def _month_number(name: str) -> str:
    return f"{_MONTHS.index(name.lower()) + 1:02}"


def _iso(year: str, month: str | None, day: str | None) -> str | None:
    try:
        date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None
    return "-".join([year, *([month] if month else []), *([f"{int(day):02}"] if day else [])])
