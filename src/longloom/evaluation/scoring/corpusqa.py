"""CorpusQA: the answer behind "The answer is: ", and what can be decided of it without a judge.

CorpusQA leaves every answer to a judge (src/eval.py). Its answers are lists, numbers and
percentages with 2 decimals, and short texts, so many can be decided exactly, and only the rest
needs a judge. An empty list is a proper answer.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from longloom.evaluation.scoring.score import Score
from longloom.rewards.extraction import extract_answer
from longloom.rewards.rules import (
    MAX_NUMBER_CHARACTERS,
    cover_exact_match,
    normalize_answer,
    parse_number,
)

MAX_LIST_CHARACTERS = 20_000
MAX_EXPONENT = 20
"""Numbers beyond ten to this power are compared as texts."""
_PHRASE = "The answer is: "
_CENT = Decimal("0.01")
_OPENING, _CLOSING = "[", "]"
_SEPARATORS = ",、;"
_QUOTES = "\"'"
_UNITS_APART = (100, 1_000, 10_000, 1_000_000, 100_000_000, 1_000_000_000)
"""Factors between two spellings of one number; 10,000 and 100 million are Chinese units."""

_Value = Decimal | str | frozenset["Decimal | str"]


def extract_corpusqa(text: str) -> str:
    """Return the rest of the line after the first "The answer is: ", else the whole text."""
    _, separator, stated = text.partition(_PHRASE)
    return (stated.partition("\n")[0] if separator else text).strip()


def decide_corpusqa(prediction: str, gold: str) -> bool | None:
    """Return whether two answers are the same, or None where a judge must say.

    Equal texts, numbers equal at 2 decimals and lists with the same elements are the same. Numbers
    that differ otherwise than by a unit are not, nor are an empty and a filled list, nor an empty
    answer and any.
    """
    if not prediction.strip():
        return False
    expected, predicted = _value(gold), _value(prediction)
    if predicted == expected:
        return True
    if isinstance(expected, frozenset) and isinstance(predicted, frozenset):
        return False if not expected or not predicted else None
    if isinstance(expected, Decimal) and isinstance(predicted, Decimal):
        return None if _is_a_unit_apart(predicted, expected) else False
    return None


def score_corpusqa(text: str, golds: Sequence[str]) -> Score:
    """Score a reply as far as it goes without a judge.

    The official rule is the judge's alone, so parity is 0 until one was asked. Parts: `decided` (no
    judge is needed in strict mode) and `cover_exact_match`, the paper's rule for this benchmark.
    """
    official = extract_corpusqa(text)
    answer = extract_answer(text, requires_thinking=False)
    compared = official if answer is None else answer
    decisions = [decide_corpusqa(compared, gold) for gold in golds]
    is_right = any(decision is True for decision in decisions)
    is_decided = is_right or None not in decisions
    covered = any(cover_exact_match(answer or "", gold) for gold in golds)
    return Score(
        parity=0.0,
        strict=float(is_right),
        parts={
            "decided": float(is_decided),
            "cover_exact_match": float(covered),
        },
        is_decided=is_decided,
        extracted=answer,
        parity_extracted=official,
    )


def _value(text: str) -> _Value:
    stripped = text.strip().strip("*").strip()
    if stripped.startswith(_OPENING) and stripped.endswith(_CLOSING):
        if len(stripped) > MAX_LIST_CHARACTERS:
            return stripped
        return frozenset(_single(element) for element in _elements(stripped[1:-1]))
    return _single(stripped)


def _single(text: str) -> Decimal | str:
    """Return a number at 2 decimals, or normalised text."""
    bare = text.strip().strip(_QUOTES).strip()
    number = parse_number(bare) if _is_numeric(bare) else None
    if number is not None and number.is_finite() and abs(number.adjusted()) <= MAX_EXPONENT:
        return number.quantize(_CENT, ROUND_HALF_UP)
    return normalize_answer(bare) or bare.casefold()


def _is_numeric(text: str) -> bool:
    """Return whether a text is nothing but a number with signs of currency or percent."""
    return len(text) <= MAX_NUMBER_CHARACTERS and not text.strip("+-$£€¥% 0123456789.,")


def _elements(text: str) -> list[str]:
    """Return the elements of a list; marks between quotes separate nothing."""
    elements, start, quote = [], 0, ""
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote and text[place - 1] != "\\" else quote
        elif character in _QUOTES and not text[start:place].strip():
            quote = character
        elif character in _SEPARATORS:
            elements.append(text[start:place])
            start = place + 1
    elements.append(text[start:])
    return [element for element in elements if element.strip()]


def _is_a_unit_apart(first: Decimal, second: Decimal) -> bool:
    larger, smaller = max(abs(first), abs(second)), min(abs(first), abs(second))
    return any(abs(smaller * unit - larger) <= _CENT * unit for unit in _UNITS_APART)
