"""TIES (Yadav et al., arXiv 2306.01708): trim each change, elect signs, merge those that agree."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from longloom.merging.blocks import Block, MergeStatistics, merge_tensor
from longloom.merging.selection import TopSelection
from longloom.merging.sign_election import average_agreeing


class TiesMerge:
    """TIES over the blocks of one unit."""

    def __init__(self, weights: Sequence[float], *, densities: Sequence[float]) -> None:
        self._weights = tuple(weights)
        self._selections = (
            [TopSelection(density, among="all") for density in densities]
            if min(densities) < 1
            else []
        )
        self._num_elements = 0
        self._num_conflicts = 0

    @property
    def num_scans(self) -> int:
        """The passes that rank the changes of each model by magnitude, if any is trimmed."""
        return TopSelection.NUM_SCANS if self._selections else 0

    def start_pass(self, pass_index: int) -> None:
        """Begin a pass of every model's selection."""
        for selection in self._selections:
            selection.start_pass(pass_index)

    def scan(self, block: Block) -> None:
        """Rank the block's changes by magnitude."""
        magnitudes = block.deltas.abs()
        for selection, magnitude in zip(self._selections, magnitudes, strict=True):
            selection.count(magnitude)

    def merge(self, block: Block) -> Float[Tensor, " E"]:
        """Return the merged block."""
        deltas = block.deltas.clone() if self._selections else block.deltas
        self._num_elements += block.pivot.numel()
        for model, selection in enumerate(self._selections):
            deltas[model] *= selection.mask(deltas[model].abs())
        weights = torch.tensor(self._weights, dtype=torch.float32)
        change, num_conflicts = average_agreeing(deltas, weights @ deltas, weights)
        self._num_conflicts += num_conflicts
        return block.pivot + change

    def statistics(self) -> MergeStatistics:
        """Return weights, the trimmed models' mean kept fraction, and conflicts."""
        num_kept = sum(selection.num_kept for selection in self._selections)
        num_ranked = max(1, self._num_elements * len(self._selections))
        return MergeStatistics(
            coefficients=self._weights,
            kept_fraction=num_kept / num_ranked if self._selections else 1.0,
            num_conflicts=self._num_conflicts,
        )


def merge_ties(
    pivot: Float[Tensor, "*shape"],
    targets: Sequence[Float[Tensor, "*shape"]],
    weights: Sequence[float],
    density: float,
) -> Float[Tensor, "*shape"]:
    """Return the pivot plus the agreeing trimmed changes, in fp32.

    Each position is normalised by the weights of the models that agree there, as the paper's
    disjoint mean is.
    """
    return merge_tensor(TiesMerge(weights, densities=[density] * len(targets)), pivot, targets)[0]
