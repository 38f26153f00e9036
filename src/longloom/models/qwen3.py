"""The dense Qwen3 network, with the prompt of a group computed once.

What it leaves out: mixture of experts, sliding windows, rotary scaling, attention bias. Parameter
names are those of transformers' `Qwen3ForCausalLM`, so folders move both ways unchanged.

A group of G responses to one prompt is computed in two calls: `prompt` runs the P prompts once as
plain causal sequences and returns their keys and values; `suffix` runs the P x G responses, each
attending to its prompt's keys and causally to its own. No mask over the whole length is built.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

Cache = tuple[Tensor, Tensor]
"""Keys and values of one layer: [P, K, T, d] for prompts, [P, K, G, R, d] for suffixes."""


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


class RMSNorm(nn.Module):
    """Root mean square normalisation with a learned gain."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, hidden: Tensor) -> Tensor:
        """Normalise the last dimension."""
        return functional.rms_norm(hidden, (hidden.shape[-1],), self.weight, self.eps)


def rotate(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply rotary position embedding to the last dimension of `heads`."""
    first, second = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat([-second, first], dim=-1) * sin


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

    def prompt(self, hidden: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Cache]:
        """Attend causally within prompts; hidden is [P, T, D]."""
        shape, (num_prompts, num_tokens, _) = self.shape, hidden.shape
        split = (num_prompts, num_tokens, -1, shape.head_dim)
        query = rotate(self.q_norm(self.q_proj(hidden).view(split)).transpose(1, 2), cos, sin)
        key = rotate(self.k_norm(self.k_proj(hidden).view(split)).transpose(1, 2), cos, sin)
        value = self.v_proj(hidden).view(split).transpose(1, 2)
        attended = functional.scaled_dot_product_attention(
            query, key, value, is_causal=True, enable_gqa=query.shape[1] != key.shape[1]
        )
        merged = attended.transpose(1, 2).reshape(num_prompts, num_tokens, -1)
        return self.o_proj(merged), (key, value)

    def suffix(
        self,
        hidden: Tensor,
        cos: Tensor,
        sin: Tensor,
        *,
        prompt_cache: Cache,
        prompt_bias: Tensor,
        past: Cache | None,
    ) -> tuple[Tensor, Cache]:
        """Attend to the prompt and causally to the suffix itself; hidden is [P, G, R, D]."""
        num_prompts, group_size, num_tokens, _ = hidden.shape
        split = (num_prompts, group_size, num_tokens, -1, self.shape.head_dim)
        query = self.q_norm(self.q_proj(hidden).view(split)).permute(0, 3, 1, 2, 4)
        key = self.k_norm(self.k_proj(hidden).view(split)).permute(0, 3, 1, 2, 4)
        value = self.v_proj(hidden).view(split).permute(0, 3, 1, 2, 4)
        query, key = rotate(query, cos, sin), rotate(key, cos, sin)  # [P, heads, G, R, d]
        if past is not None:
            key, value = torch.cat([past[0], key], dim=3), torch.cat([past[1], value], dim=3)
        attended = _attend_in_two_parts(query, (key, value), prompt_cache, prompt_bias)
        merged = attended.permute(0, 2, 3, 1, 4).reshape(num_prompts, group_size, num_tokens, -1)
        return self.o_proj(merged), (key, value)


def _attend_in_two_parts(query: Tensor, own: Cache, prompt: Cache, prompt_bias: Tensor) -> Tensor:
    """Attend over prompt keys [P, K, T, d] and own keys [P, K, G, S, d] as one softmax.

    query is [P, H, G, R, d] with its R tokens being the last of the S own ones; prompt_bias is
    [P, 1, 1, T], 0 or minus infinity. Returns [P, H, G, R, d].
    """
    num_prompts, num_heads, group_size, num_tokens, head_dim = query.shape
    num_key_heads, num_prompt_tokens = prompt[0].shape[1:3]
    repeats = num_heads // num_key_heads
    query = query / math.sqrt(head_dim)
    rows = query.reshape(num_prompts, num_key_heads, -1, head_dim)
    prompt_scores = rows @ prompt[0].transpose(-1, -2) + prompt_bias  # [P, K, rG R, T]
    own_key, own_value = (
        part.repeat_interleave(repeats, dim=1) if repeats > 1 else part for part in own
    )
    own_scores = query @ own_key.transpose(-1, -2)  # [P, H, G, R, S]
    num_own = own_key.shape[3]
    if num_tokens > 1:
        future = torch.ones(num_tokens, num_own, dtype=torch.bool, device=query.device).triu(
            num_own - num_tokens + 1
        )
        own_scores = own_scores.masked_fill(future, -math.inf)
    scores = torch.cat(
        [
            prompt_scores.view(num_prompts, num_heads, group_size, num_tokens, -1),
            own_scores,
        ],
        dim=-1,
    )
    weights = scores.softmax(dim=-1)
    prompt_weights, own_weights = weights[..., :num_prompt_tokens], weights[..., num_prompt_tokens:]
    from_prompt = prompt_weights.reshape(*rows.shape[:3], num_prompt_tokens) @ prompt[1]
    attended: Tensor = from_prompt.view(query.shape) + own_weights @ own_value
    return attended


class MLP(nn.Module):
    """Gated feed-forward layer."""

    def __init__(self, shape: Qwen3Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.up_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.down_proj = nn.Linear(shape.intermediate_size, shape.hidden_size, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the layer's output, before the residual sum."""
        gated: Tensor = functional.silu(self.gate_proj(hidden)) * self.up_proj(hidden)
        output: Tensor = self.down_proj(gated)
        return output


class Layer(nn.Module):
    """Attention and MLP, each after a normalisation and with a residual."""

    def __init__(self, shape: Qwen3Shape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = MLP(shape)
        self.input_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)

    def feed_forward(self, hidden: Tensor) -> Tensor:
        """Add the MLP's output."""
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
    """A dense Qwen3 causal language model."""

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: Qwen3Shape) -> None:
        super().__init__()
        self.shape = shape
        self.model = Backbone(shape)
        if not shape.tie_word_embeddings:
            self.lm_head = nn.Linear(shape.hidden_size, shape.vocab_size, bias=False)
        exponents = torch.arange(0, shape.head_dim, 2, dtype=torch.float32) / shape.head_dim
        positions = torch.arange(shape.max_position_embeddings, dtype=torch.float32)
        angles = positions[:, None] / shape.rope_theta**exponents
        angles = torch.cat([angles, angles], dim=-1)  # [window, d]
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    @property
    def head_weight(self) -> Float[Tensor, "V D"]:
        """The output matrix."""
        if self.shape.tie_word_embeddings:
            return self.model.embed_tokens.weight
        return self.lm_head.weight

    def prompt(self, token_ids: Int[Tensor, "P T"]) -> tuple[Float[Tensor, "P T D"], list[Cache]]:
        """Run right-padded prompts; return final hidden states and each layer's cache."""
        num_tokens = token_ids.shape[1]
        cos, sin = self.cos[:num_tokens], self.sin[:num_tokens]
        hidden = self.model.embed_tokens(token_ids)
        caches: list[Cache] = []
        for layer in self.model.layers:
            assert isinstance(layer, Layer)
            attended, cache = layer.self_attn.prompt(layer.input_layernorm(hidden), cos, sin)
            hidden = layer.feed_forward(hidden + attended)
            caches.append(cache)
        return self.model.norm(hidden), caches

    def suffix(
        self,
        token_ids: Int[Tensor, "P G R"],
        positions: Int[Tensor, "P R"],
        *,
        prompt_caches: Sequence[Cache],
        prompt_bias: Float[Tensor, "P 1 1 T"],
        past: Sequence[Cache] | None = None,
    ) -> tuple[Float[Tensor, "P G R D"], list[Cache]]:
        """Run responses that continue prompts; return hidden states and each layer's cache."""
        cos = self.cos[positions][:, None, None]  # [P, 1, 1, R, d]
        sin = self.sin[positions][:, None, None]
        hidden = self.model.embed_tokens(token_ids)
        caches: list[Cache] = []
        for index, layer in enumerate(self.model.layers):
            assert isinstance(layer, Layer)
            attended, cache = layer.self_attn.suffix(
                layer.input_layernorm(hidden),
                cos,
                sin,
                prompt_cache=prompt_caches[index],
                prompt_bias=prompt_bias,
                past=past[index] if past is not None else None,
            )
            hidden = layer.feed_forward(hidden + attended)
            caches.append(cache)
        return self.model.norm(hidden), caches


def padding_bias(lengths: Int[Tensor, " P"], num_tokens: int) -> Float[Tensor, "P 1 1 T"]:
    """Return 0 where a right-padded prompt has a token and minus infinity where it has none."""
    is_token: Bool[Tensor, "P T"] = (
        torch.arange(num_tokens, device=lengths.device) < lengths[:, None]
    )
    bias = torch.zeros(is_token.shape, device=lengths.device).masked_fill(~is_token, -math.inf)
    return bias[:, None, None]
