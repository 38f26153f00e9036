"""Merge one unit (a tensor, or one expert's part of it) in blocks of bounded size.

An algorithm sees the blocks of a unit in order, once for each scan it asks for (statistics over
the whole unit) and once more to merge. A tensor in memory and a tensor on the disk take the same
path with the same blocks, so both give the same bits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from longloom.merging.movement import Movement, MovementMeter

BLOCK_ELEMENTS = 1 << 16
"""Elements merged at a time: 256 KiB per model in fp32, so that a block stays in a core's cache."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a unit in fp32; never changed. E is the number of its elements."""

    pivot: Float[Tensor, " E"]
    """The pivot's elements."""
    targets: Float[Tensor, "M E"]
    """The models' elements."""
    deltas: Float[Tensor, "M E"]
    """The models' changes of the pivot."""


def make_block(pivot: Float[Tensor, " E"], targets: Float[Tensor, "M E"]) -> Block:
    """Return a block of these elements."""
    return Block(pivot, targets, targets - pivot)


class MergeAlgorithm(Protocol):
    """One way to merge a unit; holds the statistics of that unit alone."""

    @property
    def num_scans(self) -> int:
        """Passes over all blocks before the pass that merges."""

    def start_pass(self, pass_index: int) -> None:
        """Begin scan `pass_index`, or the merging pass if it equals `num_scans`."""

    def scan(self, block: Block) -> None:
        """Take the statistics of a block."""

    def merge(self, block: Block) -> Float[Tensor, " E"]:
        """Return the merged block in fp32."""

    def statistics(self) -> "MergeStatistics":
        """Return what happened to the unit, after the merging pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeStatistics:
    """What a merge did to one unit."""

    coefficients: tuple[float, ...]
    """Weight of each model, in order."""
    kept_fraction: float
    """Positions that selection, trimming or dropping left, among all."""
    num_conflicts: int
    """Positions at which models changed the pivot in opposite directions."""
    is_equalised: bool = False
    """Whether the weights are equal because the changes are below mergekit's bound."""


class BlockSource(Protocol):
    """The elements of one unit in the pivot and in all models."""

    @property
    def num_elements(self) -> int:
        """Elements of the unit."""

    def load(self, start: int, stop: int) -> Block:
        """Return pivot and models from element `start` to `stop`, in fp32."""


class MemoryBlocks:
    """A unit whose tensors are in memory."""

    def __init__(
        self, pivot: Float[Tensor, "*shape"], targets: Sequence[Float[Tensor, "*shape"]]
    ) -> None:
        self._pivot = pivot.detach().reshape(-1)
        self._targets = [target.detach().reshape(-1) for target in targets]

    @property
    def num_elements(self) -> int:
        """Elements of the unit."""
        return self._pivot.numel()

    def load(self, start: int, stop: int) -> Block:
        """Return pivot and models from element `start` to `stop`, in fp32."""
        targets = torch.stack([target[start:stop].float() for target in self._targets])
        return make_block(self._pivot[start:stop].float(), targets)


def merge_blocks(
    algorithm: MergeAlgorithm, source: BlockSource, write: Callable[[Tensor], None]
) -> tuple[MergeStatistics, Movement]:
    """Merge a unit block by block; `write` receives the merged blocks in order, in fp32."""
    spans = [
        (start, min(start + BLOCK_ELEMENTS, source.num_elements))
        for start in range(0, source.num_elements, BLOCK_ELEMENTS)
    ]
    single = source.load(*spans[0]) if len(spans) == 1 else None
    meter = MovementMeter()
    for pass_index in range(algorithm.num_scans + 1):
        algorithm.start_pass(pass_index)
        for span in spans:
            block = single or source.load(*span)
            if pass_index < algorithm.num_scans:
                algorithm.scan(block)
                continue
            merged = algorithm.merge(block)
            meter.measure(block.pivot, block.deltas, merged)
            write(merged)
    statistics = algorithm.statistics()
    return statistics, meter.movement(num_models=len(statistics.coefficients))


def merge_tensor(
    algorithm: MergeAlgorithm,
    pivot: Float[Tensor, "*shape"],
    targets: Sequence[Float[Tensor, "*shape"]],
) -> tuple[Float[Tensor, "*shape"], MergeStatistics]:
    """Merge one tensor in memory; returns it in fp32."""
    blocks: list[Tensor] = [torch.empty(0)]
    statistics, _ = merge_blocks(algorithm, MemoryBlocks(pivot, targets), blocks.append)
    return torch.cat(blocks).reshape(pivot.shape), statistics
