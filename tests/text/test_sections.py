import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.errors import ConfigError, DataError
from longloom.text.estimated_tokens import EstimatedTokens
from longloom.text.sections import Section, SectionCutter, section_cutter
from longloom.text.token_starts import TextTokens, TokenStarts

STOPS, SPACELESS_STOPS, CLOSERS = ".!?\u2026\u3002\uff01\uff1f", "\u3002\uff01\uff1f", "\"')]}"
TEXTS = st.text(alphabet='ab.\n \u00e9\u4e2d\u3002\U0001f600")', max_size=80)


@dataclass(frozen=True)
class GivenTokens:
    """Tokens that begin where they are said to, in blocks of a few; counts what was asked for."""

    all_starts: tuple[int, ...]
    block_tokens: int = 7
    name: str = "given"
    is_exact: bool = True

    def count(self, text: str) -> int:
        return len(self.all_starts)

    def starts(self, text: str) -> Iterator[TokenStarts]:
        for first in range(0, len(self.all_starts), self.block_tokens):
            yield np.array(self.all_starts[first : first + self.block_tokens], dtype=np.int64)


def words(text: str) -> GivenTokens:
    # White space is no token.
    return GivenTokens(tuple(match.start() for match in re.finditer(r"\S+", text)))


def utf8_bytes(text: str) -> GivenTokens:
    # As a byte-level tokenizer without merges gives them.
    places = [place for place, letter in enumerate(text) for _ in letter.encode("utf-8")]
    return GivenTokens(tuple(places))


def estimate(text: str) -> TextTokens:
    return EstimatedTokens(block_chars=9)


def cut_all(text: str, tokens: TextTokens, max_tokens: int) -> list[Section]:
    return list(SectionCutter(text, tokens).sections(max_tokens))


def pieces(text: str, tokens: TextTokens, max_tokens: int) -> list[str]:
    return [text[section.start : section.end] for section in cut_all(text, tokens, max_tokens)]


@given(
    text=TEXTS,
    measured=st.sampled_from([words, utf8_bytes, estimate]),
    max_tokens=st.integers(4, 12),
)
def test_sections_joined_are_the_text_and_none_exceeds_the_limit(text, measured, max_tokens):
    tokens = measured(text)
    starts = [start for block in tokens.starts(text) for start in block.tolist()]
    sections = cut_all(text, tokens, max_tokens)
    assert "".join(text[section.start : section.end] for section in sections) == text
    for section in sections:
        assert section.start < section.end
        assert section.num_tokens <= max_tokens
        assert section.num_tokens == sum(section.start <= start < section.end for start in starts)


@given(
    marks=st.lists(st.sampled_from(["a", "b.", "c\n", "d\n\n"]), min_size=1, max_size=60),
    max_tokens=st.integers(1, 9),
)
def test_sections_are_at_most_twice_the_fewest_possible(marks, max_tokens):
    text = " ".join(marks)
    fewest = -(-len(marks) // max_tokens)
    assert len(cut_all(text, words(text), max_tokens)) <= 2 * fewest


def slow_end(text: str, starts: list[int], start: int, max_tokens: int) -> int:
    """Try every character in the second half of the budget; return the last of the best."""
    own = [place for place in starts if place >= start]
    if len(own) <= max_tokens:
        return len(text)
    latest, before_half = own[max_tokens], own[(max_tokens + 1) // 2 - 1]
    best_end, best_grade = latest, 0
    for end in range(before_half + 1, latest + 1):
        grade = slow_grade(text[: latest + 1], before_half, end)
        if grade and grade >= best_grade:
            best_end, best_grade = end, grade
    following = next((place for place in starts if place >= best_end), len(text))
    return following if text[best_end:following].isspace() else best_end


def slow_grade(text: str, before_half: int, end: int) -> int:
    if text[end - 1] == "\n":
        gap = text[max(before_half - 1, 0) : end - 1].rstrip(" ")
        return 3 if gap.endswith("\n") else 2
    before = text[before_half:end].rstrip(CLOSERS)
    if before[-1:] in tuple(SPACELESS_STOPS):
        return 1 if end == len(text) - 1 or text[end] not in CLOSERS else 0
    return int(before[-1:] in tuple(STOPS) and text[end : end + 1].isspace())


@given(text=TEXTS, measured=st.sampled_from([words, utf8_bytes]), max_tokens=st.integers(4, 20))
def test_ends_are_those_of_a_search_through_every_character(text, measured, max_tokens):
    tokens = measured(text)
    for section in cut_all(text, tokens, max_tokens):
        assert section.end == slow_end(text, list(tokens.all_starts), section.start, max_tokens)


def test_paragraph_wins_over_a_later_line_break():
    text = "a b c d\n\ne\nf g h"
    assert pieces(text, words(text), 6) == ["a b c d\n\n", "e\nf g h"]


@pytest.mark.parametrize("gap", ["\n\n", "\n \n", "\r\n\r\n", "\n\t \n", "\n\n\n"])
def test_a_paragraph_ends_at_an_empty_or_blank_line(gap):
    text = f"a b c d{gap}e\nf g h"
    assert pieces(text, words(text), 6) == [f"a b c d{gap}", "e\nf g h"]


def test_line_break_wins_over_a_later_sentence():
    text = "a b c d\ne. f g h i"
    assert pieces(text, words(text), 6) == ["a b c d\n", "e. f g h i"]


def test_sentence_wins_over_a_later_token():
    text = 'a b c "d." e f g h'
    assert pieces(text, words(text), 6) == ['a b c "d." ', "e f g h"]


def test_the_last_sentence_counts_whatever_ends_it():
    text = "a b c d! e. f? g 3.14 h i j"
    assert pieces(text, words(text), 9) == ["a b c d! e. f? ", "g 3.14 h i j"]


def test_ideographic_sentence_end_needs_no_space():
    text = "\u4e2d\u4e2d\u3002\u4e2d\u4e2d\u4e2d"
    assert pieces(text, GivenTokens(tuple(range(6))), 4) == [text[:3], text[3:]]


def test_a_closing_quote_stays_with_its_ideographic_sentence():
    text = "\u4e2d\u4e2d\u3002\u300d\u4e2d\u4e2d\u4e2d"
    assert pieces(text, GivenTokens(tuple(range(7))), 5) == [text[:4], text[4:]]


def test_break_in_the_first_half_of_the_budget_is_passed_over():
    text = "a\n\nb c d e f g h"
    assert pieces(text, words(text), 6) == ["a\n\nb c d e f ", "g h"]


def test_outline_blocks_stay_whole():
    block = "module heappush heapq\nparameters heappush 2"
    text = "\n\n".join([block] * 5)
    assert pieces(text, words(text), 15) == [block + "\n\n" + block + "\n\n"] * 2 + [block]


def test_indentation_goes_with_its_line_where_it_is_a_token():
    text = "def f():\n    one\n    two\n    three"
    tokens = GivenTokens(tuple(match.start() for match in re.finditer(r"\s?\S+|\s", text)))
    assert pieces(text, tokens, 11)[1].startswith("    ")


def test_a_boundary_within_a_token_is_one():
    text = "aaa\nbbb ccc ddd"
    assert pieces(text, GivenTokens((0, 2, 9, 12)), 3) == ["aaa\n", "bbb ccc ddd"]


def test_character_of_several_tokens_is_not_split():
    text = "ab\U0001f600cd"
    assert pieces(text, utf8_bytes(text), 4) == ["ab", "\U0001f600", "cd"]


def test_character_above_the_limit_is_refused():
    text = "\U0001f600\U0001f600"
    with pytest.raises(ConfigError, match="character at 0 alone takes"):
        SectionCutter(text, utf8_bytes(text)).cut(0, 3)


def test_text_without_tokens_is_one_section_and_empty_text_none():
    assert cut_all(" \n ", GivenTokens(()), 4) == [Section(start=0, end=3, num_tokens=0)]
    assert cut_all("", GivenTokens(()), 4) == []


def test_outer_white_space_belongs_to_the_first_and_last_section():
    text = "  a b c d  "
    assert pieces(text, words(text), 2) == ["  a b ", "c d  "]


@pytest.mark.parametrize("starts", [(0, 9), (2, 0), (-1, 1)])
@pytest.mark.parametrize("block_tokens", [1, 2])
def test_tokens_of_another_text_are_refused_again_and_again(starts, block_tokens):
    cutter = SectionCutter("a b c", GivenTokens(starts, block_tokens))
    for _ in range(2):
        with pytest.raises(DataError, match="expected starts in order"):
            cutter.cut(0, 4)


def test_limit_below_one_is_refused():
    with pytest.raises(ConfigError, match="max_tokens is 0"):
        SectionCutter("a", GivenTokens((0,))).cut(0, 0)


@pytest.mark.parametrize("start", [-1, 1, 2])
def test_a_section_begins_at_a_character(start):
    with pytest.raises(DataError, match=f"character {start} of a text of 1"):
        SectionCutter("a", GivenTokens((0,))).cut(start, 1)


@given(text=TEXTS, max_tokens=st.integers(4, 9), start=st.integers(0, 79))
def test_a_cut_depends_on_the_text_from_its_start_and_on_nothing_cut_before(
    text, max_tokens, start
):
    if start >= len(text):
        return
    fresh = SectionCutter(text, utf8_bytes(text)).cut(start, max_tokens)
    used = SectionCutter(text, utf8_bytes(text))
    list(used.sections(4))
    assert used.cut(start, max_tokens) == fresh


@given(text=TEXTS, more=TEXTS, max_tokens=st.integers(4, 9))
def test_a_text_that_grows_keeps_its_sections_but_the_last(text, more, max_tokens):
    before = cut_all(text, utf8_bytes(text), max_tokens)[:-1]
    after = cut_all(text + more, utf8_bytes(text + more), max_tokens)
    assert after[: len(before)] == before


def test_the_text_is_tokenised_no_further_than_it_must():
    text = "one two three four\n" * 100
    taken = []

    class Watched(EstimatedTokens):
        def starts(self, text):
            for block in super().starts(text):
                taken.append(len(block))
                yield block

    cutter = SectionCutter(text, Watched(block_chars=190))
    cutter.cut(0, 40)
    assert len(taken) == 1
    assert cutter.num_tokens is None
    list(cutter.sections(40))
    assert cutter.num_tokens == sum(taken) == EstimatedTokens().count(text)


def test_sections_left_is_about_right_first_and_exact_once_all_is_tokenised():
    text = "one two three four\n" * 5_000
    cutter = SectionCutter(text, EstimatedTokens(block_chars=1_900))
    section = cutter.cut(0, 100)
    assert 235 <= cutter.sections_left(section.end, 100) <= 285
    assert cutter.num_tokens is None
    starts = [section.start for section in cutter.sections(100)]
    left = [cutter.sections_left(start, 100) for start in starts]
    assert left == list(range(len(starts), 0, -1))
    assert cutter.sections_left(len(text), 100) == 0


def test_sections_left_is_known_of_a_text_that_nobody_has_cut_yet():
    short, long = "one two three four\n" * 100, "one two three four\n" * 10_000
    cutter = SectionCutter(short, EstimatedTokens(block_chars=190))
    assert cutter.sections_left(0, 20) == len(cut_all(short, EstimatedTokens(), 20))
    cutter = SectionCutter(long, EstimatedTokens())
    num_sections = len(cut_all(long, EstimatedTokens(), 1_000))
    assert abs(cutter.sections_left(0, 1_000) - num_sections) <= 0.1 * num_sections
    assert cutter.num_tokens is None


@given(
    text=st.text("ab.\n ", min_size=1, max_size=60),
    max_tokens=st.integers(4, 9),
    smaller=st.integers(4, 9),
)
def test_sections_left_is_exact_after_a_smaller_section(text, max_tokens, smaller):
    cutter = SectionCutter(text, words(text))
    num_left = len(list(cutter.sections(max_tokens)))
    assert cutter.sections_left(0, max_tokens) == num_left
    start = cutter.cut(0, smaller).end
    left = cutter.sections_left(start, max_tokens)
    num_cut = 0
    while start < len(text):
        start, num_cut = cutter.cut(start, max_tokens).end, num_cut + 1
    assert left == num_cut


def test_a_text_that_is_all_one_thing_is_cut_all_the_same():
    for letter in ("\n", " ", "a", ".", "\U0001f600", "\u0301", "\u4e2d", "\u3002"):
        text = letter * 3_000
        sections = cut_all(text, EstimatedTokens(block_chars=256), 50)
        assert "".join(text[section.start : section.end] for section in sections) == text
        assert all(section.num_tokens <= 50 for section in sections)


def test_those_who_read_a_text_at_one_time_share_its_cutter():
    text = "one two three"
    cutter = section_cutter(text, EstimatedTokens())
    assert section_cutter("".join(["one two", " three"]), EstimatedTokens()) is cutter
    assert section_cutter(text, EstimatedTokens(block_chars=5)) is not cutter
    assert section_cutter(text + " ", EstimatedTokens()) is not cutter


def test_a_huge_text_is_shared_while_it_is_held_and_then_forgotten():
    text = "a" * 9_000_000
    cutter = section_cutter(text, EstimatedTokens())
    assert section_cutter(text, EstimatedTokens()) is cutter
    cutter.cut(0, 10)
    del cutter
    assert section_cutter(text, EstimatedTokens()).num_tokens is None
    assert section_cutter(text, EstimatedTokens())._starts.num_known == 0


def test_a_broken_cutter_is_not_shared():
    tokens = GivenTokens((2, 0))
    cutter = section_cutter("a b c", tokens)
    with pytest.raises(DataError):
        cutter.cut(0, 4)
    assert cutter.is_broken
    assert section_cutter("a b c", tokens) is not cutter


def test_threads_that_share_a_cutter_cut_alike():
    text = "one two three four\n\n" * 2_000
    expected = cut_all(text, EstimatedTokens(), 50)
    cutter = SectionCutter(text, EstimatedTokens(block_chars=64))
    found: list[list[Section]] = []
    threads = [
        threading.Thread(target=lambda: found.append(list(cutter.sections(50)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4
