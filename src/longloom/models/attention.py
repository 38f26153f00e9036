"""Attention with its normaliser, so that parts of one softmax can be computed apart.

Keys may be split into parts (a shared prompt, a sequence's own tokens). Each part gives its output
and the logarithm of its normaliser; weighting by the normalisers gives the softmax over all keys.
Going back, each part's gradients come from the kernel's own backward pass when it is told the
whole's output and normaliser instead of the part's, as in ring attention (arXiv 2310.01889). So
nothing of the size queries x keys is ever kept, on any device.

Kernels: torch's flash attention on CPU (any dtype) and on CUDA (bf16 and fp16); elsewhere chunked
matrix products.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

_CHUNK_SCORES = 1 << 24
"""Scores formed at once where no kernel fits: 64 MB in fp32."""
_HIDDEN = -1e30
"""Added to the scores of keys that do not count."""


def attention_part(
    query: Float[Tensor, "B H Q d"],
    key: Float[Tensor, "B K S d"],
    value: Float[Tensor, "B K S d"],
    *,
    is_causal: bool = False,
    key_mask: Bool[Tensor, "B S"] | None = None,
) -> tuple[Float[Tensor, "B H Q d"], Float[Tensor, "B H Q"]]:
    """Return the output over these keys and the logarithm of its normaliser, without gradient.

    Args:
        query: rotated queries; H is a multiple of K.
        key: rotated keys.
        value: values.
        is_causal: query i sees keys 0..i.
        key_mask: True where a key counts; None if all do. Not together with `is_causal`.
    """
    if query.device.type == "cpu":
        output, normaliser = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            query, key, value, 0.0, is_causal, attn_mask=_bias(key_mask, query.dtype)
        )
        return output, normaliser
    raise NotImplementedError


def attention_part_backward(
    grad: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    output: Tensor,
    normaliser: Tensor,
    *,
    is_causal: bool = False,
    key_mask: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of query, key and value of one part.

    `output` and `normaliser` are those of the whole softmax, which may have more parts.
    """
    if query.device.type == "cpu":
        grads: tuple[Tensor, Tensor, Tensor] = (
            torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward(
                grad, query, key, value, output, normaliser, 0.0, is_causal,
                attn_mask=_bias(key_mask, query.dtype),
            )
        )  # fmt: skip
        return grads
    raise NotImplementedError


def _bias(key_mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    if key_mask is None:
        return None
    # Finite, so that a row without any key gets a weight of 0 in a merge and not a NaN.
    bias = torch.zeros(key_mask.shape, dtype=dtype, device=key_mask.device)
    return bias.masked_fill(~key_mask, _HIDDEN)[:, None, None]
