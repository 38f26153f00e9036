"""The largest haystack whose prompt fits a number of tokens, found with few counts of long texts.

Tokens grow nearly in step with units (lines, words, paragraphs). Two short samples give the step;
the size it leads to is counted, and put right by its error. RULER searches by halving instead,
with a count of the whole text at each probe.
"""

import math
from collections.abc import Callable

from longloom.evaluation.benchmark import CountTokens

CountUnits = Callable[[int], int]
"""Counts the tokens of a sample of so many units."""

_PROBE_UNITS = 64
_MAX_CORRECTIONS = 8
_BLOCK_CHARACTERS = 1 << 18
_CUTS = ("\n", " ")


def largest_size(count: CountUnits, *, least: int, most: int | None, max_tokens: int) -> int | None:
    """Return a number of units that fits, close to the largest; None if not even `least` does.

    Args:
        count: tokens of a sample by its units; about linear.
        least: units that a sample must have.
        most: units that it can have at most; None for no limit.
        max_tokens: what it must fit.
    """
    smallest = count(least)
    if smallest > max_tokens:
        return None
    probe = least + _PROBE_UNITS if most is None else min(most, least + _PROBE_UNITS)
    if probe == least:
        return least
    step = max((count(probe) - smallest) / (probe - least), 0.01)
    fits, tokens = least, smallest
    too_large: int | None = None if most is None else most + 1
    size = least
    for _ in range(_MAX_CORRECTIONS):
        size += math.floor((max_tokens - tokens) / step)
        size = max(size, fits + 1)
        size = size if too_large is None else min(size, too_large - 1)
        if size <= fits:
            break
        tokens = count(size)
        if tokens > max_tokens:
            too_large = size
            continue
        fits = size
        if max_tokens - tokens < step:
            break
    return fits


def count_blocks(count: CountTokens, text: str) -> int:
    """Return the tokens of a text, counted in blocks: a text of megabytes takes little memory.

    Blocks end ahead of white space, where no tokenizer of words joins tokens; a sum over blocks
    differs from the whole by at most a few tokens.
    """
    total, start = 0, 0
    while start < len(text):
        end = _block_end(text, start)
        total += count(text[start:end])
        start = end
    return total


def _block_end(text: str, start: int) -> int:
    end = start + _BLOCK_CHARACTERS
    if end >= len(text):
        return len(text)
    for mark in _CUTS:
        found = text.rfind(mark, start + 1, end)
        if found > start:
            return found
    return end
