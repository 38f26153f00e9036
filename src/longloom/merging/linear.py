"""Linear merge: the weighted mean of the models; the pivot's weights play no part."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from longloom.merging.blocks import Block, MergeStatistics, merge_tensor
from longloom.merging.sign_election import count_conflicts


class LinearMerge:
    """theta = sum_m w_m theta_m / sum_m w_m over the blocks of one unit."""

    def __init__(self, weights: Sequence[float]) -> None:
        total = sum(weights)
        self._coefficients = tuple(weight / total for weight in weights)
        self._num_conflicts = 0

    @property
    def num_scans(self) -> int:
        """No statistics are needed."""
        return 0

    def start_pass(self, pass_index: int) -> None:
        """Nothing to prepare."""

    def scan(self, block: Block) -> None:
        """Never called: there are no scans."""

    def merge(self, block: Block) -> Float[Tensor, " E"]:
        """Return the merged block."""
        self._num_conflicts += count_conflicts(block.deltas)
        return torch.tensor(self._coefficients, dtype=torch.float32) @ block.targets

    def statistics(self) -> MergeStatistics:
        """Return the weights; conflicts are counted, though none is resolved."""
        return MergeStatistics(
            coefficients=self._coefficients,
            kept_fraction=1.0,
            num_conflicts=self._num_conflicts,
        )


def merge_linear(
    pivot: Float[Tensor, "*shape"],
    targets: Sequence[Float[Tensor, "*shape"]],
    weights: Sequence[float],
) -> Float[Tensor, "*shape"]:
    """Return the weighted mean of `targets` in fp32; only the pivot's shape is used.

    Normalised by the sum of the weights.
    """
    return merge_tensor(LinearMerge(weights), pivot, targets)[0]
