"""Where the tokens of a text would begin with Qwen3's tokenizer, by the estimate of `token_counts`.

For models behind an endpoint, whose tokenizer is not at hand. The pieces and their costs are those
of `EstimatedCounter`. Every piece of the text begins a token; one that costs several has the others
evenly over its characters. Costs have fractions: what pieces leave over is carried on, so that the
starts of a text are as many as its estimate says.
"""

from collections.abc import Iterator

import numpy as np

from longloom.text.long_counts import LongCounts
from longloom.text.token_counts import PIECE, EstimatedCounter, piece_cost
from longloom.text.token_starts import BLOCK_CHARS, TokenStarts, text_blocks

_MAX_KEPT_PIECES = 200_000
_MAX_KEPT_CHARS = 24


class _Costs(dict[str, int]):
    """Cost by piece in hundredths of tokens; costs of short pieces are kept, up to a number."""

    def __missing__(self, piece: str) -> int:
        cost = piece_cost(piece)
        if len(piece) <= _MAX_KEPT_CHARS and len(self) < _MAX_KEPT_PIECES:
            self[piece] = cost
        return cost


class EstimatedTokens:
    """Measures texts about as Qwen3's tokenizer does; see `token_starts.TextTokens`."""

    is_exact = False

    def __init__(self, *, block_chars: int = BLOCK_CHARS) -> None:
        """Take the most characters whose pieces are held at once."""
        self._block_chars = block_chars
        self._costs = _Costs()
        self._counts = LongCounts()

    @property
    def name(self) -> str:
        """What is counted with."""
        return EstimatedCounter.name

    def count(self, text: str) -> int:
        """Return about how many tokens Qwen3's tokenizer makes of `text`, rounded up."""
        return self._counts.get(text, self._estimate)

    def _estimate(self, text: str) -> int:
        hundredths = sum(
            sum(map(self._costs.__getitem__, PIECE.findall(text, start, end)))
            for start, end in text_blocks(text, block_chars=self._block_chars)
        )
        return -(-hundredths // 100)

    def starts(self, text: str) -> Iterator[TokenStarts]:
        """Yield the starts of all tokens of `text`, block after block; `count` in all."""
        carried = 0
        for start, end in text_blocks(text, block_chars=self._block_chars):
            pieces = PIECE.findall(text, start, end)
            num_chars = np.fromiter(map(len, pieces), np.int64, len(pieces))
            costs = np.fromiter(map(self._costs.__getitem__, pieces), np.int64, len(pieces))
            spent = carried + np.cumsum(costs)
            # Tokens begin at every full hundred: in [spent before, spent after) of a piece.
            begun = -(-spent // 100)
            num_tokens = np.diff(begun, prepend=-(-carried // 100))
            carried = int(spent[-1])
            piece = np.repeat(np.arange(len(pieces)), num_tokens)
            place = np.arange(len(piece)) - (np.cumsum(num_tokens) - num_tokens)[piece]
            piece_starts = start + np.cumsum(num_chars) - num_chars
            yield piece_starts[piece] + place * num_chars[piece] // num_tokens[piece]

    def __eq__(self, other: object) -> bool:
        """Return whether `other` estimates alike."""
        return isinstance(other, EstimatedTokens) and other._block_chars == self._block_chars

    def __hash__(self) -> int:
        """Return a number that is equal for equal ones."""
        return hash((EstimatedTokens, self._block_chars))
