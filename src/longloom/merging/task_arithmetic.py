"""Task arithmetic (Ilharco et al., arXiv 2212.04089): add weighted changes to the pivot."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from longloom.merging.blocks import MergeStatistics, merge_tensor


class TaskArithmeticMerge:
    """theta = theta_0 + sum_m w_m (theta_m - theta_0) over the blocks of one unit."""

    def __init__(self, weights: Sequence[float]) -> None:
        self._weights = tuple(weights)

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
        return pivot + torch.tensor(self._weights, dtype=torch.float32) @ (targets - pivot)

    def statistics(self) -> MergeStatistics:
        """Return the weights; conflicts are not counted, because none is resolved."""
        return MergeStatistics(coefficients=self._weights, kept_fraction=1.0, num_conflicts=0)


def merge_task_arithmetic(
    pivot: Float[Tensor, "*shape"],
    targets: Sequence[Float[Tensor, "*shape"]],
    weights: Sequence[float],
) -> Float[Tensor, "*shape"]:
    """Return the pivot plus the weighted changes of `targets` in fp32; not normalised."""
    return merge_tensor(TaskArithmeticMerge(weights), pivot, targets)[0]
