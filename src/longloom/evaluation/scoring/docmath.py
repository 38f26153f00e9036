"""DocMath-Eval: whether a reply gives the right number.

Parity is the answer as L1 extracts and compares it (eval/docmath.py); the benchmark's own
comparison (utils/evaluation_utils.py), which rounds up to 3 decimals instead of 2, is the part
`official`. Both accept any power of ten, a wrong sign, and any text that is no number where the
gold is 0. They call `eval` on what a model wrote; here `arithmetic.py` reads it, and an answer of
more than 200 characters counts as no number. The benchmark itself has a model extract the answer.

Strict: one plain number, the right sign, within 0.15 percent, percent scaling alone.
"""

import math
import re
from collections.abc import Sequence

from longloom.evaluation.scoring.arithmetic import MAX_CHARACTERS, Number, evaluate
from longloom.evaluation.scoring.long_answer import l1_visible
from longloom.evaluation.scoring.score import Score
from longloom.rewards.extraction import extract_answer
from longloom.rewards.rules import NUMERIC_TOLERANCE, numeric_match, parse_number

_L1_ANSWER = re.compile(r"the answer is (=?≈?`?%?\$?°?£?€?¥?-?[0-9.,]+)", re.IGNORECASE)
_L1_DELETED = str.maketrans("", "", "*()")
_UNITS = ("£", "€", "¥", "million", "billion", "thousand", "US", "USD", "RMB")
_SIGNS = ("`", "%", "$", "°")
_FIGURE = r"[\d,]*\.*\d+"
_UNIT_FORMS = (
    re.compile(rf"([-+]?{_FIGURE}) [^0-9 ]+$"),
    re.compile(rf"[^0-9 ]+ ([-+]?{_FIGURE})$"),
    re.compile(rf"([-+]?{_FIGURE})[^\d]{{1,2}}$"),
    re.compile(rf"[^-+\d]{{1,2}}({_FIGURE})$"),
)
"""A unit after the number, before it, and one or two characters after or before it."""
_POWER_OF_TEN = re.compile(r"10\^(-?\d+)")
_GROUPED = re.compile(r"[-+]?\d{1,3}(?:,\d{3})*(?:\.\d+)?$|[-+]?\d+(?:\.\d+)?$")
_OPTION = re.compile(r"\([a-d]\)")
_TOLERANCE = float(NUMERIC_TOLERANCE)


def l1_number(visible: str) -> str | None:
    """Return the figure after the first "the answer is", in any case; commas are dropped."""
    match = _L1_ANSWER.search(visible.translate(_L1_DELETED))
    return match[1].replace(",", "").rstrip(".") if match else None


def l1_accuracy(prediction: str, gold: str) -> bool:
    """Return whether L1 takes two extracted answers for the same number."""
    expected = _value(gold)
    return expected is not None and _is_accepted(_value(prediction), expected, decimals=2)


def official_accuracy(prediction: str, gold: float) -> bool:
    """Return whether the benchmark takes an extracted answer for the gold number."""
    return _is_accepted(_value(prediction), gold, decimals=3)


def score_docmath(text: str, golds: Sequence[str]) -> Score:
    """Score a reply of the form "Therefore, the answer is ..."; the first gold counts in parity.

    Part `official`: the benchmark's own comparison of what L1 extracts.
    """
    stated = l1_number(l1_visible(text) or text)
    answer = extract_answer(text, requires_thinking=False)
    first = golds[0] if golds else ""
    gold = l1_number(f"Therefore, the answer is {first}.")
    number = _float(first)
    parity = bool(stated) and gold is not None and l1_accuracy(stated or "", gold)
    official = bool(stated) and number is not None and official_accuracy(stated or "", number)
    return Score(
        parity=float(parity),
        strict=float(answer is not None and any(_is_same(answer, gold) for gold in golds)),
        parts={"official": float(official)},
        extracted=answer,
        parity_extracted=stated,
    )


def _is_same(answer: str, gold: str) -> bool:
    expected = parse_number(gold)
    if expected is None:
        return numeric_match(answer, gold, scales=()) is True
    predicted = parse_number(answer)
    if predicted is None:
        return False
    allowed = NUMERIC_TOLERANCE * abs(expected)
    return (
        abs(predicted - expected) <= allowed
        or abs(100 * predicted - expected) <= allowed
        or abs(predicted - 100 * expected) <= 100 * allowed
    )


def _value(answer: str) -> Number | str | None:
    """Return what the original's `normalize` makes of an answer: 0 where it is no arithmetic.

    An option letter stays a text; None is a list or another value that compares to no number.
    """
    figure = answer.strip().rstrip(".")
    if len(figure) > MAX_CHARACTERS:
        return 0
    figure = _without_units(_without_signs(figure))
    figure = _POWER_OF_TEN.sub(r"math.pow(10, \1)", figure).replace(" x ", "*").replace(" × ", "*")  # noqa: RUF001 - the sign of multiplication
    if _GROUPED.match(figure):
        figure = figure.replace(",", "")
    option = _OPTION.search(figure)
    if option:
        return option[0]
    value = evaluate(figure or "0")
    if value is None:
        return None if _is_list_or_text(figure) else 0
    return value


def _is_list_or_text(figure: str) -> bool:
    """Return whether Python would read something that is neither a number nor a failure."""
    if (len(figure) > 1 and figure[0] + figure[-1] in ("[]", "{}", "''", '""')) or figure == "()":
        return True
    return "," in figure and evaluate(figure.strip("() ").replace(",", "+")) is not None


def _without_signs(figure: str) -> str:
    for unit in _UNITS:
        figure = figure.replace(unit, "")
    for sign in ("=", "≈"):
        if sign in figure:
            figure = figure.split(sign)[-1].strip()
    for sign in _SIGNS:
        figure = figure.replace(sign, "")
    if figure in ("true", "yes") or "True" in figure:
        return "True"
    if figure in ("false", "no") or "False" in figure:
        return "False"
    if "approximately" in figure:
        figure = figure.replace("approximately", "").strip()
    return figure.split(" or ")[0]


def _without_units(figure: str) -> str:
    for form in _UNIT_FORMS:
        if form.match(figure):
            found = form.search(figure)
            figure = found[1] if found else figure
    return figure


def _is_accepted(predicted: Number | str | None, gold: Number | str, *, decimals: int) -> bool:
    """Return what `compare_two_numbers` says; what it fails on is not accepted."""
    if isinstance(gold, str) or predicted is None or isinstance(predicted, str):
        return False
    if isinstance(gold, bool):
        return predicted == gold
    if isinstance(predicted, bool):
        predicted = int(predicted)
    try:
        return _are_close(predicted, gold, 10**decimals)
    except (ArithmeticError, ValueError):
        return False


def _are_close(predicted: Number, gold: Number, factor: int) -> bool:
    larger, smaller = max(abs(gold), abs(predicted)), min(abs(gold), abs(predicted))
    if smaller != 0 and int(math.log10(larger / smaller)) == math.log10(larger / smaller):
        return True
    is_scaled = any(
        smaller <= larger / share and _is_within(smaller * scale, larger)
        for share, scale in _SCALES
    )
    if is_scaled or math.ceil(larger * factor) / factor == math.ceil(smaller * factor) / factor:
        return True
    return _is_within(predicted, gold)


_SCALES = ((50, 100), (500, 1_000), (50_000, 100_000))


def _is_within(predicted: Number, gold: Number) -> bool:
    allowed = abs(gold) * _TOLERANCE
    return gold - allowed <= predicted <= gold + allowed


def _float(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None
