"""Whether a span shows the value a fact states."""

import re

from longloom.synthesis.facts.fact import Fact

_WORD = re.compile(r"\w+")
_DIGITS = re.compile(r"\d+")
_NUMBER_WORDS = frozenset(
    word
    for line in (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen",
        "fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy",
        "eighty ninety hundred thousand first second third no none nil a an",
    )
    for word in line.split(" ")
)


def shows_value(fact: Fact, shown: str) -> bool:
    """Tell whether the text of a fact's span shows its value.

    Numbers must show the digits of the value at its scale (or a number word, or a dash for zero);
    dates their year; text the value itself or a part of it; names at least one word of the name,
    because one name stands for all ways to write it. A name that markup asserts (a link, a
    reference) may be shown by an alias that the markup resolves: `[HTTP]` for RFC 9110.
    """
    if fact.value_kind == "number":
        return _shows_number(fact, shown)
    if fact.value_kind == "date":
        return fact.value[:4] in shown or fact.value[2:4] in _DIGITS.findall(shown)
    value, seen = _folded(fact.value), _folded(shown)
    if fact.value_kind == "text":
        return bool(seen) and (seen == value or value in seen or seen in value)
    if fact.certainty == 1:
        return bool(shown.strip())
    shares_word = bool(set(value.split()) & set(seen.split()))
    return shares_word or value.replace(" ", "") in seen.replace(" ", "")


def _folded(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))


def _shows_number(fact: Fact, shown: str) -> bool:
    wanted = fact.value.lstrip("-").replace(".", "").strip("0")
    digits = "".join(_DIGITS.findall(shown)).strip("0")
    if wanted == digits or wanted in (found.strip("0") for found in _DIGITS.findall(shown)):
        return True
    words = set(_folded(shown).split())
    return (not wanted and not digits) or bool(words & _NUMBER_WORDS) or wanted in digits
