import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.errors import ConfigError
from longloom.evaluation.truncation import middle_span, truncate_middle

Starts = list[int]


def word_starts(text: str) -> Starts:
    return [match.start() for match in re.finditer(r"\S+", text)]


def byte_starts(text: str) -> Starts:
    return [position for position, character in enumerate(text) for _ in character.encode("utf-8")]


@given(
    words=st.lists(st.text("ab\u00e9", min_size=1, max_size=3), max_size=40),
    gap=st.sampled_from([" ", "\n\n", "\t "]),
    max_tokens=st.integers(0, 45),
)
def test_exactly_the_budget_of_words_is_kept(words: list[str], gap: str, max_tokens: int) -> None:
    text = gap.join(words)
    kept = truncate_middle(text, word_starts(text), max_tokens).split()
    if len(words) <= max_tokens:
        assert kept == words
    else:
        num_head = max_tokens // 2
        tail_start = len(words) - (max_tokens - num_head)
        assert kept == words[:num_head] + words[tail_start:]


@given(text=st.text("a\u00e9\u4e2d\U0001f600", max_size=40), max_tokens=st.integers(0, 80))
def test_characters_of_several_tokens_are_kept_whole_or_not(text: str, max_tokens: int) -> None:
    starts = byte_starts(text)
    start, end = middle_span(text, starts, max_tokens)
    kept = truncate_middle(text, starts, max_tokens)
    num_kept_bytes = len(kept.encode("utf-8"))
    assert kept == text[:start] + text[end:]
    assert num_kept_bytes <= max_tokens
    # At most 3 bytes are lost on either side of the cut, to whole 4-byte characters.
    assert num_kept_bytes >= min(len(starts), max_tokens) - 6


def test_text_within_the_budget_is_returned_as_it_is() -> None:
    text = "  a b c \n"
    assert truncate_middle(text, word_starts(text), 3) == text


def test_odd_budget_gives_the_tail_one_more() -> None:
    text = "a b c d e f"
    assert truncate_middle(text, word_starts(text), 3) == "a e f"
    assert truncate_middle(text, word_starts(text), 1) == "f"
    assert truncate_middle(text, word_starts(text), 0) == ""


def test_negative_budget_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_tokens is -1"):
        truncate_middle("a", [0], -1)
