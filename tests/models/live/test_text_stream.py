from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.models.live.text_stream import TextStream
from longloom.text.tokenizer import FolderTokenizer


@dataclass(frozen=True)
class ByteTokens:
    """One token per byte, decoded as byte-level tokenizers decode; the rest is not needed."""

    def decode(self, token_ids):
        return bytes(token_ids).decode("utf-8", "replace")


def pieces(tokenizer, token_ids):
    stream = TextStream(tokenizer)
    return [*(stream.add(token_id) for token_id in token_ids), stream.end()]


def test_a_character_of_several_tokens_comes_with_its_last():
    found = pieces(ByteTokens(), "a\u00e9\u4f60\U0001f600b".encode())
    assert found == ["a", "", "\u00e9", "", "", "\u4f60", "", "", "", "\U0001f600", "b", ""]


@given(st.text())
def test_the_pieces_are_the_text(text):
    assert "".join(pieces(ByteTokens(), text.encode())) == text


@given(st.binary(max_size=60))
def test_broken_characters_are_shown_as_such(token_ids):
    assert "".join(pieces(ByteTokens(), token_ids)) == token_ids.decode("utf-8", "replace")


@given(st.text())
def test_no_piece_holds_half_a_character(text):
    plain = text.replace("\N{REPLACEMENT CHARACTER}", "")
    assert all(
        "\N{REPLACEMENT CHARACTER}" not in each for each in pieces(ByteTokens(), plain.encode())
    )


def test_endless_broken_text_is_not_held_back():
    found = pieces(ByteTokens(), b"\xff" * 1_000)
    assert len("".join(found[:500])) >= 490
    assert "".join(found) == "\N{REPLACEMENT CHARACTER}" * 1_000


def test_an_unfinished_character_is_shown_at_the_end():
    assert pieces(ByteTokens(), "x\u4f60".encode()[:-1]) == [
        "x",
        "",
        "",
        "\N{REPLACEMENT CHARACTER}",
    ]


def test_no_tokens_are_no_text():
    assert TextStream(ByteTokens()).end() == ""


@pytest.mark.parametrize("text", ["", "plain", " \u00fc\u4f60\u597d <memory>\n\nend<|im_end|>"])
def test_a_real_tokenizer_gives_its_text(tiny_folder, text):
    tokenizer = FolderTokenizer(tiny_folder)
    assert "".join(pieces(tokenizer, tokenizer.encode(text))) == text
