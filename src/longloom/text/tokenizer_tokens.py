"""Where the tokens of a text begin, by a tokenizer."""

from collections.abc import Iterator

import numpy as np

from longloom.text.token_starts import TokenStarts
from longloom.text.tokenizer import Tokenizer


class TokenizerTokens:
    """Measures texts with a tokenizer; see `token_starts.TextTokens`."""

    is_exact = True

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    @property
    def name(self) -> str:
        """What is counted with."""
        return "tokenizer"

    def count(self, text: str) -> int:
        """Return the number of tokens of `text`."""
        return len(self._tokenizer.encode(text))

    def starts(self, text: str) -> Iterator[TokenStarts]:
        """Yield the starts of all tokens of `text`, block after block."""
        _, offsets = self._tokenizer.encode_with_offsets(text)
        yield np.array([start for start, _ in offsets], dtype=np.int64)
