"""Words, sizes and counts of RULER's samples, apart from the samples."""

import random

import pytest

from longloom.evaluation.benchmarks.ruler.sizing import count_blocks, largest_size
from longloom.evaluation.benchmarks.ruler.words import (
    ADJECTIVES,
    NOUNS,
    NUM_MADE_WORDS,
    distinct_words,
    made_word,
)


def test_words_are_distinct() -> None:
    words = [*ADJECTIVES, *NOUNS]
    assert len(set(words)) == len(words)
    assert all(word.isalpha() and word.islower() for word in words)
    dice = random.Random(0)
    assert len(set(distinct_words(dice, 2_000))) == 2_000
    assert set(distinct_words(dice, 40)) <= set(words)
    assert len({made_word(index) for index in range(0, NUM_MADE_WORDS, 37)}) == len(
        range(0, NUM_MADE_WORDS, 37)
    )


@pytest.mark.parametrize("max_tokens", [35, 36, 100, 1_000, 98_765])
@pytest.mark.parametrize("per_unit", [0.3, 7, 40])
def test_the_largest_size_is_found_with_few_counts(max_tokens: int, per_unit: float) -> None:
    sizes: list[int] = []

    def count(size: int) -> int:
        sizes.append(size)
        return 30 + int(per_unit * size)

    size = largest_size(count, least=2, most=None, max_tokens=max_tokens)
    if count(2) > max_tokens:
        assert size is None
    else:
        assert size is not None
        assert count(size) <= max_tokens < count(size + 1 + int(1 / per_unit))
        assert len(sizes) < 14


def test_sizes_stay_within_what_there_is() -> None:
    assert largest_size(lambda size: size, least=1, most=30, max_tokens=1_000) == 30
    assert largest_size(lambda size: size, least=5, most=5, max_tokens=1_000) == 5


def test_long_texts_are_counted_in_blocks() -> None:
    text = "four word sentence here\n" * 60_000
    longest = 0

    def count(block: str) -> int:
        nonlocal longest
        longest = max(longest, len(block))
        return len(block.split())

    assert count_blocks(count, text) == 240_000
    assert longest <= 1 << 18
    assert count_blocks(len, "x" * 600_000) == 600_000
    assert count_blocks(len, "") == 0
