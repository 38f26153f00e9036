"""ROUGE-L of summaries, exactly as the package `rouge` 1.0.1 has it, with bounded work.

That package is not Google's `rouge-score`: texts are split into sentences at every full stop, words
at spaces, nothing is stemmed or lower-cased; and it counts *different* words: those of the
union of the longest common subsequences of every pair of sentences, by those of either text.

At most 3,000 words of either text are compared. The package recurses over a pair of sentences and
fails where they have about 1,000 words together, which LongBench counts as 0; here they are scored.
"""

from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

MAX_WORDS = 3_000
_EPSILON = 1e-8

_Sentence = tuple[str, ...]


def rouge_l(prediction: str, gold: str) -> float:
    """Return the F of ROUGE-L at summary level; 0 where either text has no sentence."""
    predicted, expected = _sentences(prediction), _sentences(gold)
    if not predicted or not expected:
        return 0.0
    shared = _union_of_common_words(predicted, expected)
    recall = len(shared) / len({word for sentence in expected for word in sentence})
    precision = len(shared) / len({word for sentence in predicted for word in sentence})
    return 2.0 * ((precision * recall) / (precision + recall + _EPSILON))


def _sentences(text: str) -> list[_Sentence]:
    """Return different sentences as words, up to the limit; one of spaces is one empty word."""
    found: dict[_Sentence, None] = {}
    num_left = MAX_WORDS
    for part in text.split("."):
        if not part:
            continue
        words = part.split(maxsplit=num_left)[:num_left] or [""]
        num_left -= len(words)
        if num_left < 0:
            break
        found[tuple(words)] = None
    return list(found)


def _union_of_common_words(predicted: list[_Sentence], expected: list[_Sentence]) -> set[str]:
    """Return the words of a longest common subsequence of any two sentences."""
    number_by_word: dict[str, int] = {}
    # All predicted sentences lie side by side, each behind a column of zeros, so that one pass
    # over the words of an expected sentence fills the tables of all pairs.
    columns = np.array(
        [
            number
            for sentence in predicted
            for number in (
                -1,
                *(number_by_word.setdefault(w, len(number_by_word)) for w in sentence),
            )
        ]
    )
    starts = [0, *accumulate(len(sentence) + 1 for sentence in predicted)][:-1]
    shared: set[str] = set()
    for sentence in expected:
        table = _lengths(columns, [number_by_word.get(word, -2) for word in sentence])
        for start, other in zip(starts, predicted, strict=True):
            if table[len(sentence), start + len(other)]:
                shared.update(_common_words(table[:, start:], sentence, other))
    return shared


def _lengths(columns: NDArray[np.int64], rows: list[int]) -> NDArray[np.int32]:
    """Return the lengths of the longest common subsequences of all beginnings."""
    table = np.zeros((len(rows) + 1, len(columns)), dtype=np.int32)
    # Raised by its sentence, no column can take over the maximum of an earlier sentence.
    raised = np.cumsum(columns == -1, dtype=np.int64) * (len(rows) + 1)
    for index, row in enumerate(rows, start=1):
        before = table[index - 1]
        matches = np.flatnonzero(columns == row)
        best = before.copy()
        best[matches] = np.maximum(best[matches], before[matches - 1] + 1)
        table[index] = np.maximum.accumulate(best + raised) - raised
    return table


def _common_words(table: NDArray[np.int32], sentence: _Sentence, other: _Sentence) -> list[str]:
    """Walk back as the package does; of two equal ways, the one that shortens `other`."""
    row, column = len(sentence), len(other)
    words: list[str] = []
    while row and column and table[row, column]:
        if sentence[row - 1] == other[column - 1]:
            words.append(sentence[row - 1])
            row, column = row - 1, column - 1
        elif table[row - 1, column] > table[row, column - 1]:
            row -= 1
        else:
            column -= 1
    return words
