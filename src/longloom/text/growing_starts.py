"""The starts of a text's tokens, made as far as somebody asks and kept."""

import threading
from bisect import bisect_left, bisect_right

import numpy as np

from longloom.errors import DataError
from longloom.text.token_starts import TextTokens, TokenStarts


class GrowingStarts:
    """Tokenises a text block after block. Several threads may ask."""

    def __init__(self, text: str, tokens: TextTokens) -> None:
        """Take the text and what measures it; nothing is tokenised yet."""
        self._num_chars = len(text)
        self._coming = tokens.starts(text)
        self._name = tokens.name
        self._lock = threading.Lock()
        # Other threads read while one appends: what `_last_starts` counts is there already.
        self._blocks: list[TokenStarts] = []
        self._num_before: list[int] = [0]
        self._last_starts: list[int] = []
        self.is_complete = False
        """Whether all of the text is tokenised."""
        self.failure: Exception | None = None
        """What ended the tokenising early; it is raised again for everybody who asks for more."""

    @property
    def num_known(self) -> int:
        """Tokens tokenised so far."""
        return self._num_before[-1]

    @property
    def num_known_chars(self) -> int:
        """Characters tokenised so far, but for the last token's."""
        if self.is_complete:
            return self._num_chars
        return self._last_starts[-1] if self._last_starts else 0

    def rank(self, position: int) -> int:
        """Return how many tokens begin before character `position`."""
        while not self.is_complete and (not self._last_starts or self._last_starts[-1] < position):
            self._tokenise_more(len(self._last_starts))
        return self.known_rank(position)

    def known_rank(self, position: int) -> int:
        """Return how many of the tokens tokenised so far begin before character `position`."""
        block = bisect_left(self._last_starts, position)
        if block == len(self._last_starts):
            return self._num_before[block]
        return self._num_before[block] + int(self._blocks[block].searchsorted(position))

    def at(self, index: int) -> int | None:
        """Return where token `index` begins, or None if there are not as many."""
        while index >= self.num_known and not self.is_complete:
            self._tokenise_more(len(self._last_starts))
        if index >= self.num_known:
            return None
        block = bisect_right(self._num_before, index) - 1
        return int(self._blocks[block][index - self._num_before[block]])

    def _tokenise_more(self, num_blocks_seen: int) -> None:
        """Tokenise a block, unless another thread did since the caller looked.

        Raises:
            DataError: the tokens are not those of the text.
        """
        with self._lock:
            if self.failure is not None:
                raise self.failure
            if self.is_complete or len(self._last_starts) > num_blocks_seen:
                return
            try:
                starts = next((block for block in self._coming if len(block)), None)
                if starts is not None:
                    self._check(starts)
            except Exception as error:
                self.failure = error  # an iterator that failed would look like one that ended
                raise
            if starts is None:
                self.is_complete = True
                return
            self._blocks.append(starts)
            self._num_before.append(self._num_before[-1] + len(starts))
            self._last_starts.append(int(starts[-1]))

    def _check(self, starts: TokenStarts) -> None:
        earliest = self._last_starts[-1] if self._last_starts else 0
        is_ordered = bool((np.diff(starts) >= 0).all())
        if not is_ordered or starts[0] < earliest or starts[-1] > self._num_chars:
            raise DataError(
                f"{self._name} has tokens from {starts[0]} to {starts[-1]} after {earliest} in a "
                f"text of {self._num_chars} characters; expected starts in order within the text"
            )
