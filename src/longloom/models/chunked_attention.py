"""Attention and its normaliser by matrix products, some queries at a time.

For devices and types without a kernel that gives the normaliser. Scores are formed in at least
fp32, at most `chunk_scores` at once, forward and again backward; none are kept.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

CHUNK_SCORES = 1 << 24
"""Scores formed at once, all rows and heads together: 64 MB in fp32."""


def chunked_attention(
    query: Float[Tensor, "B H Q d"],
    key: Float[Tensor, "B K S d"],
    value: Float[Tensor, "B K S d"],
    *,
    is_causal: bool,
    chunk_scores: int = CHUNK_SCORES,
) -> tuple[Float[Tensor, "B H Q d"], Float[Tensor, "B H Q"]]:
    """Return output and normaliser; see `attention.attention_part`."""
    folded, key, value = _fold(query, key), _widen(key), _widen(value)
    output, normaliser = torch.empty_like(folded), torch.empty_like(folded[..., 0])
    for chunk, num_seen in _chunks(query, key, is_causal, chunk_scores):
        scores = _scores(folded, key, chunk, num_seen, is_causal=is_causal)
        normaliser[:, :, :, chunk] = scores.logsumexp(dim=-1)
        weights = scores.sub_(normaliser[:, :, :, chunk, None]).exp_()
        output[:, :, :, chunk] = weights @ value[:, :, None, :num_seen]
    return output.flatten(1, 2).to(query.dtype), normaliser.flatten(1, 2)


def chunked_attention_backward(
    grad: Float[Tensor, "B H Q d"],
    query: Float[Tensor, "B H Q d"],
    key: Float[Tensor, "B K S d"],
    value: Float[Tensor, "B K S d"],
    output: Float[Tensor, "B H Q d"],
    normaliser: Float[Tensor, "B H Q"],
    *,
    is_causal: bool,
    chunk_scores: int = CHUNK_SCORES,
) -> tuple[Float[Tensor, "B H Q d"], Float[Tensor, "B K S d"], Float[Tensor, "B K S d"]]:
    """Return the gradients of query, key and value; see `attention.attention_part_backward`."""
    dtype, scale = query.dtype, query.shape[-1] ** -0.5
    folded_grad, folded = _fold(grad, key), _fold(query, key)
    expected = (folded_grad * _fold(output, key)).sum(dim=-1, keepdim=True)
    normaliser = _fold(normaliser[..., None], key)
    key, value = _widen(key), _widen(value)
    grad_query, grad_key, grad_value = map(torch.zeros_like, (folded, key, value))
    for chunk, num_seen in _chunks(query, key, is_causal, chunk_scores):
        scores = _scores(folded, key, chunk, num_seen, is_causal=is_causal)
        weights = scores.sub_(normaliser[:, :, :, chunk]).exp_()
        rows = folded_grad[:, :, :, chunk]
        grad_value[:, :, :num_seen] += (weights.mT @ rows).sum(dim=2)
        grad_scores = rows @ value[:, :, None, :num_seen].mT
        grad_scores.sub_(expected[:, :, :, chunk]).mul_(weights).mul_(scale)
        grad_query[:, :, :, chunk] = grad_scores @ key[:, :, None, :num_seen]
        grad_key[:, :, :num_seen] += (grad_scores.mT @ folded[:, :, :, chunk]).sum(dim=2)
    return grad_query.flatten(1, 2).to(dtype), grad_key.to(dtype), grad_value.to(dtype)


def _chunks(
    query: Tensor, key: Tensor, is_causal: bool, chunk_scores: int
) -> Iterator[tuple[slice, int]]:
    """Yield queries, and how many keys they see."""
    num_rows, num_heads, num_queries, _ = query.shape
    step = max(1, chunk_scores // (num_rows * num_heads * key.shape[2]))
    for start in range(0, num_queries, step):
        stop = min(start + step, num_queries)
        yield slice(start, stop), min(stop, key.shape[2]) if is_causal else key.shape[2]


def _scores(
    folded: Tensor, key: Tensor, chunk: slice, num_seen: int, *, is_causal: bool
) -> Float[Tensor, "B K R C S"]:
    scores = folded[:, :, :, chunk] @ key[:, :, None, :num_seen].mT
    scores.mul_(key.shape[-1] ** -0.5)
    if is_causal:
        places = torch.arange(chunk.stop, device=key.device)
        scores.masked_fill_(places[:num_seen] > places[chunk, None], -torch.inf)
    return scores


def _fold(heads: Tensor, key: Tensor) -> Float[Tensor, "B K R Q d"]:
    """Put the R query heads of a key head side by side."""
    num_rows, num_heads, *rest = heads.shape
    num_key_heads = key.shape[1]
    return _widen(heads).reshape(num_rows, num_key_heads, num_heads // num_key_heads, *rest)


def _widen(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
