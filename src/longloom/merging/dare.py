"""DARE (Yu et al., arXiv 2311.03099): drop changes at random, rescale the rest, add them up."""

import hashlib
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from longloom.merging.blocks import Block, MergeStatistics, merge_tensor
from longloom.merging.sign_election import count_conflicts


class DareMerge:
    """theta = theta_0 + sum_m w_m keep_m (theta_m - theta_0) / density over one unit's blocks."""

    def __init__(
        self, weights: Sequence[float], *, densities: Sequence[float], seed: int, unit_name: str
    ) -> None:
        self._weights = tuple(weights)
        self._densities = torch.tensor(densities, dtype=torch.float32)
        self._generators = [
            torch.Generator().manual_seed(_stream_seed(seed, unit_name, model))
            for model in range(len(weights))
        ]
        self._num_drawn = 0
        self._num_kept = 0
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
        draws = [torch.rand(block.pivot.numel(), generator=stream) for stream in self._generators]
        is_kept = torch.stack(draws) < self._densities[:, None]
        self._num_drawn += is_kept.numel()
        self._num_kept += int(is_kept.sum())
        self._num_conflicts += count_conflicts(block.deltas)
        weights = torch.tensor(self._weights, dtype=torch.float32) / self._densities
        return block.pivot + weights @ (block.deltas * is_kept)

    def statistics(self) -> MergeStatistics:
        """Return weights and kept fraction; conflicts are counted, though none is resolved."""
        return MergeStatistics(
            coefficients=self._weights,
            kept_fraction=self._num_kept / max(1, self._num_drawn),
            num_conflicts=self._num_conflicts,
        )


def merge_dare(
    pivot: Float[Tensor, "*shape"],
    targets: Sequence[Float[Tensor, "*shape"]],
    weights: Sequence[float],
    density: float,
    *,
    seed: int,
    unit_name: str,
) -> Float[Tensor, "*shape"]:
    """Return the pivot plus a random share of the changes, in fp32.

    Normalised by `density`, so that the expected change is that of task arithmetic. The random
    stream is named by seed, unit name and the model's position, never by order of merging.
    """
    densities = [density] * len(targets)
    algorithm = DareMerge(weights, densities=densities, seed=seed, unit_name=unit_name)
    return merge_tensor(algorithm, pivot, targets)[0]


def _stream_seed(seed: int, unit_name: str, model: int) -> int:
    digest = hashlib.sha256(f"{seed}/{unit_name}/{model}".encode()).digest()
    return int.from_bytes(digest[:7], "big")
