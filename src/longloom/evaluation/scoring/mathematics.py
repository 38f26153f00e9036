r"""Mathematics: the last boxed or stated answer, compared exactly where that is cheap.

    reply -> extract_final_answer -> compare_exactly (numbers) -> a comparison by algebra, if any

AIME has no scorer of its own. Parity compares the answer's text with the gold as a whole number;
strict compares values, so that 0.5, 1/2 and `\frac{1}{2}` are the same. What is no number is left
to the comparison that is passed in: `MathWorkers.is_equal`, or none.
"""

import re
from collections.abc import Callable, Sequence
from fractions import Fraction

from longloom.evaluation.scoring.score import Score
from longloom.rewards.extraction import extract_answer, visible_text

MAX_ANSWER_CHARACTERS = 2_000
MAX_NESTING = 64
MAX_NUMBER_CHARACTERS = 200

CompareByAlgebra = Callable[[str, str], bool | None]
"""Says whether a prediction and a gold are the same; None where it cannot tell."""

_BOXES = ("\\boxed{", "\\fbox{")
_LABELS = re.compile(r"(?im)^[ \t]*\W{0,8}(?:final )?answer\W{0,4}:[ \t*]*(?=\S)")
_LAYOUT = re.compile(r"\\(?:left|right|displaystyle|,|;|!|:)|[\s$]")
_FRACTION = re.compile(r"([-+]?)\\[dt]?frac\{([-+]?[0-9]+)\}\{([0-9]+)\}")
_RATIO = re.compile(r"([-+]?[0-9]+)/([0-9]+)")
_DECIMAL = re.compile(r"[-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?(?:\.[0-9]+)?")


def extract_final_answer(text: str) -> str | None:
    r"""Return the content of the last closed `\boxed{...}`, or else the last stated answer.

    A stated answer follows "Answer:" at the beginning of a line, or "the answer is". It has at most
    2,000 characters; a longer box is none.
    """
    visible = visible_text(text, requires_thinking=False)
    if visible is None:
        return None
    boxed = _last_box(visible)
    if boxed is not None:
        return boxed
    end = -1
    for match in _LABELS.finditer(visible):
        end = match.end()
    if end >= 0:
        line = visible[end : end + MAX_ANSWER_CHARACTERS].partition("\n")[0]
        return line.strip(" \t\r*.") or None
    return extract_answer(text, requires_thinking=False)


def compare_exactly(prediction: str, gold: str) -> bool | None:
    """Return whether two numbers are equal; None if one is no integer, decimal or fraction."""
    predicted, expected = _number(prediction), _number(gold)
    if predicted is None or expected is None:
        return True if prediction.strip() and prediction.strip() == gold.strip() else None
    return predicted == expected


def score_mathematics(
    text: str, golds: Sequence[str], *, by_algebra: CompareByAlgebra | None = None
) -> Score:
    """Score a reply by its final answer.

    Part `undecided`: whether no comparison could tell; such an answer scores 0.
    """
    answer = extract_final_answer(text)
    if answer is None:
        return Score(parity=0.0, strict=0.0, parts={"undecided": 0.0})
    verdicts: list[bool | None] = []
    for gold in golds:
        verdict = compare_exactly(answer, gold)
        if verdict is None and by_algebra is not None:
            verdict = by_algebra(answer, gold)
        verdicts.append(verdict)
        if verdict:
            break
    is_right = True in verdicts
    return Score(
        parity=float(any(_is_same_integer(answer, gold) for gold in golds)),
        strict=float(is_right),
        parts={"undecided": float(None in verdicts and not is_right)},
        extracted=answer,
        parity_extracted=answer,
    )


def is_comparable(answer: str) -> bool:
    """Return whether an answer is short and flat enough to be compared by algebra."""
    if len(answer) > MAX_ANSWER_CHARACTERS:
        return False
    depth = deepest = 0
    for character in answer:
        depth += (character in "{([") - (character in "})]")
        deepest = max(deepest, depth)
    return deepest <= MAX_NESTING


def _last_box(text: str) -> str | None:
    """Return the last box that is closed within the limit, looking at one stretch of text each."""
    end = len(text)
    for _ in range(MAX_NESTING):
        start = max(text.rfind(box, 0, end) for box in _BOXES)
        if start < 0:
            return None
        content = text.index("{", start) + 1
        length = _closing_brace(text[content : content + MAX_ANSWER_CHARACTERS])
        if length is not None:
            return text[content : content + length].strip() or None
        end = start
    return None


def _closing_brace(text: str) -> int | None:
    depth = 1
    for place, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return place
    return None


def _number(text: str) -> Fraction | None:
    if len(text) > MAX_NUMBER_CHARACTERS:
        return None
    bare = _LAYOUT.sub("", text).rstrip(".").replace("\N{MINUS SIGN}", "-")
    match = _FRACTION.fullmatch(bare)
    if match:
        sign = -1 if match[1] == "-" else 1
        return sign * _ratio(match[2], match[3]) if int(match[3]) else None
    match = _RATIO.fullmatch(bare)
    if match:
        return _ratio(match[1], match[2]) if int(match[2]) else None
    if _DECIMAL.fullmatch(bare) and any(character.isdecimal() for character in bare):
        return Fraction(bare.replace(",", ""))
    return None


def _ratio(numerator: str, denominator: str) -> Fraction:
    return Fraction(int(numerator), int(denominator))


def _is_same_integer(answer: str, gold: str) -> bool:
    if not (answer.isascii() and answer.isdecimal() and len(answer) <= MAX_NUMBER_CHARACTERS):
        return False
    return (answer.lstrip("0") or "0") == (gold.strip().lstrip("0") or "0")
