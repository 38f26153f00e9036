"""Compare an answer with the ground truth, without running or trusting it.

One function per rule of the paper (QwenLong-L1, section 2.4; QwenLong-L1.5, section 5.1): cover
exact match, option letters, numbers, and the matching ratio of verbatim replies.

Departures from the authors' code, which rewards empty predictions, wrong signs and any power of
ten, and calls `eval` on what the model wrote: containment is one way (SPELL's strict form), a
number must be one plain number, and scaling is SPELL's short list.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal, localcontext
from difflib import SequenceMatcher
from itertools import accumulate
from typing import NamedTuple

NUMERIC_TOLERANCE = Decimal("0.0015")
"""Relative tolerance: 0.15 percent."""
NUMERIC_SCALES = (100, 1_000, 1_000_000, 1_000_000_000)
"""Percent, thousand, million and billion (SPELL)."""
MAX_NUMBER_CHARACTERS = 200
MAX_SEQUENCE_CHARACTERS = 4_000
MAX_SEQUENCE_COMPARISONS = MAX_SEQUENCE_CHARACTERS * (MAX_SEQUENCE_CHARACTERS + 1)
"""Characters and character pairs that `sequence_ratio` looks at, however long its texts are."""

_MIN_JUNK_CHARACTERS = 200
"""difflib's heuristic begins at this length."""
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_DROP_PUNCTUATION = str.maketrans("", "", string.punctuation)
_NUMBER_RUN = re.compile(r"(?<!\w)[-+]?[.,]?[0-9][0-9.,]*(?:[eE][-+]?[0-9]+\b)?")
_PLAIN_NUMBER = re.compile(
    r"[-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?"
)
_NUMBER_LAYOUT = str.maketrans(dict.fromkeys("$£€¥\\{}") | {"\N{MINUS SIGN}": "-"})
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


def normalize_answer(text: str) -> str:
    """Return `text` in lower case without ASCII punctuation, articles and extra spaces.

    Letters with marks are composed: one spelling of `e` with an accent is as good as the other.
    """
    bare = unicodedata.normalize("NFC", text).lower().translate(_DROP_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def cover_exact_match(prediction: str, gold: str, *, whole_words: bool = False) -> bool:
    """Return whether the normalised gold answer is contained in the normalised prediction.

    A gold of one character or of digits alone must stand as a whole word: "2" is not in "12".
    `whole_words` asks that of every gold ("dict" is not in "OrderedDict"). A gold that normalises
    to nothing (an article, punctuation) must be equal to the prediction, case aside. An empty gold
    or prediction never matches.
    """
    gold_words = normalize_answer(gold)
    if not gold_words:
        bare_gold = gold.strip().casefold()
        return bool(bare_gold) and prediction.strip().casefold() == bare_gold
    prediction_words = normalize_answer(prediction)
    if whole_words or len(gold_words) == 1 or gold_words.isdigit():
        return f" {gold_words} " in f" {prediction_words} "
    return gold_words in prediction_words


def choice_match(letter: str | None, gold: str) -> bool:
    """Return whether the extracted letter is the gold letter; brackets and case aside."""
    return letter is not None and letter.upper() == gold.strip(" ().").upper()


def parse_number(text: str) -> Decimal | None:
    """Return the one number in `text`, or None if there is none or more than one.

    Taken are what follows the last "=" and precedes " or ", at most 200 characters of it;
    currency signs, percent signs and words around the number are ignored. "3 x 4", "1/2" and
    "10^2" hold two numbers and are not computed.
    """
    if len(text) > MAX_NUMBER_CHARACTERS:
        return None
    stated = re.split(r"[=≈]", text)[-1].partition(" or ")[0]
    runs = _NUMBER_RUN.findall(stated.translate(_NUMBER_LAYOUT))
    if len(runs) != 1:
        return None
    number = runs[0].rstrip(".,")
    return Decimal(number.replace(",", "")) if _PLAIN_NUMBER.fullmatch(number) else None


def numeric_match(
    prediction: str, gold: str, *, scales: Sequence[int] = NUMERIC_SCALES
) -> bool | None:
    """Return whether two answers are the same number or the same yes or no.

    Equal means: within 0.15 percent of gold, or equal after rounding up to 3 decimals, or within
    0.15 percent after one of them is multiplied by one of `scales`. Signs must agree.

    Returns:
        None if gold is neither a number nor yes/no/true/false; then another rule must decide.
    """
    gold_is_true = _parse_boolean(gold)
    if gold_is_true is not None:
        return _parse_boolean(prediction) == gold_is_true
    gold_number = parse_number(gold)
    if gold_number is None:
        return None
    predicted = parse_number(prediction)
    if predicted is None:
        return False
    with localcontext(prec=50):
        if _rounded_up(predicted) == _rounded_up(gold_number):
            return True
        return any(
            _is_close(predicted * scale, gold_number) or _is_close(predicted, gold_number * scale)
            for scale in (1, *scales)
        )


def sequence_ratio(prediction: str, gold: str) -> float:
    """Return 2 * matched / (both lengths), in [0, 1]: difflib's ratio with autojunk off.

    The work is bounded. Texts over 4,000 characters first lose their common start and end, which
    count as matched, and are then matched by their first 4,000 characters; a gap whose search
    would lead beyond 16 million character pairs in all is left unmatched. Either bound can only
    lower the result; the denominator is always the full lengths, so padding an answer never pays.
    """
    if not prediction or not gold:
        return 0.0
    total = len(prediction) + len(gold)
    if prediction == gold:
        return 1.0
    matched = 0
    if max(len(prediction), len(gold)) > MAX_SEQUENCE_CHARACTERS:
        start = _common_start(prediction, gold)
        prediction, gold = prediction[start:], gold[start:]
        end = _common_start(prediction[::-1], gold[::-1])
        matched = start + end
        prediction = prediction[: len(prediction) - end][:MAX_SEQUENCE_CHARACTERS]
        gold = gold[: len(gold) - end][:MAX_SEQUENCE_CHARACTERS]
    return 2 * (matched + match_characters(prediction, gold).num_matched) / total


class MatchedCharacters(NamedTuple):
    """What difflib's blocks have in common, and what it took to find them."""

    num_matched: int
    """Characters in matching blocks."""
    num_comparisons: int
    """Characters and pairs of characters looked at."""
    is_complete: bool
    """Whether no gap was left out."""


def match_characters(prediction: str, gold: str, *, autojunk: bool = False) -> MatchedCharacters:
    """Sum difflib's matching blocks, leaving out gaps that exceed what is left of the budget.

    `autojunk` is difflib's heuristic: in a gold of 200 characters or more, those that make up over
    1 percent of it begin no block.
    """
    matcher = SequenceMatcher(None, prediction, gold, autojunk=autojunk)
    count_in_gold = Counter(gold)
    if autojunk and len(gold) >= _MIN_JUNK_CHARACTERS:
        most = len(gold) // 100 + 1
        count_in_gold = Counter({c: count for c, count in count_in_gold.items() if count <= most})
    # difflib walks over every place of a character in the whole gold text.
    costs = (1 + count_in_gold[character] for character in prediction)
    cost_before = list(accumulate(costs, initial=0))
    gaps = [(0, len(prediction), 0, len(gold))]
    matched = 0
    comparisons = 0
    is_complete = True
    while gaps:
        low, high, gold_low, gold_high = gaps.pop()
        cost = cost_before[high] - cost_before[low]
        if comparisons + cost > MAX_SEQUENCE_COMPARISONS:
            is_complete = False
            continue
        comparisons += cost
        block = matcher.find_longest_match(low, high, gold_low, gold_high)
        if not block.size:
            continue
        matched += block.size
        after, gold_after = block.a + block.size, block.b + block.size
        if low < block.a and gold_low < block.b:
            gaps.append((low, block.a, gold_low, block.b))
        if after < high and gold_after < gold_high:
            gaps.append((after, high, gold_after, gold_high))
    return MatchedCharacters(matched, comparisons, is_complete)


def _common_start(first: str, second: str) -> int:
    """Return the length of the common prefix, by bisection over slice comparisons."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _parse_boolean(text: str) -> bool | None:
    return _BOOLEANS.get(text.strip(" .()*`").lower()) if len(text) < 20 else None


def _rounded_up(number: Decimal) -> Decimal:
    return (number * 1000).to_integral_value(ROUND_CEILING)


def _is_close(predicted: Decimal, gold: Decimal) -> bool:
    return abs(predicted - gold) <= NUMERIC_TOLERANCE * abs(gold)
