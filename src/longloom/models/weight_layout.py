"""Matrices stored as oneDNN wants them, where a network is only sampled.

Multiplying a few rows by a matrix computes next to nothing, so what counts is how memory is read.
torch multiplies by MKL in the order in which models store matrices; with oneDNN and its own order
the matrices of 12.5M parameters in fp32 take, on one core of an EPYC with AVX-512,

    rows                  1     8    32   256
    as stored, ms       2.3   4.1   9.6  58.1
    oneDNN's order, ms  1.3   1.9   4.2  26.1

The order cannot be trained or saved, so training and its rollouts keep theirs.
"""

from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from longloom.models.drawing import OutputHead

_PLANNED_ROWS = 32
"""For so many rows the order is made; it serves one or hundreds as well."""
_MOST_COPIED_BYTES = 1 << 28
"""An output matrix is copied up to this size; it may be the embedding, which is read by rows."""


class Head(Protocol):
    """Makes logits of hidden states."""

    def logits(self, hidden: Float[Tensor, "N D"]) -> Float[Tensor, "N V"]:
        """Return the logits of these states in fp32."""


class PackedLinear:
    """A linear layer whose matrix is in oneDNN's order; without gradients."""

    def __init__(self, weight: Float[Tensor, "O I"]) -> None:
        with torch.no_grad():
            self._packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), _PLANNED_ROWS)
        # The overload itself: finding it anew takes as long as multiplying one row.
        self._multiply = torch.ops.mkldnn._linear_pointwise.default

    def __call__(self, rows: Float[Tensor, "N I"]) -> Float[Tensor, "N O"]:
        """Multiply rows by the matrix."""
        output: Tensor = self._multiply(rows, self._packed, None, "none", [], "")
        return output


class _PackedHead:
    """An output matrix in oneDNN's order (see `Head`)."""

    def __init__(self, weight: Float[Tensor, "V D"]) -> None:
        self._linear = PackedLinear(weight)

    def logits(self, hidden: Float[Tensor, "N D"]) -> Float[Tensor, "N V"]:
        """Return the logits of these states."""
        logits: Tensor = self._linear(hidden)
        return logits


def head_for_sampling(weight: Float[Tensor, "V D"]) -> Head:
    """Return what makes the logits of sampled rows, packed if a copy takes little memory."""
    if is_packed_faster(weight) and weight.nbytes <= _MOST_COPIED_BYTES:
        return _PackedHead(weight)
    return OutputHead(weight)


def is_packed_faster(weight: Tensor) -> bool:
    """Return whether a matrix is multiplied faster in the other order: fp32 on CPU."""
    return (
        weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )
