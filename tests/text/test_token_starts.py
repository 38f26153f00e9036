"""Blocks lose nothing, and tokens made block by block are those of the whole text."""

import sysconfig
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from longloom.text.estimated_tokens import EstimatedTokens
from longloom.text.token_counts import PIECE, EstimatedCounter, count_tokens, piece_cost
from longloom.text.token_starts import text_blocks
from longloom.text.tokenizer_tokens import TokenizerTokens

FIRST = st.sampled_from("abZ19.,;:!?-_*(\"'$%\u00e9\u4e2d\u3002\U0001f600\u0416\u00b2")
SECOND = st.sampled_from("abZ19.,;:!?-_*(\"'$%\u00e9\u4e2d\u3002\U0001f600\u0416\u00b2/ \t\r")
BLOCK_CHARS = 64

WORD_MARKS = {
    "qwen": (
        r"(?i:'(?:[stmd]|re|ve|ll))",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ),
    "llama3": (
        r"(?i:'(?:[stmd]|re|ve|ll))",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ),
    "gpt2": (
        r"'(?:[stmd]|re|ve|ll)",
        r" ?\p{L}+",
        r" ?\p{N}+",
        r" ?[^\s\p{L}\p{N}]+",
        r"\s+(?!\S)",
        r"\s+",
    ),
}


class TrainedTokenizer:
    """What `TokenizerTokens` needs of a tokenizer."""

    end_id = 0
    end_ids = frozenset({0})

    def __init__(self, family: str) -> None:
        self.name = family
        pattern = Regex("|".join(WORD_MARKS[family]))
        self._tokenizer = Tokenizer(models.BPE())
        if family == "qwen":
            self._tokenizer.normalizer = normalizers.NFC()
        self._tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(pattern, "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        sources = ("argparse", "textwrap", "random", "statistics")
        library = Path(sysconfig.get_path("stdlib"))
        self._tokenizer.train_from_iterator(
            [(library / f"{name}.py").read_text("utf-8") for name in sources],
            trainers.BpeTrainer(
                vocab_size=1_500,
                initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                show_progress=False,
            ),
        )

    def encode(self, text):
        return self._tokenizer.encode(text).ids

    def encode_with_offsets(self, text):
        encoding = self._tokenizer.encode(text)
        return encoding.ids, encoding.offsets

    def decode(self, token_ids):
        return self._tokenizer.decode(list(token_ids))

    def render_chat(self, messages):
        return "".join(message["content"] for message in messages)


@cache
def trained(family: str) -> TrainedTokenizer:
    return TrainedTokenizer(family)


@st.composite
def lined_texts(draw) -> str:
    """Lines of up to 20 characters, some of them apart by several breaks."""
    lines = draw(
        st.lists(
            st.tuples(FIRST, st.text(SECOND, max_size=12), FIRST, st.sampled_from(["\n", "\n\n"])),
            min_size=1,
            max_size=30,
        )
    )
    return "".join("".join(line) for line in lines)


def joined(tokens, text: str) -> list[int]:
    return [start for block in tokens.starts(text) for start in block.tolist()]


@given(text=st.text("ab \n\r\u3002/", max_size=400), block_chars=st.integers(2, 40))
def test_blocks_in_order_are_the_text_and_keep_their_size(text, block_chars):
    spans = list(text_blocks(text, block_chars=block_chars))
    assert "".join(text[start:end] for start, end in spans) == text
    sizes = [end - start for start, end in spans]
    assert all(block_chars // 2 < size <= block_chars for size in sizes[:-1])
    assert all(0 < size <= block_chars for size in sizes[-1:])


@given(text=st.text("ab \n", max_size=200), more=st.text("ab \n", max_size=200))
def test_a_text_that_grows_keeps_its_blocks_but_the_last_two(text, more):
    # The character after a block is looked at too.
    before = list(text_blocks(text, block_chars=20))[:-2]
    assert list(text_blocks(text + more, block_chars=20))[: len(before)] == before


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("aaaaaa bbb\nccc dd", 11),  # after a line
        ("aaaaaa bb\n\nccc\n\n", 11),  # after the last of two breaks, where no other is
        ("aaaaaaa\nbb\n\nccc d", 8),  # a single break rather than a later double one
        ("aaaaaaa\nbb\n ccccc", 8),  # not before white space
        ("aaaaaaa\nbb\n/usr/b", 8),  # nor before a stroke
        ("aaaaaaa bbbbbbbbbb", 7),  # before a space after a word
        ("aaaaaaaaa. bb-ccc", 12),  # but anywhere rather than after a mark
        ("\u4e2d\u4e2d\u4e2d\u4e2d\u4e2d\u4e2d\u4e2d\u3002\u4e2d\u4e2d\u4e2d\u4e2d\u4e2d", 7),
        ("a" * 20, 12),
        ("\n" * 20, 12),
    ],
)
def test_a_block_ends_at_the_best_place_of_its_second_half(text, end):
    assert next(text_blocks(text, block_chars=12)) == (0, end)


@pytest.mark.parametrize("family", ["llama3", "qwen"])
@given(text=lined_texts())
def test_tokens_made_in_blocks_are_those_of_the_whole(family, text):
    tokenizer = trained(family)
    _, offsets = tokenizer.encode_with_offsets(text)
    tokens = TokenizerTokens(tokenizer, block_chars=BLOCK_CHARS)
    assert joined(tokens, text) == [start for start, _ in offsets]
    assert tokens.count(text) == len(offsets)


@given(text=lined_texts().map(lambda text: text.replace("\n\n", "\n")))
def test_tokens_of_gpt2_made_in_blocks_are_those_of_the_whole(text):
    _, offsets = trained("gpt2").encode_with_offsets(text)
    tokens = TokenizerTokens(trained("gpt2"), block_chars=BLOCK_CHARS)
    assert joined(tokens, text) == [start for start, _ in offsets]


@pytest.mark.parametrize("family", sorted(WORD_MARKS))
@given(
    words=st.lists(st.tuples(st.text("abZ9'", min_size=1, max_size=9), FIRST), max_size=60),
    gap=st.sampled_from([" ", "\uff0c"]),
)
def test_a_text_without_line_breaks_is_cut_after_words(family, words, gap):
    # Every word ends in a letter, so that there is a good place in every stretch of 32.
    text = gap.join(f"{first if gap == ' ' else ''}{letters}a" for letters, first in words)
    tokenizer = trained(family)
    _, offsets = tokenizer.encode_with_offsets(text)
    tokens = TokenizerTokens(tokenizer, block_chars=BLOCK_CHARS)
    assert joined(tokens, text) == [start for start, _ in offsets]


def test_tokens_of_one_tokenizer_are_equal():
    tokens = TokenizerTokens(trained("qwen"))
    assert tokens == TokenizerTokens(trained("qwen"))
    assert hash(tokens) == hash(TokenizerTokens(trained("qwen")))
    assert tokens != TokenizerTokens(trained("gpt2"))
    assert tokens != TokenizerTokens(trained("qwen"), block_chars=BLOCK_CHARS)
    assert tokens.is_exact


def slow_estimate(text: str) -> list[int]:
    """Go from piece to piece; each has the tokens that begin in its share of the sum."""
    starts, spent, position = [], 0, 0
    for piece in PIECE.findall(text):
        after = spent + piece_cost(piece)
        num_tokens = sum(1 for number in range(spent, after) if number % 100 == 0)
        starts += [position + place * len(piece) // num_tokens for place in range(num_tokens)]
        spent, position = after, position + len(piece)
    return starts


@given(text=st.one_of(lined_texts(), st.text(st.characters(codec="utf-8"), max_size=60)))
def test_estimated_starts_are_those_of_a_walk_from_piece_to_piece(text):
    assert joined(EstimatedTokens(), text) == slow_estimate(text)


@given(text=lined_texts())
def test_an_estimate_made_in_blocks_is_that_of_the_whole(text):
    tokens = EstimatedTokens(block_chars=BLOCK_CHARS)
    assert joined(tokens, text) == joined(EstimatedTokens(), text)
    assert tokens.count(text) == count_tokens(EstimatedCounter(), text)
    assert len(joined(tokens, text)) == tokens.count(text)


def test_every_word_begins_a_token_and_a_long_one_has_several():
    # Hundredths: the 102, 20 letters 376, of 100, a space and two digits 100 each, 10 letters 123.
    # Tokens begin at 0, 100 | 200, 300, 400 | 500 | 600 | 700 | 800 | 900, 1000; the sum is 1001.
    text = "the institutionalisation of 12 committees"
    assert joined(EstimatedTokens(), text) == [0, 1, 3, 10, 17, 24, 27, 28, 29, 30, 35]


def test_estimates_are_equal_and_say_so():
    assert EstimatedTokens() == EstimatedTokens()
    assert hash(EstimatedTokens()) == hash(EstimatedTokens())
    assert EstimatedTokens() != EstimatedTokens(block_chars=5)
    assert not EstimatedTokens().is_exact
    assert EstimatedTokens().name == "estimate of Qwen3 tokens"


def test_the_costs_of_endless_new_words_are_not_all_kept():
    tokens = EstimatedTokens()
    rng = np.random.default_rng(0)
    letters = rng.integers(97, 123, 2_000_000, dtype=np.uint8).tobytes().decode("ascii")
    text = " ".join(letters[place : place + 8] for place in range(0, len(letters), 8))
    assert tokens.count(text) >= 250_000
    assert len(tokens._costs) == 200_000


def test_an_empty_text_has_no_tokens():
    for tokens in (EstimatedTokens(), TokenizerTokens(trained("qwen"))):
        assert joined(tokens, "") == []
        assert tokens.count("") == 0
