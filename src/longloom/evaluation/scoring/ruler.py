"""RULER: the share of the expected words that a reply holds (scripts/eval/synthetic).

Parity takes them as parts of the text, in any case. Strict wants them whole: the number 123 is not
in 1234.
"""

import re
from collections.abc import Sequence

from longloom.evaluation.scoring.score import Score
from longloom.evaluation.scoring.whole_words import contains_whole

_CONTROL = re.compile(r"[\x00-\x1f]")


def score_ruler_all(text: str, golds: Sequence[str]) -> Score:
    """Score by `string_match_all`: the share of golds that are there (needles, tracing, words)."""
    loose, whole = _matches(text, golds)
    num_golds = max(1, len(golds))
    return Score(parity=sum(loose) / num_golds, strict=sum(whole) / num_golds)


def score_ruler_part(text: str, golds: Sequence[str]) -> Score:
    """Score by `string_match_part`: whether any gold is there (questions)."""
    loose, whole = _matches(text, golds)
    return Score(parity=float(any(loose)), strict=float(any(whole)))


def _matches(text: str, golds: Sequence[str]) -> tuple[list[bool], list[bool]]:
    """Return for every gold whether it is there, as a part and whole."""
    lowered = _CONTROL.sub("\n", text.strip()).strip().lower()
    loose = [gold.lower() in lowered for gold in golds]
    whole = [contains_whole(lowered, gold.strip().lower()) for gold in golds]
    return loose, whole
