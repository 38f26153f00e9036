"""The dense Qwen3 network where it is only sampled: fewer and larger products.

A server draws most tokens for few rows, where a step computes next to nothing: what counts is how
often matrices are read and how many operations there are. Here queries, keys and values come of one
product, gate and up of another, from matrices in oneDNN's order (see `weight_layout`), and queries
and keys are normalised and rotated together. A step of 12.5M parameters in fp32 takes, on one core
of an EPYC with AVX-512 and without logits,

    rows                 1     8     32
    layer by layer, ms  3.4   5.9  13.3
    fused, ms           1.7   2.9   6.9

What it leaves out: gradients; half types and other devices than CPU (`qwen3` is served as it is).
"""

import math
from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from longloom.models.network import Attend, SampledNetwork
from longloom.models.qwen3 import Layer, Qwen3, Qwen3Shape, RMSNorm, rotate, rotation_at
from longloom.models.weight_layout import PackedLinear, is_packed_faster


def network_for_sampling(network: SampledNetwork) -> SampledNetwork:
    """Return a network that is sampled faster, or the network itself if there is none for it.

    The layers of a network that is fused are taken out of it one after the other, so that no more
    than one of them is in memory twice; it is of no use any more. Results differ by rounding.
    """
    if isinstance(network, Qwen3) and all(map(_is_fused_faster, network.model.layers)):
        return FusedQwen3(network)
    return network


class FusedQwen3:
    """A Qwen3 network without gradients (see `network.SampledNetwork`)."""

    def __init__(self, network: Qwen3) -> None:
        """Take the layers out of a network."""
        self.sizes = network.sizes
        self.head_weight: Float[Tensor, "V D"] = network.head_weight
        self._shape = network.shape
        self._embedding: Float[Tensor, "V D"] = network.model.embed_tokens.weight
        self._norm = _Norm.of(network.model.norm)
        layers = network.model.layers
        self._layers = [_FusedLayer(_taken(layers), network.shape) for _ in range(len(layers))]

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self._embedding.device

    @property
    def dtype(self) -> torch.dtype:
        """In what it computes."""
        return self._embedding.dtype

    def hidden(
        self,
        token_ids: Int[Tensor, " N"],
        positions: Int[Tensor, " N"],
        attend: Attend,
        *,
        num_silent: int = 0,
    ) -> Float[Tensor, "Q D"]:
        """Return the final hidden states; see `network.SampledNetwork`."""
        rotation = rotation_at(positions, self._shape, self.dtype)
        hidden = functional.embedding(token_ids, self._embedding)
        last = len(self._layers) - 1
        for index, layer in enumerate(self._layers):
            silent = num_silent if index == last else 0
            hidden = layer.output(index, hidden, rotation, attend, silent)
        return self._norm(hidden)


class _FusedLayer:
    """One layer, its matrices side by side."""

    def __init__(self, layer: Layer, shape: Qwen3Shape) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        self._num_heads, self._num_key_heads = shape.num_attention_heads, shape.num_key_value_heads
        self._head_dim, self._mlp_width = shape.head_dim, shape.intermediate_size
        self._attention_norm = _Norm.of(layer.input_layernorm)
        self._projections = _side_by_side(attention.q_proj, attention.k_proj, attention.v_proj)
        self._head_norm = _Norm.of(
            *[attention.q_norm] * self._num_heads, *[attention.k_norm] * self._num_key_heads
        )
        self._attention_output = _side_by_side(attention.o_proj)
        self._mlp_norm = _Norm.of(layer.post_attention_layernorm)
        self._gate_up = _side_by_side(mlp.gate_proj, mlp.up_proj)
        self._mlp_output = _side_by_side(mlp.down_proj)

    def output(
        self,
        index: int,
        hidden: Float[Tensor, "N D"],
        rotation: tuple[Tensor, Tensor],
        attend: Attend,
        num_silent: int,
    ) -> Float[Tensor, "Q D"]:
        """Return the layer's output for all tokens but the first `num_silent`."""
        num_heads, num_turned = self._num_heads, self._num_heads + self._num_key_heads
        projected = self._projections(self._attention_norm(hidden))
        heads = projected.view(len(hidden), -1, self._head_dim)
        turned = rotate(self._head_norm(heads[:, :num_turned]), *rotation)
        query, key = turned[num_silent:, :num_heads], turned[:, num_heads:]
        attended = attend(index, query, key, heads[:, num_turned:])
        hidden = hidden[num_silent:] + self._attention_output(attended.flatten(1))
        gate_up = self._gate_up(self._mlp_norm(hidden))
        gated = functional.silu(gate_up[:, : self._mlp_width])
        gated.mul_(gate_up[:, self._mlp_width :])
        return self._mlp_output(gated).add_(hidden)


@dataclass(frozen=True, slots=True)
class _Norm:
    """Root mean square normalisation, x g sqrt(D) / hypot(|x|, sqrt(D eps)).

    It is `functional.rms_norm`, in four operations instead of nine.
    """

    gain: Tensor
    """g sqrt(D) [D], or [H, D] where every head has its own."""
    floor: Float[Tensor, ""]
    """sqrt(D eps)."""

    @classmethod
    def of(cls, *norms: RMSNorm) -> Self:
        """Return the normalisation of hidden states, or of as many heads as there are norms."""
        width, eps = len(norms[0].weight), norms[0].eps
        gains = [norm.weight.detach() * math.sqrt(width) for norm in norms]
        gain = gains[0] if len(gains) == 1 else torch.stack(gains)
        return cls(gain=gain, floor=torch.tensor(math.sqrt(width * eps), dtype=gain.dtype))

    def __call__(self, rows: Tensor) -> Tensor:
        """Normalise the last dimension."""
        length = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
        return rows.div(length.hypot_(self.floor)).mul_(self.gain)


def _side_by_side(*linears: nn.Linear) -> PackedLinear:
    return PackedLinear(torch.cat([linear.weight for linear in linears]))


def _taken(layers: nn.ModuleList) -> Layer:
    """Take the first layer out of a list."""
    layer = layers.pop(0)
    assert isinstance(layer, Layer)
    return layer


def _is_fused_faster(layer: nn.Module) -> bool:
    """Whether a layer has plain matrices only, and of a kind that is faster in another order."""
    assert isinstance(layer, Layer)
    attention, mlp = layer.self_attn, layer.mlp
    matrices = [attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj]
    matrices += [mlp.gate_proj, mlp.up_proj, mlp.down_proj]
    return all(type(each) is nn.Linear and is_packed_faster(each.weight) for each in matrices)
