"""Task arithmetic (Ilharco et al., arXiv 2212.04089): add weighted changes to the pivot."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from longloom.merging.blocks import Block, MergeStatistics, merge_tensor
from longloom.merging.sign_election import count_conflicts


class TaskArithmeticMerge:
    """theta = theta_0 + sum_m w_m (theta_m - theta_0) over the blocks of one unit."""

    def __init__(self, weights: Sequence[float]) -> None:
        self._weights = tuple(weights)
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
        return block.pivot + torch.tensor(self._weights, dtype=torch.float32) @ block.deltas

    def statistics(self) -> MergeStatistics:
        """Return the weights; conflicts are counted, though none is resolved."""
        return MergeStatistics(
            coefficients=self._weights, kept_fraction=1.0, num_conflicts=self._num_conflicts
        )


def merge_task_arithmetic(
    pivot: Float[Tensor, "*shape"],
    targets: Sequence[Float[Tensor, "*shape"]],
    weights: Sequence[float],
) -> Float[Tensor, "*shape"]:
    """Return the pivot plus the weighted changes of `targets` in fp32; not normalised."""
    return merge_tensor(TaskArithmeticMerge(weights), pivot, targets)[0]
