"""The dense Qwen3 network over packed tokens.

What it leaves out: mixture of experts, sliding windows, attention bias; those architectures go
through transformers. Parameter names are those of transformers' `Qwen3ForCausalLM`, so folders
move both ways unchanged. Who attends to whom is decided outside (see `network`).
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from longloom.models.network import Attend, NetworkShape
from longloom.models.rotary import NO_SCALING, RotaryScaling, rotary_frequencies


@dataclass(frozen=True, slots=True, kw_only=True)
class Qwen3Shape:
    """The sizes of a dense Qwen3 network, named as in its config.json."""

    vocab_size: int
    """V."""
    hidden_size: int
    """D."""
    intermediate_size: int
    """Width of the gated MLP."""
    num_hidden_layers: int
    """Layers."""
    num_attention_heads: int
    """Query heads H."""
    num_key_value_heads: int
    """Key and value heads K; H is a multiple of K."""
    head_dim: int
    """Width d of one head."""
    max_position_embeddings: int
    """The window in tokens."""
    rope_theta: float
    """Base of the rotary frequencies."""
    rms_norm_eps: float
    """Added to the mean square before its root."""
    tie_word_embeddings: bool
    """Whether the output matrix is the embedding matrix."""
    rope_scaling: RotaryScaling = NO_SCALING
    """How the rotary frequencies are scaled; plain if not given."""


class RMSNorm(nn.Module):
    """Root mean square normalisation with a learned gain."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, hidden: Tensor) -> Tensor:
        """Normalise the last dimension."""
        return functional.rms_norm(hidden, (hidden.shape[-1],), self.weight, self.eps)


def rotate(
    heads: Float[Tensor, "N heads d"], cos: Float[Tensor, "N 1 d"], sin: Float[Tensor, "N 1 d"]
) -> Float[Tensor, "N heads d"]:
    """Apply rotary position embedding: turn each pair (i, i + d / 2) by its angle."""
    if not torch.is_grad_enabled():  # the detour over autograd takes longer than the turn of a row
        return _turn(heads, cos, sin, -1)
    rotated: Tensor = _Rotation.apply(heads, cos, sin)  # type: ignore[no-untyped-call]
    return rotated


class _Rotation(torch.autograd.Function):
    """The gradient is turned back, so nothing but the angles is kept."""

    @staticmethod
    def forward(ctx: Any, heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turn(heads, cos, sin, -1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turn(grad, cos, sin, 1), None, None


def _turn(heads: Tensor, cos: Tensor, sin: Tensor, sign: int) -> Tensor:
    turned = heads * cos
    half = heads.shape[-1] // 2
    turned[..., :half].addcmul_(heads[..., half:], sin[..., :half], value=sign)
    turned[..., half:].addcmul_(heads[..., :half], sin[..., half:], value=-sign)
    return turned


class Attention(nn.Module):
    """Grouped-query attention with normalised queries and keys."""

    def __init__(self, shape: Qwen3Shape) -> None:
        super().__init__()
        self.shape = shape
        query_width = shape.num_attention_heads * shape.head_dim
        key_width = shape.num_key_value_heads * shape.head_dim
        self.q_proj = nn.Linear(shape.hidden_size, query_width, bias=False)
        self.k_proj = nn.Linear(shape.hidden_size, key_width, bias=False)
        self.v_proj = nn.Linear(shape.hidden_size, key_width, bias=False)
        self.o_proj = nn.Linear(query_width, shape.hidden_size, bias=False)
        self.q_norm = RMSNorm(shape.head_dim, shape.rms_norm_eps)
        self.k_norm = RMSNorm(shape.head_dim, shape.rms_norm_eps)

    def forward(
        self,
        index: int,
        hidden: Float[Tensor, "N D"],
        rotation: tuple[Tensor, Tensor],
        attend: Attend,
        num_silent: int,
    ) -> Float[Tensor, "Q D"]:
        """Return the output of all tokens but the first `num_silent`."""
        cos, sin = rotation
        key = rotate(self.k_norm(self._split(self.k_proj(hidden))), cos, sin)
        value = self._split(self.v_proj(hidden))
        query = self.q_norm(self._split(self.q_proj(hidden[num_silent:])))
        query = rotate(query, cos[num_silent:], sin[num_silent:])
        output: Tensor = self.o_proj(attend(index, query, key, value).flatten(1))
        return output

    def _split(self, projected: Tensor) -> Tensor:
        width = self.shape.head_dim
        return projected.view(len(projected), projected.shape[1] // width, width)


class MLP(nn.Module):
    """Gated feed-forward layer."""

    def __init__(self, shape: Qwen3Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.up_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.down_proj = nn.Linear(shape.intermediate_size, shape.hidden_size, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the layer's output, before the residual sum."""
        gate, up = self.gate_proj(hidden), self.up_proj(hidden)
        if torch.is_grad_enabled():
            gated = _GatedSilu.apply(gate, up)  # type: ignore[no-untyped-call]
        else:
            gated = functional.silu(gate).mul_(up)
        output: Tensor = self.down_proj(gated)
        return output


class _GatedSilu(torch.autograd.Function):
    """silu(gate) * up; silu is computed again going back, a quarter less of the MLP to keep."""

    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        grad_gate = torch.ops.aten.silu_backward(grad * up, gate)
        return grad_gate, functional.silu(gate).mul_(grad)


class Layer(nn.Module):
    """Attention and MLP, each after a normalisation and with a residual."""

    def __init__(self, shape: Qwen3Shape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = MLP(shape)
        self.input_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)

    def forward(
        self,
        index: int,
        hidden: Float[Tensor, "N D"],
        rotation: tuple[Tensor, Tensor],
        attend: Attend,
        num_silent: int,
    ) -> Float[Tensor, "Q D"]:
        """Return the layer's output for all tokens but the first `num_silent`."""
        attended = self.self_attn(index, self.input_layernorm(hidden), rotation, attend, num_silent)
        hidden = hidden[num_silent:] + attended
        output: Tensor = hidden + self.mlp(self.post_attention_layernorm(hidden))
        return output


class Backbone(nn.Module):
    """Embedding, layers and final normalisation (`model.` in the folder)."""

    def __init__(self, shape: Qwen3Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_hidden_layers))
        self.norm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)


class Qwen3(nn.Module):
    """A dense Qwen3 causal language model (see `network.Network`)."""

    def __init__(self, shape: Qwen3Shape) -> None:
        super().__init__()
        self.shape = shape
        self.model = Backbone(shape)
        self.recomputes_layers = False
        """Whether backward passes compute each layer again instead of keeping its insides."""
        if not shape.tie_word_embeddings:
            self.lm_head = nn.Linear(shape.hidden_size, shape.vocab_size, bias=False)

    @property
    def sizes(self) -> NetworkShape:
        """Its sizes."""
        shape = self.shape
        return NetworkShape(
            vocab_size=shape.vocab_size,
            hidden_size=shape.hidden_size,
            num_layers=shape.num_hidden_layers,
            num_heads=shape.num_attention_heads,
            num_key_heads=shape.num_key_value_heads,
            head_dim=shape.head_dim,
            window_tokens=shape.max_position_embeddings,
        )

    @property
    def head_weight(self) -> Float[Tensor, "V D"]:
        """The output matrix."""
        if self.shape.tie_word_embeddings:
            return self.model.embed_tokens.weight
        return self.lm_head.weight

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.model.embed_tokens.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """In what it computes."""
        return self.model.embed_tokens.weight.dtype

    def hidden(
        self,
        token_ids: Int[Tensor, " N"],
        positions: Int[Tensor, " N"],
        attend: Attend,
        *,
        num_silent: int = 0,
    ) -> Float[Tensor, "Q D"]:
        """Return the final hidden states; see `network.Network`."""
        rotation = rotation_at(positions, self.shape, self.dtype)
        hidden = self.model.embed_tokens(token_ids)
        last = len(self.model.layers) - 1
        for index, layer in enumerate(self.model.layers):
            inputs = (index, hidden, rotation, attend, num_silent if index == last else 0)
            if self.recomputes_layers and torch.is_grad_enabled():
                hidden = checkpoint(layer, *inputs, use_reentrant=False)
            else:
                hidden = layer(*inputs)
        normalised: Tensor = self.model.norm(hidden)
        return normalised


def rotation_at(
    positions: Int[Tensor, " N"], shape: Qwen3Shape, dtype: torch.dtype
) -> tuple[Float[Tensor, "N 1 d"], Float[Tensor, "N 1 d"]]:
    """Return the cosines and sines of these positions, computed in fp32."""
    frequencies, factor = rotary_frequencies(
        shape.rope_scaling, shape.rope_theta, shape.head_dim, positions.device
    )
    angles = positions[:, None].float() * frequencies
    angles = torch.cat([angles, angles], dim=-1)[:, None]
    return (angles.cos() * factor).to(dtype), (angles.sin() * factor).to(dtype)
