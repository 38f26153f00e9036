"""SCE: select, calculate, erase (FuseChat, arXiv 2408.07990; QwenLong-L1.5, section 4.1).

For one unit with pivot theta_0 and targets theta_1..theta_M, deltas d_m = theta_m - theta_0:

1. Select: v = population variance of d_m over m at each position; the top tau of the positions
   with v > 0 are selected.
2. Calculate: w_m = mean(d_m^2 over selected positions) / sum over m; equal if all are 0.
3. Erase: the majority sign is + where sum_m d_m >= 0, else -; entries of another sign go.
4. Merge: theta = theta_0 + sum_m w_m d_m / sum_m w_m over the entries left; theta_0 where none is.

What it is not: mergekit's code to the bit. mergekit bounds the denominator of step 4 by 1e-6,
which shrinks changes of models with tiny coefficients; the authors' 0/0 -> 0 is used for both
variants.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from longloom.merging.blocks import MergeStatistics, merge_tensor
from longloom.merging.selection import TopSelection
from longloom.merging.sign_election import average_agreeing

Variant = Literal["authors", "mergekit"]


class SceMerge:
    """SCE over the blocks of one unit."""

    def __init__(self, num_targets: int, *, select_topk: float, variant: Variant) -> None:
        self._selection = TopSelection(select_topk, among="nonzero") if select_topk < 1 else None
        self._is_erasing_unselected = variant == "mergekit"
        self._square_sums = [0.0] * num_targets
        self._coefficients = [1.0 / num_targets] * num_targets
        self._pass_index = 0
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
        total = sum(self._square_sums)
        if pass_index == self.num_scans and total > 0:
            self._coefficients = [square_sum / total for square_sum in self._square_sums]

    def scan(self, pivot: Float[Tensor, " E"], targets: Float[Tensor, "M E"]) -> None:
        """Rank the block's variances, or add up its squared deltas."""
        deltas = targets - pivot
        if self._selection and self._pass_index < TopSelection.NUM_SCANS:
            self._selection.count(_variances(deltas))
            return
        if self._selection:
            deltas *= self._selection.mask(_variances(deltas))
        for model, delta in enumerate(deltas):
            self._square_sums[model] += float(torch.dot(delta, delta))

    def merge(
        self, pivot: Float[Tensor, " E"], targets: Float[Tensor, "M E"]
    ) -> Float[Tensor, " E"]:
        """Return the merged block."""
        deltas = targets - pivot
        self._num_elements += pivot.numel()
        if self._selection and self._is_erasing_unselected:
            deltas *= self._selection.mask(_variances(deltas))
        coefficients = torch.tensor(self._coefficients, dtype=torch.float32)
        change, num_conflicts = average_agreeing(deltas, deltas.sum(dim=0), coefficients)
        self._num_conflicts += num_conflicts
        return pivot + change

    def statistics(self) -> MergeStatistics:
        """Return coefficients, selected fraction and conflicts."""
        num_selected = self._selection.num_kept if self._selection else self._num_elements
        return MergeStatistics(
            coefficients=tuple(self._coefficients),
            kept_fraction=num_selected / max(1, self._num_elements),
            num_conflicts=self._num_conflicts,
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
    shifted = deltas[1:] - deltas[0]
    mean = shifted.sum(dim=0) / len(deltas)
    squares = mean.square()
    for delta in shifted:
        squares += (delta - mean).square_()
    return squares / len(deltas)
