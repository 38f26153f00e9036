"""What inline XBRL says about its numbers: contexts, units, formats, signs and scales.

The value of a tagged number is its displayed digits, read by the format of the tag, times ten to
the power `scale`, negative where the tag carries `sign="-"` (parentheses around it are layout: a
payment shown as `(9,447)` is a positive payment).
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from lxml import etree

from longloom.synthesis.documents.building import Span

_MAX_SCALE = 20
_MAX_DIGITS = 40
_ZERO_FORMATS = frozenset({"fixed-zero", "zerodash", "fixedzero", "num-zero"})
_COMMA_FORMATS = frozenset({"num-comma-decimal", "numcommadecimal", "numcommadot", "numcomma"})
_MEMBER = re.compile(r"(Member|Domain)$")
_AXIS = re.compile(r"Axis$")
_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_DATE = re.compile(r"([A-Za-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})")
_NOT_NUMERIC = str.maketrans("", "", ", '\u2019\u00a0")
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_SMALL_WORDS = (
    "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|"
    "fifteen|sixteen|seventeen|eighteen|nineteen"
)
_TENS_WORDS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_SMALL = {word: number for number, word in enumerate(re.split(r"\|", _SMALL_WORDS))}
_SMALL |= {"no": 0, "none": 0, "a": 1, "an": 1}
_TENS = {word: 10 * number for number, word in enumerate(re.split(r"\|", _TENS_WORDS), 2)}
_MULTIPLES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_OPPOSITES = re.compile(
    r"\b(increase|gain|income|profit|expense|provided by|accretion|proceeds from) "
    r"(decrease|loss|benefit|used in|amortization|payments for|repayments of)\b"
)
_OPENING = ("(", "-", "\u2212", "\u2013")


@dataclass(frozen=True, slots=True)
class Context:
    """When and of which part of the company a number holds."""

    period_start: str
    """ISO date on which a flow begins; empty for an instant."""
    period_end: str
    """ISO date of an instant, or on which a flow ends."""
    dimensions: str
    """`Axis=Member; Axis=Member`, sorted; empty for the whole company."""


def read_contexts(root: etree._Element) -> dict[str, Context]:
    """Return the contexts of a filing by id."""
    contexts = {}
    for element in root.iter("{*}context"):
        start = end = ""
        dimensions = []
        for part in element.iter("{*}startDate", "{*}endDate", "{*}instant"):
            text = (part.text or "").strip()[:10]
            if str(part.tag).endswith("}startDate"):
                start = text
            else:
                end = text
        for part in element.iter("{*}explicitMember", "{*}typedMember"):
            typed = next(iter(part), None)
            member = part.text if typed is None else typed.text
            axis = _AXIS.sub("", _local(part.get("dimension", "")))
            dimensions.append(f"{axis}={_MEMBER.sub('', _local(member or ''))}")
        contexts[element.get("id", "")] = Context(start, end, "; ".join(sorted(dimensions)))
    return contexts


def read_units(root: etree._Element) -> dict[str, str]:
    """Return the units of a filing by id: `USD`, `USD/share`, `shares`, a word, or nothing."""
    units = {}
    for element in root.iter("{*}unit"):
        measures = [_local(part.text or "") for part in element.iter("{*}measure")]
        if len(measures) == 2:
            units[element.get("id", "")] = f"{measures[0]}/{measures[1].removesuffix('s')}"
        elif measures:
            units[element.get("id", "")] = "" if measures[0] == "pure" else measures[0]
    return units


def number_value(text: str, number_format: str, scale: int, is_negative: bool) -> str | None:
    """Return the value of a tagged number as a plain decimal, None if it cannot be read."""
    kind = number_format.rpartition(":")[2]
    if kind in _ZERO_FORMATS:
        return "0"
    if not -_MAX_SCALE <= scale <= _MAX_SCALE:
        return None
    if kind == "numwordsen" or kind == "num-word-en":
        words = number_in_words(text)
        return None if words is None else str(-words if is_negative else words)
    if kind in _COMMA_FORMATS:
        text = text.replace(".", "").replace(",", ".")
    digits = text.translate(_NOT_NUMERIC)
    if len(digits) > _MAX_DIGITS or not digits.isascii():
        return None
    sign = "-" if is_negative else ""
    if digits.isdigit() and scale >= 0:
        whole = (digits + "0" * scale).lstrip("0")
        return sign + whole if whole else "0"
    try:
        return plain_decimal(Decimal(sign + digits).scaleb(scale))
    except InvalidOperation:
        return None


def plain_decimal(number: Decimal) -> str | None:
    """Return a decimal without exponent and trailing zeros, None if it is no number."""
    if not number.is_finite():
        return None
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def number_in_words(text: str) -> int | None:
    """Return the number that English words say (`twenty-one`), None if they say none."""
    total = current = 0
    words = text.lower().replace("-", " ").split()
    if not words or len(words) > 20:
        return None
    for word in words:
        if word in _SMALL or word in _TENS:
            current += _SMALL.get(word, 0) + _TENS.get(word, 0)
        elif word == "hundred":
            current = max(current, 1) * 100
        elif word in _MULTIPLES:
            total += max(current, 1) * _MULTIPLES[word]
            current = 0
        elif word != "and":
            return None
    return total + current


def iso_date(text: str) -> str | None:
    """Return an English date (`January 26, 2025`) as ISO, None if it is none."""
    match = _DATE.search(text)
    month = _MONTHS.get(match[1][:3].lower()) if match else None
    if match is None or month is None:
        return None
    try:
        return date(int(match[3]), month, int(match[2])).isoformat()
    except ValueError:
        return None


def shown_with_sign(text: str, start: int, end: int) -> Span:
    """Return the span of a negative number widened to the sign or parentheses around it."""
    before = start - 1
    while before >= 0 and text[before] in " $\u20ac":
        before -= 1
    if before < 0 or text[before] not in _OPENING:
        return start, end
    if text[before] == "(" and text[end : end + 1] == ")":
        return before, end + 1
    return before, end


def split_words(name: str) -> str:
    """Return a name in camel case as words: `IncomeTaxExpenseBenefit` -> `Income tax ...`."""
    words = _WORD_BREAK.split(name)
    spoken = [word if len(word) > 1 and word.isupper() else word.lower() for word in words if word]
    text = " ".join(spoken)
    text = _OPPOSITES.sub(r"\1 (\2)", text)
    return text[:1].upper() + text[1:]


def _local(name: str) -> str:
    return name.strip().rpartition(":")[2]
