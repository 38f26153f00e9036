"""Long texts are counted once, short ones each time, and nothing is mistaken for another."""

from longloom.text.estimated_tokens import EstimatedTokens
from longloom.text.long_counts import LongCounts
from longloom.text.tokenizer_tokens import TokenizerTokens

LONG = "The mill at Orrin grinds oats.\n" * 1_000


class Counted:
    """Counts words, and how often it was asked."""

    def __init__(self) -> None:
        self.num_calls = 0

    def __call__(self, text: str) -> int:
        self.num_calls += 1
        return len(text.split())


def test_a_long_text_is_counted_once() -> None:
    counts, count = LongCounts(), Counted()
    again = "".join([LONG[:10_000], LONG[10_000:]])  # equal, but another object
    assert [counts.get(text, count) for text in (LONG, LONG, again)] == [6_000] * 3
    assert count.num_calls == 1


def test_other_texts_of_the_same_length_are_counted() -> None:
    counts, count = LongCounts(), Counted()
    assert counts.get("a " * 10_000, count) == 10_000
    assert counts.get("ab" * 10_000, count) == 1
    assert count.num_calls == 2


def test_short_texts_are_not_kept() -> None:
    counts, count = LongCounts(), Counted()
    assert [counts.get("a b", count) for _ in range(2)] == [2, 2]
    assert count.num_calls == 2


def test_kept_counts_are_few() -> None:
    counts, count = LongCounts(), Counted()
    for number in range(1_500):
        counts.get(f"{number} {LONG}", count)
    assert len(counts._count_by_text) <= 1_024


class LetterTokenizer:
    name = "letters"

    def __init__(self) -> None:
        self.num_calls = 0

    def encode(self, text: str) -> list[int]:
        self.num_calls += 1
        return [ord(letter) for letter in text]


def test_a_tokenizer_sees_a_long_text_once() -> None:
    tokenizer = LetterTokenizer()
    tokens = TokenizerTokens(tokenizer)  # type: ignore[arg-type]
    assert [tokens.count(LONG) for _ in range(3)] == [len(LONG)] * 3
    assert tokenizer.num_calls == 1


def test_an_estimate_is_that_of_the_parts() -> None:
    tokens, fresh = EstimatedTokens(), EstimatedTokens()
    assert tokens.count(LONG) == tokens.count(LONG) == fresh.count(LONG)
    assert tokens.count(LONG) == sum(len(starts) for starts in fresh.starts(LONG))
