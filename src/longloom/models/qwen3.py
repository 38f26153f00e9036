"""The dense Qwen3 network, with the prompt of a group computed once.

What it leaves out: mixture of experts, sliding windows, rotary scaling, attention bias. Parameter
names are those of transformers' `Qwen3ForCausalLM`, so folders move both ways unchanged.

A group of G responses to one prompt is computed in two calls: `prompt_end` runs the P prompts once
as plain causal sequences and returns their keys and values; `suffix` runs the P x G responses, each
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
"""Keys and values of one layer: [P, K, T, d] for prompts, [P, K, G, S, d] for suffixes."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SuffixPlaces:
    """Where packed tokens stand in P x G responses of up to R tokens, and their rotations.

    Only attention sees the padded form; everything else is computed on the packed tokens.
    """

    sizes: tuple[int, int, int]
    """P, G, R."""
    flat: Tensor | None
    """Place of each packed token among the P x G x R; None if all are filled."""
    cos: Tensor
    """[P, 1, 1, R, d]."""
    sin: Tensor
    """[P, 1, 1, R, d]."""

    def spread(self, packed: Tensor) -> Tensor:
        """Return [N, heads, d] as [P, G, R, heads, d], 0 where there is no token."""
        if self.flat is not None:
            padded = packed.new_zeros(math.prod(self.sizes), *packed.shape[1:])
            packed = padded.index_copy(0, self.flat, packed)
        return packed.view(*self.sizes, *packed.shape[1:])

    def gather(self, padded: Tensor) -> Tensor:
        """Return [P, G, R, D] as [N, D]."""
        rows = padded.flatten(0, 2)
        return rows if self.flat is None else rows[self.flat]


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
        num_prompts, num_tokens, _ = hidden.shape
        key, value = self._prompt_cache(hidden, cos, sin)
        query = self.q_norm(self._split(self.q_proj(hidden))).transpose(1, 2)  # [P, H, T, d]
        attended = functional.scaled_dot_product_attention(
            rotate(query, cos, sin),
            key,
            value,
            is_causal=True,
            enable_gqa=query.shape[1] != key.shape[1],
        )
        merged = attended.transpose(1, 2).reshape(num_prompts, num_tokens, -1)
        return self.o_proj(merged), (key, value)

    def prompt_end(
        self, hidden: Tensor, ends: Tensor, cos: Tensor, sin: Tensor, bias: Tensor
    ) -> tuple[Tensor, Cache]:
        """Return what the last token of each prompt attends to [P, D], and all keys and values."""
        num_prompts = hidden.shape[0]
        cache = self._prompt_cache(hidden, cos, sin)
        last = hidden[torch.arange(num_prompts), ends]
        query = self.q_norm(self._split(self.q_proj(last)))[:, :, None]  # [P, H, 1, d]
        query = rotate(query, cos[ends][:, None, None], sin[ends][:, None, None])
        query = query.view(num_prompts, cache[0].shape[1], 1, -1, self.shape.head_dim)
        attended = _attend_in_two_parts(query, None, cache, bias)  # [P, K, 1, H / K, d]
        return self.o_proj(attended.reshape(num_prompts, -1)), cache

    def suffix(
        self,
        hidden: Tensor,
        places: SuffixPlaces,
        *,
        prompt_cache: Cache,
        prompt_bias: Tensor,
        past: Cache | None,
        num_past: int,
    ) -> Tensor:
        """Attend to the prompt and causally to the suffix itself; hidden is packed [N, D]."""
        num_key_heads, num_tokens = self.shape.num_key_value_heads, places.sizes[2]
        key = places.spread(self.k_norm(self._split(self.k_proj(hidden)))).permute(0, 3, 1, 2, 4)
        key = rotate(key, places.cos, places.sin)  # [P, K, G, R, d]
        value = places.spread(self._split(self.v_proj(hidden))).permute(0, 3, 1, 2, 4)
        query = places.spread(self.q_norm(self._split(self.q_proj(hidden))))  # [P, G, R, H, d]
        query = query.view(*places.sizes, num_key_heads, -1, self.shape.head_dim)
        query = query.permute(0, 3, 1, 4, 2, 5)  # [P, K, G, H / K, R, d]
        query = rotate(query, places.cos[:, :, :, None], places.sin[:, :, :, None])
        if past is not None:
            past[0][..., num_past : num_past + num_tokens, :] = key
            past[1][..., num_past : num_past + num_tokens, :] = value
            key, value = (part[..., : num_past + num_tokens, :] for part in past)
        rows = query.flatten(3, 4)
        future = _future(num_tokens, key.shape[3], rows.shape[3])
        attended = _attend_in_two_parts(rows, (key, value, future), prompt_cache, prompt_bias)
        merged = attended.view(query.shape).permute(0, 2, 4, 1, 3, 5)  # [P, G, R, K, H / K, d]
        output: Tensor = self.o_proj(places.gather(merged.flatten(3)))
        return output

    def _prompt_cache(self, hidden: Tensor, cos: Tensor, sin: Tensor) -> Cache:
        key = rotate(self.k_norm(self._split(self.k_proj(hidden))).transpose(1, 2), cos, sin)
        value = self._split(self.v_proj(hidden)).transpose(1, 2)
        # Every decoding step multiplies by these; in any other layout each would copy them first.
        return key.contiguous(), value.contiguous()

    def _split(self, projected: Tensor) -> Tensor:
        return projected.view(*projected.shape[:-1], -1, self.shape.head_dim)


def _future(num_tokens: int, num_own: int, num_rows: int) -> Tensor | None:
    """Return which of S own keys each of the rows (heads x R) must not see, or None if it sees all.

    The R tokens are the last of the S own ones.
    """
    if num_tokens <= 1:
        return None
    future = torch.ones(num_tokens, num_own, dtype=torch.bool).triu(num_own - num_tokens + 1)
    return future.repeat(num_rows // num_tokens, 1)


def _attend_in_two_parts(
    query: Tensor,
    own: tuple[Tensor, Tensor, Tensor | None] | None,
    prompt: Cache,
    prompt_bias: Tensor,
) -> Tensor:
    """Attend over prompt keys [P, K, T, d] and own keys [P, K, G, S, d] as one softmax.

    query is [P, K, G, Q, d], the Q rows being the query heads of one key head times their tokens;
    prompt_bias is [P, 1, 1, T], 0 or minus infinity. Returns the shape of query.
    """
    num_prompts, num_key_heads, *_, head_dim = query.shape
    query = query / math.sqrt(head_dim)
    flat = query.reshape(num_prompts, num_key_heads, -1, head_dim)  # [P, K, G Q, d]
    scores = flat @ prompt[0].transpose(-1, -2) + prompt_bias  # [P, K, G Q, T]
    if own is None:
        weights = scores.softmax(dim=-1)
        return (weights @ prompt[1]).view(query.shape)
    own_key, own_value, future = own
    own_scores = query @ own_key.transpose(-1, -2)  # [P, K, G, Q, S]
    if future is not None:
        own_scores = own_scores.masked_fill(future, -math.inf)
    num_parts = [scores.shape[-1], own_scores.shape[-1]]
    scores = torch.cat([scores, own_scores.flatten(2, 3)], dim=-1)
    prompt_weights, own_weights = torch.split(scores.softmax(dim=-1), num_parts, dim=-1)
    from_prompt = (prompt_weights @ prompt[1]).view(query.shape)
    own_weights = own_weights.view(*own_scores.shape)
    attended: Tensor = from_prompt + own_weights @ own_value
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

    def prompt(self, token_ids: Int[Tensor, "P T"]) -> Float[Tensor, "P T D"]:
        """Run right-padded prompts; return the final hidden states of all tokens."""
        hidden, _ = self._prompt_layers(token_ids, len(self.model.layers))
        normalised: Tensor = self.model.norm(hidden)
        return normalised

    def prompt_end(
        self, token_ids: Int[Tensor, "P T"], lengths: Int[Tensor, " P"]
    ) -> tuple[Float[Tensor, "P D"], list[Cache]]:
        """Run right-padded prompts; return the state of each last token, and each layer's cache.

        The last layer computes no other token's output: nothing reads it.
        """
        num_prompts, num_tokens = token_ids.shape
        hidden, caches = self._prompt_layers(token_ids, len(self.model.layers) - 1)
        layer, ends = self._layer(-1), lengths - 1
        attended, cache = layer.self_attn.prompt_end(
            layer.input_layernorm(hidden),
            ends,
            self.cos[:num_tokens],
            self.sin[:num_tokens],
            padding_bias(lengths, num_tokens),
        )
        last = layer.feed_forward(hidden[torch.arange(num_prompts), ends] + attended)
        return self.model.norm(last), [*caches, cache]

    def suffix(
        self,
        token_ids: Int[Tensor, "P G R"],
        positions: Int[Tensor, "P R"],
        *,
        prompt_caches: Sequence[Cache],
        prompt_bias: Float[Tensor, "P 1 1 T"],
        is_token: Bool[Tensor, "P G R"] | None = None,
        past: Sequence[Cache] | None = None,
        num_past: int = 0,
    ) -> Float[Tensor, "N D"]:
        """Run responses that continue prompts; return the final hidden states of their N tokens.

        Args:
            token_ids: the next R tokens of every response.
            positions: their places in the whole sequence.
            prompt_caches: from `prompt_end`.
            prompt_bias: from `padding_bias`.
            is_token: which of them are tokens, padding being on the right; None if all are.
            past: from `suffix_caches`, filled here; None if these are the first and only tokens.
            num_past: tokens already in `past`.
        """
        num_prompts, group_size, num_tokens = token_ids.shape
        places = SuffixPlaces(
            sizes=(num_prompts, group_size, num_tokens),
            flat=None if is_token is None else is_token.flatten().nonzero()[:, 0],
            cos=self.cos[positions][:, None, None],
            sin=self.sin[positions][:, None, None],
        )
        hidden = self.model.embed_tokens(places.gather(token_ids[..., None])[:, 0])
        for index in range(len(self.model.layers)):
            layer = self._layer(index)
            attended = layer.self_attn.suffix(
                layer.input_layernorm(hidden),
                places,
                prompt_cache=prompt_caches[index],
                prompt_bias=prompt_bias,
                past=past[index] if past is not None else None,
                num_past=num_past,
            )
            hidden = layer.feed_forward(hidden + attended)
        normalised: Tensor = self.model.norm(hidden)
        return normalised

    def suffix_caches(self, num_prompts: int, group_size: int, num_tokens: int) -> list[Cache]:
        """Return room for the keys and values of `num_tokens` tokens of every response."""
        shape = self.shape
        sizes = (num_prompts, shape.num_key_value_heads, group_size, num_tokens, shape.head_dim)
        return [
            (torch.empty(sizes, dtype=self.cos.dtype), torch.empty(sizes, dtype=self.cos.dtype))
            for _ in range(shape.num_hidden_layers)
        ]

    def _prompt_layers(self, token_ids: Tensor, num_layers: int) -> tuple[Tensor, list[Cache]]:
        num_tokens = token_ids.shape[1]
        cos, sin = self.cos[:num_tokens], self.sin[:num_tokens]
        hidden = self.model.embed_tokens(token_ids)
        caches: list[Cache] = []
        for index in range(num_layers):
            layer = self._layer(index)
            attended, cache = layer.self_attn.prompt(layer.input_layernorm(hidden), cos, sin)
            hidden = layer.feed_forward(hidden + attended)
            caches.append(cache)
        return hidden, caches

    def _layer(self, index: int) -> Layer:
        layer = self.model.layers[index]
        assert isinstance(layer, Layer)
        return layer


def padding_bias(lengths: Int[Tensor, " P"], num_tokens: int) -> Float[Tensor, "P 1 1 T"]:
    """Return 0 where a right-padded prompt has a token and minus infinity where it has none."""
    is_token: Bool[Tensor, "P T"] = (
        torch.arange(num_tokens, device=lengths.device) < lengths[:, None]
    )
    bias = torch.zeros(is_token.shape, device=lengths.device).masked_fill(~is_token, -math.inf)
    return bias[:, None, None]
