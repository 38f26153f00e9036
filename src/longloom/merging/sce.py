"""SCE: select, calculate, erase (FuseChat, arXiv 2408.07990; QwenLong-L1.5, section 4.1).

For one unit with pivot theta_0 and targets theta_1..theta_M, deltas d_m = theta_m - theta_0:

1. Select: v = population variance of d_m over m at each position; the top tau of the positions
   with v > 0 are selected.
2. Calculate: w_m = mean(d_m^2 over selected positions) / sum over m; equal if all are 0.
3. Erase: the majority sign is + where sum_m d_m >= 0, else -; entries of another sign go.
4. Merge: theta = theta_0 + sum_m w_m d_m / sum_m w_m over the entries left; theta_0 where none is.

That is the variant `authors`. `mergekit` gives what mergekit 0.1.5 gives, which is more than
another selection (see `merge_sce`): the coefficients of a unit are equal if the sum of the mean
squares in step 2 is below 1e-6, and the denominator of step 4 is at least 1e-6. The first is the
rule, not the exception, for models that training moved by less than 0.0007 an element.

What it leaves out: mergekit's arithmetic in the written type. Here it is fp32 throughout.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from longloom.merging.blocks import Block, MergeStatistics, merge_tensor
from longloom.merging.selection import TopSelection
from longloom.merging.sign_election import SMALLEST_WEIGHT, average_agreeing, sum_changes

Variant = Literal["authors", "mergekit"]

MERGEKIT_BOUND = 1e-6
"""What mergekit bounds the sum of mean squares and the denominator by."""


class SceMerge:
    """SCE over the blocks of one unit."""

    def __init__(self, num_targets: int, *, select_topk: float, variant: Variant) -> None:
        self._selection = TopSelection(select_topk, among="nonzero") if select_topk < 1 else None
        self._is_mergekit = variant == "mergekit"
        self._square_sums = [0.0] * num_targets
        self._coefficients = [1.0 / num_targets] * num_targets
        self._is_equalised = False
        self._pass_index = 0
        self._num_scanned = 0
        self._num_elements = 0
        self._num_conflicts = 0

    @property
    def num_scans(self) -> int:
        """One for the coefficients, two more if positions are selected."""
        return 1 + (TopSelection.NUM_SCANS if self._selection else 0)

    def start_pass(self, pass_index: int) -> None:
        """Begin a pass; the last one finds the coefficients ready."""
        self._pass_index = pass_index
        if self._selection:
            self._selection.start_pass(pass_index)
        if pass_index != self.num_scans:
            return
        total = sum(self._square_sums)
        if self._is_mergekit and total < MERGEKIT_BOUND * self._num_scanned:
            self._is_equalised = True
        elif total > 0:
            self._coefficients = [square_sum / total for square_sum in self._square_sums]

    def scan(self, block: Block) -> None:
        """Rank the block's variances, or add up its squared deltas."""
        deltas = block.deltas
        if self._selection and self._pass_index < TopSelection.NUM_SCANS:
            self._selection.count(_variances(deltas))
            return
        if self._selection:
            deltas = deltas * self._selection.mask(_variances(deltas))
        self._num_scanned += block.pivot.numel()
        for model, delta in enumerate(deltas):
            self._square_sums[model] += float(torch.dot(delta, delta))

    def merge(self, block: Block) -> Float[Tensor, " E"]:
        """Return the merged block."""
        deltas = block.deltas
        self._num_elements += block.pivot.numel()
        if self._selection and self._is_mergekit:
            deltas = deltas * self._selection.mask(_variances(deltas))
        coefficients = torch.tensor(self._coefficients, dtype=torch.float32)
        change, num_conflicts = average_agreeing(
            deltas,
            sum_changes(deltas),
            coefficients,
            min_weight=MERGEKIT_BOUND if self._is_mergekit else SMALLEST_WEIGHT,
        )
        self._num_conflicts += num_conflicts
        return block.pivot + change

    def statistics(self) -> MergeStatistics:
        """Return coefficients, selected fraction and conflicts."""
        num_selected = self._selection.num_kept if self._selection else self._num_elements
        return MergeStatistics(
            coefficients=tuple(self._coefficients),
            kept_fraction=num_selected / max(1, self._num_elements),
            num_conflicts=self._num_conflicts,
            is_equalised=self._is_equalised,
        )


def merge_sce(
    pivot: Float[Tensor, "*shape"],
    targets: Sequence[Float[Tensor, "*shape"]],
    select_topk: float = 1.0,
    variant: Variant = "authors",
) -> tuple[Float[Tensor, "*shape"], tuple[float, ...]]:
    """Merge one tensor; returns it in fp32, and the coefficients w_m.

    Args:
        pivot: theta_0, any floating point type; the arithmetic is fp32.
        targets: theta_1..theta_M.
        select_topk: tau, above 0 and up to 1.
        variant: what the unselected positions lose when tau is below 1: with `authors` their
            part in the coefficients, with `mergekit` their deltas too.
    """
    algorithm = SceMerge(len(targets), select_topk=select_topk, variant=variant)
    merged, statistics = merge_tensor(algorithm, pivot, targets)
    return merged, statistics.coefficients


def _variances(deltas: Float[Tensor, "M E"]) -> Float[Tensor, " E"]:
    """Return population variances over the models.

    Taken around the first model, so that equal changes have variance 0 to the bit; torch's own
    `var` over a short dimension is fifty times slower.
    """
    if len(deltas) == 2:  # the same bits as below, in three operations
        return (deltas[1] - deltas[0]).mul_(0.5).square_()
    shifted = deltas[1:] - deltas[0]
    mean = shifted.sum(dim=0) / len(deltas)
    squares = mean.square()
    for delta in shifted:
        squares += (delta - mean).square_()
    return squares / len(deltas)
