"""Where the tokens of a text begin, block by block, without holding the tokens.

A text of 4M tokens is 16 MB; one call of a tokenizer would make gigabytes of it. It is tokenised in
blocks that end after a line break, where byte-level tokenizers of the Qwen, Llama and GPT families
never join two tokens, so that the starts are those of the whole text's tokenisation.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from jaxtyping import Int64

TokenStarts = Int64[np.ndarray, " N"]
"""First characters of tokens, in order; tokens that share a character share its start."""


class TextTokens(Protocol):
    """Measures texts in tokens, exactly or by estimate."""

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
