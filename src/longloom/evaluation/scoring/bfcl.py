r"""BFCL v4 memory: whether one of the possible answers is in the last message.

Parity deletes the marks `, . / - _ * ^ ( )`, lowers the case, makes single quotes double, and looks
for the gold between two `\b`. Its faults, kept there and repaired in strict:

- "April 1,2024" becomes "april 12024", which is not "april 1 2024": marks must not join words.
- "3-5" becomes "35" and so is right where 35 was asked.
- A gold that begins or ends in a symbol ("C++", "$5.50") needs a word character beyond it, so it
  never matches where it stands alone; see `is_matchable`.
- An empty gold matches any reply that has a word.
"""

import re
import unicodedata
from collections.abc import Sequence

from longloom.evaluation.scoring.score import Score
from longloom.evaluation.scoring.whole_words import contains_whole, is_word_character

_DELETED = str.maketrans(dict.fromkeys(",./-_*^()") | {"'": '"'})
_SPACED = str.maketrans(dict.fromkeys(",/-_*^()", " ") | {"'": '"'})
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_BARE_DOT = re.compile(r"(?<![0-9])\.|\.(?![0-9])")


def standardized(text: str) -> str:
    """Return `text` as BFCL's checker compares it."""
    return text.translate(_DELETED).lower()


def is_matchable(gold: str) -> bool:
    r"""Return whether the official checker can find `gold` standing alone.

    It cannot if the standardised gold begins or ends in a symbol or is empty.
    """
    bare = standardized(gold)
    return bool(bare) and is_word_character(bare[0]) and is_word_character(bare[-1])


def score_bfcl_memory(text: str, golds: Sequence[str]) -> Score:
    """Score the last message that is no function call; one gold is enough."""
    reply, spaced_reply = standardized(text), _spaced(text)
    return Score(
        parity=float(any(_is_found(standardized(gold), reply) for gold in golds)),
        strict=float(any(contains_whole(spaced_reply, _spaced(gold)) for gold in golds)),
    )


def _is_found(gold: str, reply: str) -> bool:
    return re.search(rf"\b{re.escape(gold)}\b", reply) is not None


def _spaced(text: str) -> str:
    """Return words apart by one space: marks become spaces, but numbers stay one."""
    composed = unicodedata.normalize("NFC", text).lower()
    numbers = _BARE_DOT.sub("", _THOUSANDS.sub("", composed))
    return " ".join(numbers.translate(_SPACED).split())
