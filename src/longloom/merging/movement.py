"""How far the models moved from the pivot, and how much of that the merge kept.

The same for every method, so that their merges can be compared.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Distances over one unit. Euclidean norms of fp32 elements."""

    pivot_norm: float
    """Norm of the pivot."""
    change_norms: tuple[float, ...]
    """Norm of each model's change of the pivot."""
    merged_change_norm: float
    """Norm of the merge's change of the pivot."""
    retained_fractions: tuple[float, ...]
    """Length of the merge's change along each model's, over the length of that; 1 where the merge
    holds all of a model's change, 0 where it holds none or the model has none."""


class MovementMeter:
    """Adds up the squares and products of one unit's blocks, in float64 between blocks."""

    def __init__(self) -> None:
        self._pivot_square = 0.0
        self._merged_square = 0.0
        self._change_squares: list[float] = []
        self._products: list[float] = []

    def measure(
        self,
        pivot: Float[Tensor, " E"],
        deltas: Float[Tensor, "M E"],
        merged: Float[Tensor, " E"],
    ) -> None:
        """Take a block, its models' changes and what it became."""
        change = merged - pivot
        if not self._products:
            self._change_squares = [0.0] * len(deltas)
            self._products = [0.0] * len(deltas)
        self._pivot_square += float(torch.dot(pivot, pivot))
        self._merged_square += float(torch.dot(change, change))
        for model, delta in enumerate(deltas):
            self._change_squares[model] += float(torch.dot(delta, delta))
            self._products[model] += float(torch.dot(delta, change))

    def movement(self, *, num_models: int) -> Movement:
        """Return the distances over all blocks; all 0 if there was none."""
        squares = self._change_squares or [0.0] * num_models
        products = self._products or [0.0] * num_models
        return Movement(
            pivot_norm=self._pivot_square**0.5,
            change_norms=tuple(square**0.5 for square in squares),
            merged_change_norm=self._merged_square**0.5,
            retained_fractions=tuple(
                product / square if square > 0 else 0.0
                for product, square in zip(products, squares, strict=True)
            ),
        )
