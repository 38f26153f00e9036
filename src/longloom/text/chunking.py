"""Cut a text into chunks by tokens, at the best boundaries, without losing a character.

It works on the offsets of one tokenisation of the whole text and never decodes token slices,
which breaks characters that take several tokens. The chunks' texts joined give the text back.

What it leaves out: a chunk that is tokenised alone may differ by a few tokens from its share of
the whole tokenisation, because a tokenizer may merge across a boundary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from longloom.errors import ConfigError, DataError
from longloom.text.token_starts import TextTokens

_SENTENCE_ENDS = frozenset(".!?\u2026\u3002\uff01\uff1f")
_ENDS_WITHOUT_SPACE = frozenset("\u3002\uff01\uff1f")
_CLOSERS = frozenset("\"')]}\u201d\u2019\u300d\u300f\uff09")


class _Boundary(IntEnum):
    TOKEN = 0
    SENTENCE = 1
    LINE = 2
    PARAGRAPH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of a text; the pieces in order are the whole text."""

    index: int
    """0 .. C-1."""
    start: int
    """First character."""
    end: int
    """One past the last character."""
    num_tokens: int
    """Tokens of the whole tokenisation that begin in it."""


def chunk_text(
    text: str, offsets: Sequence[tuple[int, int]], max_chunk_tokens: int
) -> tuple[Chunk, ...]:
    """Cut `text` into chunks of at most `max_chunk_tokens` tokens.

    A chunk ends at the last paragraph break in the second half of its budget, else at the last
    line break there, else after a sentence, else between any two tokens. The first half is left
    alone so that the number of chunks is at most twice the fewest possible. White space between
    tokens stays with the chunk before it. QwenLong-L1.5, section 4.1 reads such chunks one by one;
    it does not say where they end.

    Args:
        text: the whole text; an empty one has no chunks.
        offsets: half-open character span of each token, in order. Gaps (white space that is no
            token) and equal spans (a character of several tokens) are allowed.
        max_chunk_tokens: at least 1.

    Raises:
        ConfigError: `max_chunk_tokens` is below 1, or below the tokens of a single character.
        DataError: the offsets are not those of `text`.
    """
    if max_chunk_tokens < 1:
        raise ConfigError(f"max_chunk_tokens is {max_chunk_tokens}; a chunk needs at least 1 token")
    _check_offsets(text, offsets)
    chunks: list[Chunk] = []
    token, start = 0, 0
    while start < len(text):
        next_token = _end_token(text, offsets, token, start, max_chunk_tokens)
        end = offsets[next_token][0] if next_token < len(offsets) else len(text)
        chunks.append(Chunk(index=len(chunks), start=start, end=end, num_tokens=next_token - token))
        token, start = next_token, end
    return tuple(chunks)


def cut_sections(text: str, tokens: TextTokens, max_tokens: int) -> tuple[Chunk, ...]:
    """Cut `text` into sections of at most `max_tokens` of `tokens`; see `chunk_text`."""
    starts = [start for block in tokens.starts(text) for start in block.tolist()]
    return chunk_text(text, list(zip(starts, starts, strict=True)), max_tokens)


def _end_token(
    text: str, offsets: Sequence[tuple[int, int]], token: int, start: int, max_chunk_tokens: int
) -> int:
    """Return the first token of the chunk after the one that begins with `token`."""
    latest = token + max_chunk_tokens
    if latest >= len(offsets):
        return len(offsets)
    halfway = token + (max_chunk_tokens + 1) // 2
    best, best_boundary = -1, -1
    for candidate in range(latest, token, -1):
        if best >= 0 and candidate < halfway:
            break
        position = offsets[candidate][0]
        # A token that began earlier may reach beyond here: several tokens of one character.
        if (
            position <= start
            or offsets[candidate - 1][1] > position
            or offsets[candidate - 1][0] == position
        ):
            continue
        boundary = _boundary_at(text, position)
        if boundary > best_boundary:
            best, best_boundary = candidate, boundary
        if boundary == _Boundary.PARAGRAPH:
            break
    if best < 0:
        raise ConfigError(
            f"max_chunk_tokens is {max_chunk_tokens}, but the character at {start} alone takes "
            "more tokens; raise max_chunk_tokens"
        )
    return best


def _boundary_at(text: str, position: int) -> _Boundary:
    last = position - 1
    if not text[last].isspace():
        is_end = text[last] in _ENDS_WITHOUT_SPACE or text[position].isspace()
        return _after_word(text, last) if is_end else _Boundary.TOKEN
    num_newlines = 0
    while last >= 0 and text[last].isspace() and num_newlines < 2:
        num_newlines += text[last] == "\n"
        last -= 1
    if num_newlines:
        return _Boundary.PARAGRAPH if num_newlines == 2 else _Boundary.LINE
    return _after_word(text, last)


def _after_word(text: str, last: int) -> _Boundary:
    while last >= 0 and text[last] in _CLOSERS:
        last -= 1
    return _Boundary.SENTENCE if last >= 0 and text[last] in _SENTENCE_ENDS else _Boundary.TOKEN


def _check_offsets(text: str, offsets: Sequence[tuple[int, int]]) -> None:
    last_start, last_end = 0, 0
    for token, (start, end) in enumerate(offsets):
        if not (last_start <= start <= end <= len(text) and last_end <= end):
            raise DataError(
                f"token {token} has offsets ({start}, {end}) after ({last_start}, {last_end}) in a "
                f"text of {len(text)} characters; expected spans in order within the text"
            )
        last_start, last_end = start, end
