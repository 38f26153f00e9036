"""Exact top-k over a stream of blocks, without holding or sorting the values.

Non-negative fp32 numbers are ordered like their bit patterns. Two passes count the patterns' high
and low halves and so find the k-th largest value itself; a third pass applies it. Among equal
values the earliest are kept, so the result does not depend on the size of the blocks.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

_LOW_BITS = 16
_NUM_HIGH = 1 << 15  # the sign bit is 0
_NUM_LOW = 1 << _LOW_BITS


class TopSelection:
    """Keeps the largest `fraction` of the non-negative values of a unit."""

    NUM_SCANS = 2
    """Passes of `count` before `mask` can be used."""

    def __init__(self, fraction: float, *, among: Literal["all", "nonzero"]) -> None:
        """Keep `int(fraction * count)`, where count is of all or of the non-zero values.

        At least one is kept among all, as mergekit's TIES does.
        """
        self._fraction = fraction
        self._among = among
        self._high_counts = torch.zeros(_NUM_HIGH, dtype=torch.int64)
        self._low_counts = torch.zeros(_NUM_LOW, dtype=torch.int64)
        self._num_values = 0
        self._num_nonzero = 0
        self._pass_index = 0
        self._high = 0
        self._threshold_bits = 0
        self._num_ties = 0
        self._num_ties_left = 0
        self.num_kept = 0

    def start_pass(self, pass_index: int) -> None:
        """Begin a pass: 0 and 1 count, every later one applies the mask from the start."""
        self._pass_index = pass_index
        if pass_index == 1:
            counted = self._num_nonzero if self._among == "nonzero" else self._num_values
            self.num_kept = int(self._fraction * counted)
            if self._among == "all" and counted:
                self.num_kept = max(1, self.num_kept)
            self._high, _ = _bin_of_rank(self._high_counts, self.num_kept)
        elif pass_index == self.NUM_SCANS:
            num_above = int(self._high_counts[self._high + 1 :].sum())
            low, self._num_ties = _bin_of_rank(self._low_counts, self.num_kept - num_above)
            self._threshold_bits = (self._high << _LOW_BITS) | low
        self._num_ties_left = self._num_ties

    def count(self, values: Float[Tensor, " E"]) -> None:
        """Count a block of non-negative fp32 values."""
        bits = values.contiguous().view(torch.int32)
        high = bits >> _LOW_BITS
        if self._pass_index == 0:
            self._num_values += values.numel()
            self._num_nonzero += int(bits.clamp(max=1).sum())
            self._high_counts += torch.bincount(high, minlength=_NUM_HIGH)
        else:
            # numpy picks elements five times as fast as torch.
            low = torch.from_numpy(bits.numpy()[high.numpy() == self._high]) & (_NUM_LOW - 1)
            self._low_counts += torch.bincount(low, minlength=_NUM_LOW)

    def mask(self, values: Float[Tensor, " E"]) -> Float[Tensor, " E"]:
        """Return 1.0 for the values of the next block that are kept, else 0.0."""
        if self.num_kept == 0:
            return torch.zeros_like(values)
        # Comparisons cost ten times as much on CPU; no difference of two patterns overflows.
        above = values.contiguous().view(torch.int32) - self._threshold_bits
        num_above = int(above.clamp(min=0, max=1).sum())
        is_kept = (above + 1).clamp_(min=0, max=1)
        num_ties = int(is_kept.sum()) - num_above
        if num_ties > self._num_ties_left:
            ties = above == 0
            is_kept[ties & (torch.cumsum(ties, dim=0) > self._num_ties_left)] = 0
        self._num_ties_left = max(0, self._num_ties_left - num_ties)
        return is_kept.float()


def _bin_of_rank(counts: Tensor, rank: int) -> tuple[int, int]:
    """Return the bin that holds the value of that rank from above, and its rank in the bin."""
    if rank == 0:
        return len(counts) - 1, 0
    from_above = torch.cumsum(counts.flip(0), dim=0)
    position = int(torch.searchsorted(from_above, rank))
    above = int(from_above[position - 1]) if position else 0
    return len(counts) - 1 - position, rank - above
