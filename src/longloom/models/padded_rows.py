"""Packed rows laid out side by side for kernels that want them of one length.

Rows of much the same size share a block, so that little is spent on padding, and a long row stands
alone. Rows that need no padding and stand one after the other are not even copied.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

_WASTE_FACTOR = 1.5
"""Scores of a block, padding included, over those that count; more are only allowed below
`_WASTE_SCORES`."""
_WASTE_SCORES = 1 << 18
"""Padding that costs less than one more call of a kernel."""


def similar_rows(num_queries: Sequence[int], num_keys: Sequence[int]) -> list[list[int]]:
    """Return the rows of each block, so that no block computes much that does not count.

    Args:
        num_queries: queries of each row.
        num_keys: keys of each row.
    """
    order = sorted(range(len(num_keys)), key=lambda row: (-num_keys[row], -num_queries[row]))
    blocks: list[list[int]] = []
    counted = longest = 0
    for row in order:
        counted += num_queries[row] * num_keys[row]
        longest = max(longest, num_queries[row])
        if blocks:
            padded = (len(blocks[-1]) + 1) * longest * num_keys[blocks[-1][0]]
            if padded <= _WASTE_FACTOR * counted + _WASTE_SCORES:
                blocks[-1].append(row)
                continue
        blocks.append([row])
        counted, longest = num_queries[row] * num_keys[row], num_queries[row]
    return [sorted(block) for block in blocks]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some rows as [B, heads, L, ...]."""

    lengths: tuple[int, ...]
    """Tokens of each of B rows."""
    start: int
    """Packed place of the first token."""
    places: Int[Tensor, " slots"] | None
    """Packed place of the token in each of B x L slots; padding repeats a row's first token. None
    if the slots hold the packed tokens from `start` on."""
    padding: Int[Tensor, " padded"] | None
    """Which slots are padding; None if none is."""

    @property
    def longest(self) -> int:
        """L."""
        return max(self.lengths)

    @property
    def padded_lengths(self) -> tuple[int, ...] | None:
        """Tokens of each row; None if no row is padded."""
        return None if self.padding is None else self.lengths

    def spread(self, packed: Shaped[Tensor, "N ..."]) -> Shaped[Tensor, "B heads L ..."]:
        """Return [N, heads, ...] as [B, heads, L, ...]; padding holds something finite."""
        if self.places is None:
            slots = packed.narrow(0, self.start, len(self.lengths) * self.longest)
        else:
            slots = packed.index_select(0, self.places)
        return slots.view(len(self.lengths), self.longest, *packed.shape[1:]).transpose(1, 2)

    def spread_gradient(self, packed: Shaped[Tensor, "N ..."]) -> Shaped[Tensor, "B heads L ..."]:
        """Return [N, heads, ...] as [B, heads, L, ...]; padding is 0."""
        padded = self.spread(packed)
        if self.padding is not None:
            padded.transpose(1, 2).flatten(0, 1).index_fill_(0, self.padding, 0)
        return padded


class PaddedRows:
    """Packed rows in blocks."""

    def __init__(
        self, lengths: Sequence[int], blocks: Sequence[Sequence[int]], *, device: torch.device
    ) -> None:
        """Lay out rows.

        Args:
            lengths: tokens of each row, in packed order.
            blocks: the rows of each block; every row is in one.
            device: where the tokens are.
        """
        ends = torch.tensor(lengths, dtype=torch.int64).cumsum(0)
        starts = (ends - torch.tensor(lengths, dtype=torch.int64)).tolist()
        self.blocks = tuple(
            _block([lengths[row] for row in block], [starts[row] for row in block], device)
            for block in blocks
        )
        self._order = _order(self.blocks, sum(lengths), device)

    def join(self, padded: Sequence[Shaped[Tensor, "_ heads _ ..."]]) -> Shaped[Tensor, "N ..."]:
        """Return the [B, heads, L, ...] of all blocks as [N, heads, ...]."""
        slots = [block.transpose(1, 2).flatten(0, 1) for block in padded]
        together = slots[0] if len(slots) == 1 else torch.cat(slots)
        return together if self._order is None else together.index_select(0, self._order)


def _block(lengths: Sequence[int], starts: Sequence[int], device: torch.device) -> Block:
    longest = max(lengths)
    is_plain = all(
        length == longest and start == starts[0] + row * longest
        for row, (length, start) in enumerate(zip(lengths, starts, strict=True))
    )
    if is_plain:
        return Block(lengths=tuple(lengths), start=starts[0], places=None, padding=None)
    slots = torch.arange(longest)
    is_padding = slots >= torch.tensor(lengths)[:, None]
    # A row without tokens has none of its own to repeat; any will do.
    first = torch.tensor([starts[row] if length else 0 for row, length in enumerate(lengths)])
    places = first[:, None] + slots.masked_fill(is_padding, 0)
    padding = is_padding.flatten().nonzero()[:, 0]
    return Block(
        lengths=tuple(lengths),
        start=starts[0],
        places=places.flatten().to(device),
        padding=padding.to(device) if len(padding) else None,
    )


def _order(
    blocks: Sequence[Block], num_tokens: int, device: torch.device
) -> Int[Tensor, " N"] | None:
    """Return the slot of each packed token among those of all blocks; None if they are the same."""
    order = torch.empty(num_tokens, dtype=torch.int64)
    offset = 0
    for block in blocks:
        num_slots = len(block.lengths) * block.longest
        slots = torch.arange(num_slots)
        if block.places is None:
            order[block.start : block.start + num_slots] = offset + slots
        else:
            is_real = torch.ones(num_slots, dtype=torch.bool)
            if block.padding is not None:
                is_real[block.padding.cpu()] = False
            order[block.places.cpu()[is_real]] = offset + slots[is_real]
        offset += num_slots
    if offset == num_tokens and torch.equal(order, torch.arange(num_tokens)):
        return None
    return order.to(device)
