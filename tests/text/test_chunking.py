import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.errors import ConfigError, DataError
from longloom.text.chunking import chunk_text

Offsets = list[tuple[int, int]]


def word_offsets(text: str) -> Offsets:
    return [match.span() for match in re.finditer(r"\S+", text)]


def byte_offsets(text: str) -> Offsets:
    # As a byte-level tokenizer without merges gives them: one token for each UTF-8 byte.
    return [
        (position, position + 1)
        for position, character in enumerate(text)
        for _ in character.encode("utf-8")
    ]


def chunk_texts(text: str, offsets: Offsets, max_chunk_tokens: int) -> list[str]:
    return [text[c.start : c.end] for c in chunk_text(text, offsets, max_chunk_tokens)]


@given(
    text=st.text(alphabet="ab.\n \u00e9\u4e2d\u3002\U0001f600", max_size=80),
    by_bytes=st.booleans(),
    max_chunk_tokens=st.integers(4, 12),
)
def test_chunks_joined_are_the_text_and_none_exceeds_the_limit(
    text: str, by_bytes: bool, max_chunk_tokens: int
) -> None:
    offsets = byte_offsets(text) if by_bytes else word_offsets(text)
    chunks = chunk_text(text, offsets, max_chunk_tokens)
    assert "".join(text[c.start : c.end] for c in chunks) == text
    assert [c.index for c in chunks] == list(range(len(chunks)))
    assert all(c.num_tokens <= max_chunk_tokens and c.start < c.end for c in chunks)
    assert sum(c.num_tokens for c in chunks) == len(offsets)
    for c in chunks:
        assert c.num_tokens == sum(c.start <= start < c.end for start, _ in offsets)


@given(
    words=st.lists(st.sampled_from(["a", "b.", "c\n", "d\n\n"]), min_size=1, max_size=60),
    max_chunk_tokens=st.integers(1, 9),
)
def test_chunks_are_at_most_twice_the_fewest_possible(
    words: list[str], max_chunk_tokens: int
) -> None:
    text = " ".join(words)
    fewest = -(-len(words) // max_chunk_tokens)
    assert len(chunk_text(text, word_offsets(text), max_chunk_tokens)) <= 2 * fewest


def test_paragraph_wins_over_a_later_line_break() -> None:
    text = "a b c d\n\ne\nf g h"
    assert chunk_texts(text, word_offsets(text), 6) == ["a b c d\n\n", "e\nf g h"]


def test_line_break_wins_over_a_later_sentence() -> None:
    text = "a b c d\ne. f g h i"
    assert chunk_texts(text, word_offsets(text), 6) == ["a b c d\n", "e. f g h i"]


def test_sentence_wins_over_a_later_token() -> None:
    text = 'a b c "d." e f g h'
    assert chunk_texts(text, word_offsets(text), 6) == ['a b c "d." ', "e f g h"]


def test_ideographic_sentence_end_needs_no_space() -> None:
    text = "\u4e2d\u4e2d\u3002\u4e2d\u4e2d\u4e2d"
    offsets = [(i, i + 1) for i in range(6)]
    assert chunk_texts(text, offsets, 4) == [text[:3], text[3:]]


def test_break_in_the_first_half_of_the_budget_is_passed_over() -> None:
    text = "a\n\nb c d e f g h"
    assert chunk_texts(text, word_offsets(text), 6) == ["a\n\nb c d e f ", "g h"]


def test_outline_blocks_stay_whole() -> None:
    block = "module heappush heapq\nparameters heappush 2"
    text = "\n\n".join([block] * 5)
    pieces = chunk_texts(text, word_offsets(text), 15)
    assert pieces == [block + "\n\n" + block + "\n\n"] * 2 + [block]


def test_character_of_several_tokens_is_not_split() -> None:
    text = "ab\U0001f600cd"
    assert chunk_texts(text, byte_offsets(text), 4) == ["ab", "\U0001f600", "cd"]


def test_character_above_the_limit_is_refused() -> None:
    text = "\U0001f600\U0001f600"
    with pytest.raises(ConfigError, match="character at 0 alone takes"):
        chunk_text(text, byte_offsets(text), 3)


def test_text_without_tokens_is_one_chunk_and_empty_text_none() -> None:
    (only,) = chunk_text(" \n ", [], 4)
    assert (only.start, only.end, only.num_tokens) == (0, 3, 0)
    assert chunk_text("", [], 4) == ()


def test_outer_white_space_belongs_to_the_first_and_last_chunk() -> None:
    text = "  a b c d  "
    assert chunk_texts(text, word_offsets(text), 2) == ["  a b ", "c d  "]


@pytest.mark.parametrize("offsets", [[(0, 9)], [(2, 3), (0, 1)], [(2, 1)]])
def test_offsets_of_another_text_are_refused(offsets: Offsets) -> None:
    with pytest.raises(DataError, match="expected spans in order"):
        chunk_text("a b c", offsets, 2)


def test_limit_below_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_chunk_tokens is 0"):
        chunk_text("a", [(0, 1)], 0)
