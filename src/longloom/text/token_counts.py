"""Count tokens without encoding: exactly by a model's tokenizer, or as Qwen3 would about count.

The estimate splits text where Qwen's byte-level vocabulary does (one token a digit, words with one
leading space or mark, runs of punctuation, runs of white space) and charges each piece the mean
number of tokens of pieces like it, in hundredths. The means were taken with the Qwen vocabulary
over 24 MB of reports, articles, standards, contracts, tables and Python sources; over whole
documents the estimate was within a few percent (docs/synthesis.md gives the figures).

Both are additive over texts that are joined at a line break, as long as the later one does not
begin with white space: blocks are counted once and summed.
"""

import math
import re
from collections import Counter
from pathlib import Path
from typing import Protocol

from longloom.text.tokenizer import FolderTokenizer, Tokenizer

PIECE = re.compile(
    r"'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])"
    r"|(?:[^\r\n\w]|_)?[^\W\d_]+"
    r"|\d"
    r"| ?(?:[^\s\w]|_)+[\r\n]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+"
)
"""The pieces of a text, in order and without gaps; each is at least a token."""

# Mean tokens in hundredths by number of letters; the last entry goes on for longer pieces.
_LOWER = (100, 100, 100, 102, 104, 105, 108, 111, 115, 119, 123, 128, 137, 147, 150, 182, 240, 320)
_TITLE = (100, 102, 103, 108, 115, 133, 140, 144, 150, 153, 180, 181, 190, 190, 190, 240, 240)
_UPPER = (100, 102, 124, 173, 160, 170, 170, 201, 221, 236, 236, 255, 293, 294, 294, 320, 342, 372)
_OTHER = (148, 148, 232, 278, 290, 290, 340, 347, 360, 402, 416, 430, 500)
_MARKS = (100, 100, 102, 127, 182, 244, 282, 290, 250, 220, 206, 208, 230, 230)
_OTHER_MARKS = (110, 110, 160, 360, 375, 378, 383, 500)
_CONTRACTION = 122
_LONGEST_SPACE = 64  # characters of white space that one token can have; ours, on the safe side


class TokenCounter(Protocol):
    """Counts the tokens of texts."""

    @property
    def name(self) -> str:
        """What is counted with, for data cards."""
        ...

    def measure(self, text: str) -> float:
        """Return the tokens of `text`, not rounded: sums of parts are those of the whole."""
        ...


def count_tokens(counter: TokenCounter, text: str) -> int:
    """Return the number of tokens of `text`, rounded up."""
    return math.ceil(counter.measure(text))


class TokenizerCounter:
    """Counts with a tokenizer."""

    def __init__(self, tokenizer: Tokenizer, name: str) -> None:
        self._tokenizer = tokenizer
        self.name = name

    def measure(self, text: str) -> float:
        """Return the number of tokens of `text`."""
        return float(len(self._tokenizer.encode(text)))


class EstimatedCounter:
    """Counts about as Qwen3's tokenizer does."""

    name = "estimate of Qwen3 tokens"

    def __init__(self) -> None:
        self._cost_by_piece: dict[str, int] = {}

    def measure(self, text: str) -> float:
        """Return about how many tokens Qwen3's tokenizer makes of `text`, in hundredths."""
        cost_by_piece = self._cost_by_piece
        total = 0
        for piece, times in Counter(PIECE.findall(text)).items():
            cost = cost_by_piece.get(piece)
            if cost is None:
                cost = piece_cost(piece)
                if len(piece) <= 24:  # longer ones are rare: the table stays small
                    cost_by_piece[piece] = cost
            total += cost * times
        return total / 100


def piece_cost(piece: str) -> int:
    """Return about how many tokens a match of `PIECE` has, in hundredths; at least 100."""
    letters = piece if piece[0].isalpha() else piece[1:]
    if letters.isalpha():
        if not letters.isascii():
            return _mean(_OTHER, len(letters))
        if letters.islower():
            return _mean(_LOWER, len(letters))
        is_title = letters[0].isupper() and letters[1:].islower()
        return _mean(_TITLE if is_title else _UPPER, len(letters))
    marks = piece.strip()
    if not marks:
        return 100 * -(-len(piece) // _LONGEST_SPACE)
    if marks.isnumeric():
        return 100
    if marks[0] == "'" and marks[1:].isalpha():
        return _CONTRACTION
    return _mean(_MARKS if marks.isascii() else _OTHER_MARKS, len(marks))


def _mean(means: tuple[int, ...], length: int) -> int:
    """Return the mean for a length; beyond the table as many as its last entry gives a letter."""
    last = len(means) - 1
    return means[length] if length <= last else means[last] * length // last


ESTIMATE = "estimate"
"""Name of the estimate of Qwen3's tokens."""


def load_counter(name: str) -> TokenCounter:
    """Return the counter called `name`: `estimate`, or a model folder whose tokenizer counts.

    Raises:
        ModelError: the folder's tokenizer cannot be read.
    """
    if name == ESTIMATE:
        return EstimatedCounter()
    return TokenizerCounter(FolderTokenizer(Path(name)), Path(name).name)
