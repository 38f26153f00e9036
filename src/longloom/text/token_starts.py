"""Where the tokens of a text begin, block by block, without holding the tokens.

A text of 4M tokens is 16 MB; one call of a tokenizer would make gigabytes of it. It is tokenised in
blocks that end after a line break, where byte-level tokenizers of the Qwen, Llama 3 and GPT
families never join two tokens, so that the starts are those of the whole text's tokenisation.

Where a block would be a text without line breaks it ends before a space or an ideographic comma or
stop after a word, which is as good; where there are none of these, anywhere between two characters,
which moves a token or two. Blocks depend on the text before their ends alone: where a text grows,
the blocks of the old one stay, but for the last.
"""

import re
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from jaxtyping import Int64

TokenStarts = Int64[np.ndarray, " N"]
"""First characters of tokens, in order; tokens that share a character share its start."""

BLOCK_CHARS = 1 << 16
"""Most characters of a block: about 16K tokens of English, tokenised in some 40 ms, for which an
event loop stands still. Larger ones are no faster."""

# The last place in a stretch: `.*` takes all of it and gives back from its end. The character after
# the place must not be white space, nor the stroke that o200k's pattern joins to line breaks. GPT-2
# joins line breaks differently at the end of a text: a single one is better than the last of two.
_AFTER_LINE = (
    re.compile(r"(?s:.*)\n(?<=\S\n)(?=[^\s/])"),
    re.compile(r"(?s:.*)\n(?=[^\s/])"),
)
_BEFORE_MARK = (
    re.compile(r"(?s:.*) (?<=[^\W_] )(?=\S)"),
    re.compile("(?s:.*)[\uff0c\u3002\u3001\uff01\uff1f\uff1b\uff1a](?<=[^\\W_].)"),
)


class TextTokens(Protocol):
    """Measures texts in tokens, exactly or by estimate.

    Two that compare equal make the same tokens; what was cut with one serves the other.
    """

    @property
    def name(self) -> str:
        """What is counted with; part of journal keys."""

    @property
    def is_exact(self) -> bool:
        """Whether these are the tokens of the model; otherwise callers leave room for errors."""

    def count(self, text: str) -> int:
        """Return the number of tokens of `text`."""

    def starts(self, text: str) -> Iterator[TokenStarts]:
        """Yield the starts of all tokens of `text`, block after block, as they are asked for."""


def text_blocks(text: str, *, block_chars: int = BLOCK_CHARS) -> Iterator[tuple[int, int]]:
    """Yield the half-open character spans of the blocks of `text`, in order and without gaps.

    A block has `block_chars` at most and more than half of that, but for the last one.
    """
    start = 0
    while len(text) - start > block_chars:
        end = _block_end(text, start + block_chars // 2, start + block_chars)
        yield start, end
        start = end
    if start < len(text):
        yield start, len(text)


def _block_end(text: str, earliest: int, latest: int) -> int:
    """Return the last good place to cut after `earliest` and at or before `latest`."""
    for pattern in _AFTER_LINE:
        match = pattern.match(text, earliest, latest + 1)  # one more, to see what follows
        if match and match.end() <= latest:
            return match.end()
    for pattern in _BEFORE_MARK:
        match = pattern.match(text, earliest + 1, latest + 1)
        if match:
            return match.end() - 1
    return latest
