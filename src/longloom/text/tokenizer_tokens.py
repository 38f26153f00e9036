"""Where the tokens of a text begin, by a tokenizer."""

from collections.abc import Iterator
from operator import itemgetter

import numpy as np

from longloom.text.long_counts import LongCounts
from longloom.text.token_starts import BLOCK_CHARS, TokenStarts, text_blocks
from longloom.text.tokenizer import Tokenizer


class TokenizerTokens:
    """Measures texts with a tokenizer, in blocks; see `token_starts.TextTokens`."""

    is_exact = True

    def __init__(self, tokenizer: Tokenizer, *, block_chars: int = BLOCK_CHARS) -> None:
        """Take the tokenizer, and the most characters that it is given at once."""
        self._tokenizer = tokenizer
        self._block_chars = block_chars
        self._counts = LongCounts()

    @property
    def name(self) -> str:
        """What is counted with."""
        return self._tokenizer.name

    def count(self, text: str) -> int:
        """Return the number of tokens of `text`."""
        return self._counts.get(text, self._encoded)

    def _encoded(self, text: str) -> int:
        return sum(
            len(self._tokenizer.encode(text[start:end]))
            for start, end in text_blocks(text, block_chars=self._block_chars)
        )

    def starts(self, text: str) -> Iterator[TokenStarts]:
        """Yield the starts of all tokens of `text`, block after block."""
        for start, end in text_blocks(text, block_chars=self._block_chars):
            _, offsets = self._tokenizer.encode_with_offsets(text[start:end])
            yield np.fromiter(map(itemgetter(0), offsets), np.int64, len(offsets)) + start

    def __eq__(self, other: object) -> bool:
        """Return whether `other` measures with the same tokenizer."""
        return (
            isinstance(other, TokenizerTokens)
            and other._tokenizer is self._tokenizer
            and other._block_chars == self._block_chars
        )

    def __hash__(self) -> int:
        """Return a number that is equal for equal ones."""
        return hash((TokenizerTokens, id(self._tokenizer)))
