"""Attention with its normaliser, so that parts of one softmax can be computed apart.

Keys may be split into parts (a shared prompt, a sequence's own tokens). Each part gives its output
and the logarithm of its normaliser; `merge_parts` gives the softmax over all keys. Going back, each
part's gradients come from the kernel's own backward pass when it is told the whole's output and
normaliser instead of the part's, as in ring attention (arXiv 2310.01889). So nothing of the size
queries x keys is ever kept, on any device.

Kernels: torch's flash attention on CPU (any type) and on CUDA (bf16 and fp16); elsewhere chunked
matrix products (`chunked_attention`), with one warning. All of them share key heads among query
heads by themselves.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from longloom.models.chunked_attention import chunked_attention, chunked_attention_backward

_HIDDEN = -1e30
"""Score of keys that do not count. Finite: a row without any key then has a normaliser of about
this much, and so no weight in a merge, and no NaN."""
_CUDA_HEAD_MULTIPLE = 8
"""What the CUDA kernel needs the width of a head to be a multiple of."""
_CUDA_HEAD_LIMIT = 256
"""The widest head of the CUDA kernel."""


def attention_part(
    query: Float[Tensor, "B H Q d"],
    key: Float[Tensor, "B K S d"],
    value: Float[Tensor, "B K S d"],
    *,
    is_causal: bool = False,
    key_lengths: Sequence[int] | None = None,
) -> tuple[Float[Tensor, "B H Q d"], Float[Tensor, "B H Q"]]:
    """Return the output over these keys and the logarithm of its normaliser, without gradient.

    Args:
        query: rotated queries; H is a multiple of K.
        key: rotated keys; there may be none, nor queries.
        value: values.
        is_causal: query i sees keys 0..i.
        key_lengths: how many keys of each row count, its first ones; None if all do. Not together
            with `is_causal`, which needs none: padded queries come last and see nothing new.

    Returns:
        The output, and its normaliser in at least fp32.
    """
    assert not (is_causal and key_lengths)
    if key.shape[2] == 0 or query.shape[2] == 0:
        empty = query.new_full(query.shape[:3], _HIDDEN, dtype=_score_dtype(query))
        return torch.zeros_like(query), empty
    if query.device.type == "cpu":
        output, normaliser = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            query, key, value, 0.0, is_causal, attn_mask=_bias(key_lengths, key)
        )
        return output, normaliser
    kernel = flash_cuda if has_cuda_kernel(query) else chunked_attention
    if key_lengths is not None:
        return attend_rows(kernel, query, key, value, key_lengths)
    return kernel(query, key, value, is_causal=is_causal)


def attention_part_backward(
    grad: Float[Tensor, "B H Q d"],
    query: Float[Tensor, "B H Q d"],
    key: Float[Tensor, "B K S d"],
    value: Float[Tensor, "B K S d"],
    output: Float[Tensor, "B H Q d"],
    normaliser: Float[Tensor, "B H Q"],
    *,
    is_causal: bool = False,
    key_lengths: Sequence[int] | None = None,
) -> tuple[Float[Tensor, "B H Q d"], Float[Tensor, "B K S d"], Float[Tensor, "B K S d"]]:
    """Return the gradients of query, key and value of one part.

    `output` and `normaliser` are those of the whole softmax, which may have more parts.
    """
    assert not (is_causal and key_lengths)
    if key.shape[2] == 0 or query.shape[2] == 0:
        return torch.zeros_like(query), torch.zeros_like(key), torch.zeros_like(value)
    whole = (grad, query, key, value, output, normaliser)
    if query.device.type == "cpu":
        grads: tuple[Tensor, Tensor, Tensor] = (
            torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward(
                *whole, 0.0, is_causal, attn_mask=_bias(key_lengths, key)
            )
        )
        return grads
    kernel = flash_cuda_backward if has_cuda_kernel(query) else chunked_attention_backward
    if key_lengths is not None:
        return attend_rows_backward(kernel, *whole, key_lengths)
    return kernel(*whole, is_causal=is_causal)


def merge_parts(
    output: Float[Tensor, "*places d"],
    normaliser: Float[Tensor, "*places"],
    other_output: Float[Tensor, "*places d"],
    other_normaliser: Float[Tensor, "*places"],
) -> tuple[Float[Tensor, "*places d"], Float[Tensor, "*places"]]:
    """Return the output and normaliser over the keys of two parts together."""
    weight = torch.sigmoid(other_normaliser - normaliser)[..., None]
    merged = torch.lerp(output.to(weight.dtype), other_output.to(weight.dtype), weight)
    return merged.to(output.dtype), torch.logaddexp(normaliser, other_normaliser)


def attend_rows(
    kernel: Callable[..., tuple[Tensor, Tensor]],
    query: Float[Tensor, "B H Q d"],
    key: Float[Tensor, "B K S d"],
    value: Float[Tensor, "B K S d"],
    key_lengths: Sequence[int],
) -> tuple[Float[Tensor, "B H Q d"], Float[Tensor, "B H Q"]]:
    """Call a kernel that takes no mask with the keys that count, row by row."""
    output = torch.zeros_like(query)
    normaliser = query.new_full(query.shape[:3], _HIDDEN, dtype=_score_dtype(query))
    for row, seen in _seen(key_lengths):
        output[row], normaliser[row] = kernel(query[row], key[seen], value[seen], is_causal=False)
    return output, normaliser


def attend_rows_backward(
    kernel: Callable[..., tuple[Tensor, Tensor, Tensor]],
    grad: Float[Tensor, "B H Q d"],
    query: Float[Tensor, "B H Q d"],
    key: Float[Tensor, "B K S d"],
    value: Float[Tensor, "B K S d"],
    output: Float[Tensor, "B H Q d"],
    normaliser: Float[Tensor, "B H Q"],
    key_lengths: Sequence[int],
) -> tuple[Float[Tensor, "B H Q d"], Float[Tensor, "B K S d"], Float[Tensor, "B K S d"]]:
    """Return the gradients of what `attend_rows` gives; see `attention_part_backward`."""
    grad_query, grad_key, grad_value = map(torch.zeros_like, (query, key, value))
    for row, seen in _seen(key_lengths):
        grad_query[row], grad_key[seen], grad_value[seen] = kernel(
            grad[row], query[row], key[seen], value[seen], output[row], normaliser[row],
            is_causal=False,
        )  # fmt: skip
    return grad_query, grad_key, grad_value


def has_cuda_kernel(query: Tensor) -> bool:
    """Return whether torch's flash attention on CUDA takes such queries; warn once if it does not.

    The warning gives the reason, for what runs then is slower.
    """
    reason = why_no_cuda_kernel(query.device.type, query.dtype, query.shape[-1])
    if reason:
        _warn_once(reason)
    return not reason


def why_no_cuda_kernel(device_type: str, dtype: torch.dtype, width: int) -> str:
    """Return why the kernel does not take queries of this type and width; empty if it does."""
    if device_type != "cuda":
        return f"the device is {device_type}; expected cuda"
    if dtype not in (torch.bfloat16, torch.float16):
        return f"the network computes in {dtype}; expected bfloat16 (engine.dtype) or float16"
    if width % _CUDA_HEAD_MULTIPLE or width > _CUDA_HEAD_LIMIT:
        return (
            f"heads are {width} wide; expected a multiple of {_CUDA_HEAD_MULTIPLE} of at most "
            f"{_CUDA_HEAD_LIMIT}"
        )
    return ""


@cache
def _warn_once(reason: str) -> None:
    logging.getLogger(__name__).warning(
        "attention runs as matrix products, slower than the flash kernel: %s", reason
    )


def flash_cuda(
    query: Float[Tensor, "B H Q d"],
    key: Float[Tensor, "B K S d"],
    value: Float[Tensor, "B K S d"],
    *,
    is_causal: bool,
) -> tuple[Float[Tensor, "B H Q d"], Float[Tensor, "B H Q"]]:
    """Call torch's flash attention of CUDA; see `attention_part`."""
    output, normaliser, *_ = torch.ops.aten._scaled_dot_product_flash_attention(
        query, key, value, 0.0, is_causal
    )
    return output, normaliser


def flash_cuda_backward(
    grad: Float[Tensor, "B H Q d"],
    query: Float[Tensor, "B H Q d"],
    key: Float[Tensor, "B K S d"],
    value: Float[Tensor, "B K S d"],
    output: Float[Tensor, "B H Q d"],
    normaliser: Float[Tensor, "B H Q"],
    *,
    is_causal: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Call the backward pass of torch's flash attention of CUDA; see `attention_part_backward`."""
    # Without dropout the kernel reads no random state; without cumulated lengths rows are padded.
    unread = torch.empty(2, dtype=torch.uint64, device=query.device)
    grads: tuple[Tensor, Tensor, Tensor] = (
        torch.ops.aten._scaled_dot_product_flash_attention_backward(
            grad, query, key, value, output, normaliser.contiguous(), None, None,
            query.shape[2], key.shape[2], 0.0, is_causal, unread, unread,
        )
    )  # fmt: skip
    return grads


def _seen(key_lengths: Sequence[int]) -> Iterator[tuple[slice, tuple[slice, slice, slice]]]:
    """Yield the rows that have keys, and where these are."""
    for row, length in enumerate(key_lengths):
        if length:
            this = slice(row, row + 1)
            yield this, (this, slice(None), slice(length))


def _bias(key_lengths: Sequence[int] | None, key: Tensor) -> Tensor | None:
    if key_lengths is None:
        return None
    is_hidden = torch.arange(key.shape[2]) >= torch.tensor(key_lengths)[:, None]
    bias = torch.zeros(is_hidden.shape, dtype=_score_dtype(key))
    return bias.masked_fill_(is_hidden, _HIDDEN)[:, None, None]


def _score_dtype(tensor: Tensor) -> torch.dtype:
    return torch.promote_types(tensor.dtype, torch.float32)
