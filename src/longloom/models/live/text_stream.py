"""Tokens to text, one by one: whole characters only, and nothing said twice.

A character may be spread over several tokens. What the tokens so far spell ends in the replacement
character while one is incomplete; it is held back until the next tokens complete it.
"""

from longloom.text.tokenizer import Tokenizer

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_HELD_CHARACTERS = 3
"""An incomplete character has at most this many bytes; what is before them is broken for good."""
_WINDOW_TOKENS = 64
"""Broken text is read again from its start with every token, for so many tokens at most."""


class TextStream:
    """The text of one completion while it is drawn.

    `add` and `end` together give what decoding all tokens at once gives, as far as that text does
    not depend on how tokens far before are read.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Read the tokens of this tokenizer."""
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        """Some tokens whose text is out, for their context, and those that came since."""
        self._num_context_tokens = 0
        self._num_out = 0
        """Characters of the text of `_tokens` that are out."""

    def add(self, token_id: int) -> str:
        """Return the text that is certain now and was not before; often none."""
        self._tokens.append(token_id)
        text = self._tokenizer.decode(self._tokens)
        num_new_tokens = len(self._tokens) - self._num_context_tokens
        if not text.endswith(_REPLACEMENT) or num_new_tokens >= _WINDOW_TOKENS:
            return self._flush(text)
        num_open = len(text) - len(text.rstrip(_REPLACEMENT))
        return self._take(text, len(text) - min(num_open, _HELD_CHARACTERS))

    def end(self) -> str:
        """Return what was held back."""
        return self._flush(self._tokenizer.decode(self._tokens)) if self._tokens else ""

    def _flush(self, text: str) -> str:
        """Let all of it out, and read on from the newest tokens."""
        out = self._take(text, len(text))
        self._tokens = self._tokens[self._num_context_tokens :]
        self._num_context_tokens = len(self._tokens)
        self._num_out = len(self._tokenizer.decode(self._tokens)) if self._tokens else 0
        return out

    def _take(self, text: str, end: int) -> str:
        out = text[self._num_out : end]
        self._num_out = max(self._num_out, end)
        return out
