"""Caches of rows that come and go: one padded cache for all rows of about the same length.

A *shelf* holds rows of at most S tokens. Its rows have kept unequally many; a mask hides what a
shorter row has not. A row that has filled its place moves to a wider shelf, so few shelves are in
use, each is attended in one call, and at most half of a row's place is empty.

What it leaves out: sharing. Rows with equal prompts have a copy each; computing the prompt once is
worth far more than keeping it once where a request seldom has more than one row (training, whose
groups are large, keeps it once: see `decoding`). `engine` decides which rows there may be.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.nn import functional

from longloom.models.decoding import DecodingStep
from longloom.models.network import SampledNetwork

SMALLEST_SHELF_TOKENS = 256
"""Rows shorter than this share the first shelf."""


def shelf_tokens(num_tokens: int) -> int:
    """Return the width of the shelf for rows of this many tokens: 256, 384, 512, 768, 1024, ..."""
    width = SMALLEST_SHELF_TOKENS
    while width < num_tokens:
        is_power = width & (width - 1) == 0
        width = width * 3 // 2 if is_power else width * 4 // 3
    return width


def row_cache(network: SampledNetwork, num_tokens: int) -> Float[Tensor, "L 2 1 K T d"]:
    """Return room for the keys and values of one row; what it holds has no meaning."""
    shape = network.sizes
    return torch.empty(
        (shape.num_layers, 2, 1, shape.num_key_heads, num_tokens, shape.head_dim),
        dtype=network.dtype,
        device=network.device,
    )


class Shelf:
    """Keys and values of n rows, in the order in which they came [L, 2, N, K, S, d]; n <= N."""

    def __init__(self, network: SampledNetwork, width: int) -> None:
        """Make an empty shelf for rows of at most `width` tokens (S)."""
        self._network = network
        self.width = width
        self.lengths: list[int] = []
        """Tokens that each row has kept."""
        self._cache = self._made(0)
        self._lengths = torch.zeros(0, dtype=torch.int64, device=network.device)
        self._is_stale = True
        self._bias: Tensor | None = None
        self._places: Tensor | None = None

    @property
    def num_places(self) -> int:
        """N: rows there is memory for."""
        return int(self._cache.shape[2])

    def places_with(self, num_more: int) -> int:
        """Return the places there would be after `num_more` rows were added."""
        num_rows = len(self.lengths) + num_more
        if num_rows <= self.num_places:
            return self.num_places
        return max(num_rows, self.num_places * 3 // 2)

    def add(self, cache: Shaped[Tensor, "L 2 1 K T d"], length: int) -> None:
        """Add a row that has kept the first `length` tokens of `cache`."""
        place = len(self.lengths)
        if place == self.num_places:
            self._resize(self.places_with(1))
        self._cache[:, :, place, :, :length] = cache[:, :, 0, :, :length]
        # Hidden keys have a weight of 0, and 0 times what an earlier row left might be NaN.
        self._cache[:, :, place, :, length:] = 0
        self.lengths.append(length)
        self._is_stale = True

    def row(self, place: int) -> Float[Tensor, "L 2 1 K S d"]:
        """Return the cache of one row."""
        return self._cache[:, :, place : place + 1]

    def remove(self, place: int) -> None:
        """Drop a row; the last one takes its place."""
        last = len(self.lengths) - 1
        if place != last:
            length = self.lengths[last]
            self._cache[:, :, place, :, :length] = self._cache[:, :, last, :, :length]
            self._cache[:, :, place, :, length:] = 0
            self.lengths[place] = length
        self.lengths.pop()
        self._is_stale = True
        if last <= self.num_places // 2:
            self._resize(last)

    def positions(self) -> Int[Tensor, " n"]:
        """Return where the next token of each row stands."""
        if self._is_stale:
            self._lengths = torch.tensor(self.lengths, device=self._network.device)
        return self._lengths

    @property
    def num_rows(self) -> int:
        """Rows that are running."""
        return len(self.lengths)

    def begin_step(self) -> None:
        """Make ready to attend with one more token of each row; every row must have room."""
        lengths, longest = self.positions(), max(self.lengths) + 1
        _, _, num_places, num_key_heads, width, _ = self._cache.shape
        if self._is_stale or self._places is None:
            device = self._network.device
            kinds = torch.arange(2, device=device)[:, None, None] * num_places
            rows = torch.arange(len(self.lengths), device=device)[:, None]
            heads = torch.arange(num_key_heads, device=device)
            self._places = (
                ((kinds + rows) * num_key_heads + heads) * width + lengths[:, None]
            ).flatten()
        else:
            self._places += 1
        self._is_stale = False
        self._bias = None
        if min(self.lengths) + 1 < longest:
            is_hidden = torch.arange(longest, device=lengths.device) > lengths[:, None]
            bias = torch.zeros(is_hidden.shape, dtype=self._cache.dtype, device=lengths.device)
            self._bias = bias.masked_fill_(is_hidden, -math.inf)[:, None, None]
        self._longest = longest

    def attend(
        self,
        layer: int,
        query: Float[Tensor, "n H d"],
        key: Float[Tensor, "n K d"],
        value: Float[Tensor, "n K d"],
    ) -> Float[Tensor, "n H d"]:
        """Keep the new token of each row and attend to all that it has kept."""
        assert self._places is not None
        num_rows, num_key_heads, head_dim = key.shape
        cache = self._cache[layer]
        new = torch.cat([key, value]).view(-1, head_dim)
        cache.view(-1, head_dim).index_copy_(0, self._places, new)
        # Queries that share a key head stand side by side, so its keys are read once.
        attended = functional.scaled_dot_product_attention(
            query.reshape(num_rows, num_key_heads, -1, head_dim),
            cache[0, :num_rows, :, : self._longest],
            cache[1, :num_rows, :, : self._longest],
            attn_mask=self._bias,
        )
        return attended.reshape(num_rows, -1, head_dim)

    def end_step(self) -> None:
        """Note that all layers have attended to the new token of each row."""
        self.lengths = [length + 1 for length in self.lengths]
        self._lengths = self._lengths + 1

    def _resize(self, num_places: int) -> None:
        cache, num_rows = self._made(num_places), len(self.lengths)
        cache[:, :, :num_rows] = self._cache[:, :, :num_rows]
        self._cache = cache

    def _made(self, num_places: int) -> Tensor:
        shape = self._network.sizes
        return torch.zeros(
            (shape.num_layers, 2, num_places, shape.num_key_heads, self.width, shape.head_dim),
            dtype=self._network.dtype,
            device=self._network.device,
        )


def shelf_step(shelves: Sequence[Shelf]) -> DecodingStep:
    """Return the attention of one step over all rows of these shelves, one after the other."""
    for shelf in shelves:
        shelf.begin_step()
    return DecodingStep(shelves)
