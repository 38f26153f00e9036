"""Counts of long texts, kept: a prompt is measured by several who do not know of each other.

The one who cuts it to fit, the one who keeps calls below a limit of tokens, the one who compares
the server's count: for a text of 4M characters each would take a tenth of a second by estimate and
seconds with a tokenizer. Texts are told apart by length and hash, which Python keeps with a text,
so none is held in memory.
"""

from collections.abc import Callable

_LEAST_CHARACTERS = 1 << 14
"""Shorter texts are counted again: that takes less than a millisecond."""
_MOST_KEPT = 1_024


class LongCounts:
    """The counts of the long texts that were counted last."""

    def __init__(self) -> None:
        self._count_by_text: dict[tuple[int, int], int] = {}

    def get(self, text: str, count: Callable[[str], int]) -> int:
        """Return what `count` says of `text`, or said of it before."""
        if len(text) < _LEAST_CHARACTERS:
            return count(text)
        key = (len(text), hash(text))
        known = self._count_by_text.get(key)
        if known is None:
            known = count(text)
            if len(self._count_by_text) >= _MOST_KEPT:
                self._count_by_text.clear()
            self._count_by_text[key] = known
        return known
