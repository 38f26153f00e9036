"""Read displayed quantities: `(1,234)`, `$56.7M`, `12.5%`, `3,120 km`.

Only what can be read in one way is read: `1,23`, `007`, `12-14` and `1.234.567` are no numbers
here. The inverse, `shows`, checks a stored value against the text at its span.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

MAX_QUANTITY_CHARACTERS = 60
"""Longer text is prose, not a quantity."""

_CURRENCIES = MappingProxyType(
    {"US$": "USD", "$": "USD", "\u20ac": "EUR", "\u00a3": "GBP", "\u00a5": "JPY", "\u20b9": "INR"}
)
_SCALES = MappingProxyType(
    {
        "thousand": 3, "thousands": 3, "k": 3,
        "million": 6, "millions": 6, "mn": 6, "m": 6,
        "billion": 9, "billions": 9, "bn": 9, "b": 9,
        "trillion": 12, "trillions": 12, "tn": 12,
    }
)  # fmt: skip
_UNITS = MappingProxyType(
    {
        "%": "%", "percent": "%", "per cent": "%",
        "km": "km", "km2": "km2", "km\u00b2": "km2", "sq km": "km2", "mi": "mi", "miles": "mi",
        "sq mi": "sq mi", "m": "m", "m2": "m2", "m\u00b2": "m2", "ft": "ft", "cm": "cm", "mm": "mm",
        "in": "in", "ha": "ha", "acres": "acres", "kg": "kg", "g": "g", "lb": "lb", "t": "t",
        "\u00b0c": "degrees Celsius", "\u00b0f": "degrees Fahrenheit", "mw": "MW", "gw": "GW",
        "kw": "kW", "kwh": "kWh", "gwh": "GWh", "twh": "TWh", "hz": "Hz", "mhz": "MHz", "kb": "kB",
        "years": "years", "days": "days", "hours": "hours", "minutes": "minutes", "min": "minutes",
        "seconds": "seconds", "s": "seconds", "km/h": "km/h", "mph": "mph", "people": "people",
        "/km2": "per km2", "/km\u00b2": "per km2", "per km2": "per km2", "/sq mi": "per sq mi",
        "usd": "USD", "us$": "USD", "$": "USD", "eur": "EUR", "\u20ac": "EUR", "gbp": "GBP",
        "\u00a3": "GBP",
    }
)  # fmt: skip
_FOOTNOTES = re.compile(
    r"(?:\s?\[[0-9a-zA-Z]{1,3}\]|\s?\[note [0-9]{1,2}\]|[*\u2020\u2021\u00a7\u00b9\u00b2\u00b3])+$"
)
_QUANTITY = re.compile(
    r"(?P<sign>[-+\u2212\u2013]?) ?(?P<currency>US\$|[$\u20ac\u00a3\u00a5\u20b9])? ?"
    r"(?P<inner>[-\u2212]?)"
    r"(?P<digits>[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?P<exponent>[eE][-+]?[0-9]{1,2})?"
    r"(?: ?(?P<tail>[^0-9\s][^0-9]{0,24}2?))?"
)
_WORDS = MappingProxyType(
    {
        word: number
        for number, word in enumerate(
            ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
        )
    }
    | {"no": 0, "none": 0, "\u2014": 0, "\u2013": 0, "-": 0}
)
_BRACKETED = re.compile(r"[(\[]([^()\[\]]{1,40})[)\]]")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as it is displayed."""

    magnitude: Decimal
    """The displayed number with its sign."""
    unit: str = ""
    """Its unit, normalised; empty if none is displayed."""
    scale: int = 0
    """Power of ten from the displayed number to the value."""

    @property
    def value(self) -> Decimal:
        """The number in units."""
        return self.magnitude.scaleb(self.scale)


def parse_quantity(text: str) -> Quantity | None:
    """Return the quantity that `text` is, or None if it is not exactly one, or could be two."""
    if len(text) > MAX_QUANTITY_CHARACTERS:
        return None
    shown = _FOOTNOTES.sub("", " ".join(text.split()))
    is_negative = shown.startswith("(") and shown.endswith(")")
    match = _QUANTITY.fullmatch(shown[1:-1].strip() if is_negative else shown)
    if match is None:
        return None
    signs = [sign for sign in (match["sign"], match["inner"]) if sign]
    if len(signs) + is_negative > 1:
        return None
    tail = _tail(match["tail"] or "", has_currency=match["currency"] is not None)
    if tail is None:
        return None
    scale, unit = tail
    magnitude = Decimal(match["digits"].replace(",", "") + (match["exponent"] or ""))
    if is_negative or (signs and signs[0] != "+"):
        magnitude = -magnitude
    return Quantity(magnitude, _CURRENCIES.get(match["currency"] or "", unit), scale)


def header_unit(header: str) -> tuple[str, int]:
    """Return unit and scale that a column's header states: `Revenue ($ millions)` -> USD, 6."""
    for stated in reversed(_BRACKETED.findall(header[:200])):
        tail = _header_tail(stated.strip().lower())
        if tail is not None:
            return tail
    return ("%", 0) if header.rstrip().endswith("%") or header.startswith("%") else ("", 0)


def plain(value: Decimal) -> str:
    """Return a decimal without exponent and without zeros that say nothing."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def displayed_value(text: str, scale: int) -> Decimal | None:
    """Return the value that a span shows, times ten to the power `scale`.

    Dashes and `no` are zero, small numbers may be words: filings tag both. A scale that the text
    itself states (`$1.2 billion`) is part of `scale`, not applied twice.
    """
    bare = " ".join(text.split())
    word = _WORDS.get(bare.lower())
    if word is not None:
        return Decimal(word).scaleb(scale)
    quantity = parse_quantity(bare.rstrip("(") if bare.endswith("(") else bare)
    return None if quantity is None else quantity.magnitude.scaleb(scale)


def shows(text: str, value: str, scale: int) -> bool:
    """Return whether a span shows a value, its sign aside.

    Signs are left to the markup: filers bracket what is subtracted, whatever its sign.
    """
    shown = displayed_value(text, scale)
    return shown is not None and abs(shown) == abs(Decimal(value))


def _tail(tail: str, *, has_currency: bool) -> tuple[int, str] | None:
    """Read what follows the digits: a scale, a unit, or both; None if it is something else."""
    words = tail.strip().lower()
    if not words:
        return 0, ""
    first, _, rest = words.partition(" ")
    scale = _SCALES.get(first)
    if scale is not None and (len(first) > 2 or has_currency):
        if not rest or rest in _UNITS:
            return scale, _UNITS.get(rest, "")
        return None
    # One capital letter is as likely a scale as a unit: 2M is neither metres nor millions here.
    is_clear = len(words) > 1 or words == tail.strip()
    return (0, _UNITS[words]) if words in _UNITS and is_clear else None


def _header_tail(stated: str) -> tuple[str, int] | None:
    if stated in _UNITS:
        return _UNITS[stated], 0
    words = stated.removeprefix("in ").replace("us$", "usd ").replace("$", "usd ").split()
    scales = [_SCALES[word] for word in words if len(word) > 1 and word in _SCALES]
    units = [_UNITS[word] for word in words if word in _UNITS and word not in ("in", "m")]
    num_read = len(scales) + len(units) + words.count("of") + words.count("us") + words.count("in")
    if num_read != len(words) or len(scales) > 1 or len(units) > 1 or not words:
        return None
    return (units[0] if units else "", scales[0] if scales else 0)
