"""Linear merge: the weighted mean of the models; the pivot's weights play no part."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from longloom.merging.blocks import MergeStatistics, merge_tensor


class LinearMerge:
    """theta = sum_m w_m theta_m / sum_m w_m over the blocks of one unit."""

    def __init__(self, weights: Sequence[float]) -> None:
        total = sum(weights)
        self._coefficients = tuple(weight / total for weight in weights)

    @property
    def num_scans(self) -> int:
        """No statistics are needed."""
        return 0

    def start_pass(self, pass_index: int) -> None:
        """Nothing to prepare."""

    def scan(self, pivot: Float[Tensor, " E"], targets: Float[Tensor, "M E"]) -> None:
        """Never called: there are no scans."""

    def merge(
        self, pivot: Float[Tensor, " E"], targets: Float[Tensor, "M E"]
    ) -> Float[Tensor, " E"]:
        """Return the merged block."""
        return torch.tensor(self._coefficients, dtype=torch.float32) @ targets

    def statistics(self) -> MergeStatistics:
        """Return the weights; conflicts are not counted, because none is resolved."""
        return MergeStatistics(coefficients=self._coefficients, kept_fraction=1.0, num_conflicts=0)


def merge_linear(
    pivot: Float[Tensor, "*shape"],
    targets: Sequence[Float[Tensor, "*shape"]],
    weights: Sequence[float],
) -> Float[Tensor, "*shape"]:
    """Return the weighted mean of `targets` in fp32; only the pivot's shape is used.

    Normalised by the sum of the weights.
    """
    return merge_tensor(LinearMerge(weights), pivot, targets)[0]
