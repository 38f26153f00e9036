"""OpenAI MRCR: how much of a verbatim reply is right (the dataset card's `grade`).

The reply must begin with a given random string; the rest is compared by difflib's matching ratio,
reply first, with its junk heuristic. That order and the heuristic are part of the measure: where
the expected text has 200 characters or more, characters that make up over 1 percent of it are no
anchors.

The work is bounded. Of a reply longer than 8 times the expected text and 2,000 characters only that
much is matched, and gaps whose search would lead beyond 16 million characters and pairs of them are
left out. Both can only lower the result; `MatchRatio.upper_bound` says what it might have been.
"""

from collections.abc import Sequence
from typing import NamedTuple

from longloom.evaluation.scoring.score import Score
from longloom.rewards.rules import match_characters

MAX_REPLY_PER_ANSWER = 8
MAX_SPARE_CHARACTERS = 2_000


class MatchRatio(NamedTuple):
    """A matching ratio in [0, 1] and the work it took."""

    ratio: float
    """2 * matched / (both lengths)."""
    upper_bound: float
    """`ratio` where all was compared; else twice the shorter length by both lengths."""
    num_comparisons: int
    """Characters and pairs of characters looked at."""


def match_ratio(reply: str, answer: str) -> MatchRatio:
    """Return difflib's `SequenceMatcher(None, reply, answer).ratio()`, with bounded work."""
    total = len(reply) + len(answer)
    if reply == answer:
        return MatchRatio(1.0, 1.0, total)
    kept = reply[: MAX_REPLY_PER_ANSWER * len(answer) + MAX_SPARE_CHARACTERS]
    matched = match_characters(kept, answer, autojunk=True)
    ratio = 2 * matched.num_matched / total
    is_complete = matched.is_complete and kept == reply
    upper_bound = ratio if is_complete else 2 * min(len(reply), len(answer)) / total
    return MatchRatio(ratio, upper_bound, matched.num_comparisons)


def grade_mrcr(reply: str, answer: str, prefix: str) -> float:
    """Return the official grade: 0 without the prefix, the ratio of what follows it with it."""
    return _grade(reply, answer, prefix).ratio


def score_mrcr(text: str, golds: Sequence[str], *, prefix: str) -> Score:
    """Score a verbatim reply against the best gold.

    Parity is the official grade. Strict overlooks line breaks and spaces before the prefix, which
    cost everything there and say nothing of what was remembered. Part `upper_bound` is the strict
    score that a comparison without bounds cannot exceed.
    """
    official = [_grade(text, gold, prefix) for gold in golds]
    stripped = text.lstrip("\r\n ")
    lenient = official if stripped == text else [_grade(stripped, gold, prefix) for gold in golds]
    return Score(
        parity=max((grade.ratio for grade in official), default=0.0),
        strict=max((grade.ratio for grade in lenient), default=0.0),
        parts={"upper_bound": max((grade.upper_bound for grade in lenient), default=0.0)},
    )


def _grade(reply: str, answer: str, prefix: str) -> MatchRatio:
    if not reply.startswith(prefix):
        return MatchRatio(0.0, 0.0, 0)
    return match_ratio(reply.removeprefix(prefix), answer.removeprefix(prefix))
