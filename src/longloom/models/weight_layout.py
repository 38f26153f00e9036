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
from torch import Tensor, nn

from longloom.models.drawing import OutputHead
from longloom.models.network import Network

_PLANNED_ROWS = 32
"""For so many rows the order is made; it serves one or hundreds as well."""
_MOST_COPIED_BYTES = 1 << 28
"""An output matrix is copied up to this size; it may be the embedding, which is read by rows."""


class Head(Protocol):
    """Makes logits of hidden states."""

    def logits(self, hidden: Float[Tensor, "N D"]) -> Float[Tensor, "N V"]:
        """Return the logits of these states in fp32."""


class PackedLinear(nn.Module):
    """A linear layer whose matrix is in oneDNN's order; without gradients."""

    def __init__(self, weight: Float[Tensor, "O I"], bias: Float[Tensor, " O"] | None) -> None:
        super().__init__()
        self.in_features, self.out_features = weight.shape[1], weight.shape[0]
        with torch.no_grad():
            self._packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), _PLANNED_ROWS)
            self._bias = None if bias is None else bias.detach()
        # The overload itself: finding it anew takes as long as multiplying one row.
        self._multiply = torch.ops.mkldnn._linear_pointwise.default

    def forward(self, rows: Tensor) -> Tensor:
        """Multiply rows [..., I] by the matrix [O, I]."""
        output: Tensor = self._multiply(rows, self._packed, self._bias, "none", [], "")
        return output


class _PackedHead:
    """An output matrix in oneDNN's order (see `Head`)."""

    def __init__(self, weight: Float[Tensor, "V D"]) -> None:
        self._linear = PackedLinear(weight, None)

    def logits(self, hidden: Float[Tensor, "N D"]) -> Float[Tensor, "N V"]:
        """Return the logits of these states."""
        logits: Tensor = self._linear(hidden)
        return logits


def pack_for_sampling(network: Network) -> None:
    """Store the matrices of a network in oneDNN's order, one after the other.

    From then on it can be sampled, but neither trained nor saved; results may differ by rounding.
    Other devices and types than fp32 on CPU are left alone, and so are the embedding, the output
    matrix (see `head_for_sampling`) and the networks of transformers.
    """
    if not isinstance(network, nn.Module):
        return
    head = network.head_weight
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if type(child) is not nn.Linear or child.weight is head:
                continue
            if _is_packed_faster(child.weight):
                setattr(module, name, PackedLinear(child.weight, child.bias))


def head_for_sampling(weight: Float[Tensor, "V D"]) -> Head:
    """Return what makes the logits of sampled rows, packed if a copy takes little memory."""
    if _is_packed_faster(weight) and weight.nbytes <= _MOST_COPIED_BYTES:
        return _PackedHead(weight)
    return OutputHead(weight)


def _is_packed_faster(weight: Tensor) -> bool:
    return (
        weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )
