"""Log-probabilities and entropies from hidden states, without keeping the logits.

Logits are formed for some tokens and some of the vocabulary at a time, with running sums over the
vocabulary; the backward pass forms them again. So the cost is four matrix products of the head's
size, and beside inputs and gradients the memory does not grow with N or V. In half precision one
more N x D is kept in fp32, where the gradient of the hidden states is summed.

Logits are in bits (times the logarithm of e to base 2): `exp2` takes a quarter of the time of `exp`
and does not slow down where its result underflows.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_CPU_TILE = (1024, 2048)
"""Tokens and vocabulary of one tile of logits: 8 MB in fp32, much of which stays in the cache."""
_DEVICE_TILE = (4096, 16_384)
"""The same where launching kernels costs more: 256 MB in fp32."""
_HALF = (torch.bfloat16, torch.float16)
_LOWEST = -1e30
"""Below every logit; finite, so that 0 times it is 0."""


def logprobs_and_entropies(
    hidden: Float[Tensor, "N D"],
    head_weight: Float[Tensor, "V D"],
    targets: Int[Tensor, " N"],
    *,
    temperature: float,
    tile: tuple[int, int] | None = None,
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
    """Return the log-probability of each target (with gradient) and the entropy in nats (without).

    Logits are divided by `temperature` before both; entropies are over the full vocabulary. Both
    are fp32 where hidden states are bf16 or fp16.

    Args:
        hidden: final hidden states.
        head_weight: output matrix, of the same type.
        targets: the tokens to score.
        temperature: divides the logits.
        tile: tokens and vocabulary of the logits formed at once; None is right for the device.
    """
    if tile is None:
        tile = _CPU_TILE if hidden.device.type == "cpu" else _DEVICE_TILE
    logprobs, entropies = _LogprobHead.apply(  # type: ignore[no-untyped-call]
        hidden, head_weight, targets, math.log2(math.e) / temperature, tile
    )
    return logprobs, entropies


class _LogprobHead(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        head_weight: Tensor,
        targets: Tensor,
        scale: float,
        tile: tuple[int, int],
    ) -> tuple[Tensor, Tensor]:
        dtype = torch.promote_types(hidden.dtype, torch.float32)
        sums = hidden.new_zeros(4, len(hidden), dtype=dtype)
        highest, total, expected, picked = sums
        highest.fill_(_LOWEST)
        for words, weight in _pieces(head_weight, tile[1]):
            for tokens, states in _pieces(hidden, tile[0]):
                logits = _product(states, weight.T).mul_(scale)
                local, is_here = _places(targets[tokens], words)
                found = logits.gather(1, local)[:, 0]
                picked[tokens] = torch.where(is_here, found, picked[tokens])
                before = highest[tokens]
                height = torch.maximum(before, logits.amax(dim=1))
                gap = before - height
                logits.sub_(height[:, None])
                weights = logits.exp2()
                # Sums so far are those of exp2(logit - before), times what is left of them.
                kept = total[tokens] * gap.exp2()
                expected[tokens] = expected[tokens] * gap.exp2() + kept * gap
                expected[tokens] += logits.mul_(weights).sum(dim=1)
                total[tokens] = kept + weights.sum(dim=1)
                highest[tokens] = height
        normalisers = total.log2() + highest
        entropies = (total.log2() - expected / total) * math.log(2)
        logprobs = (picked - normalisers) * math.log(2)
        ctx.save_for_backward(hidden, head_weight, targets, normalisers)
        ctx.scale, ctx.tile = scale, tile
        ctx.mark_non_differentiable(entropies)
        return logprobs, entropies

    @staticmethod
    def backward(
        ctx: Any, grad_logprobs: Tensor, _grad_entropies: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        hidden, head_weight, targets, normalisers = ctx.saved_tensors
        grad_hidden, grad_weight = (
            torch.zeros_like(tensor, dtype=kept) if needed else None
            for tensor, kept, needed in zip(
                (hidden, head_weight),
                (normalisers.dtype, head_weight.dtype),
                ctx.needs_input_grad[:2],
                strict=True,
            )
        )
        # d logprob / d logits = onehot(target) - softmax, and logits = scale * ln 2 * the product
        factor = grad_logprobs * (ctx.scale * math.log(2))
        for words, weight in _pieces(head_weight, ctx.tile[1]):
            tile_grad = weight.new_zeros(weight.shape, dtype=normalisers.dtype)
            for tokens, states in _pieces(hidden, ctx.tile[0]):
                logits = _product(states, weight.T).mul_(ctx.scale)
                grad = logits.sub_(normalisers[tokens, None]).exp2_().mul_(-factor[tokens, None])
                local, is_here = _places(targets[tokens], words)
                grad.scatter_add_(1, local, torch.where(is_here, factor[tokens], 0)[:, None])
                grad = grad.to(weight.dtype)
                if grad_hidden is not None:
                    _add_product(grad_hidden[tokens], grad, weight)
                if grad_weight is not None:
                    _add_product(tile_grad, grad.T, states)
            if grad_weight is not None:
                grad_weight[words] = tile_grad
        if grad_hidden is not None:
            grad_hidden = grad_hidden.to(hidden.dtype)
        return grad_hidden, grad_weight, None, None, None


def _pieces(rows: Tensor, num_rows: int) -> Iterator[tuple[slice, Tensor]]:
    """Yield slices of rows, in the type in which they are multiplied."""
    is_half = rows.dtype in _HALF
    for start in range(0, len(rows), num_rows):
        piece = slice(start, min(start + num_rows, len(rows)))
        # On CUDA products of half precision sum in fp32 and give it; elsewhere they would round.
        yield piece, rows[piece].float() if is_half and not rows.is_cuda else rows[piece]


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Return the matrix product in at least fp32."""
    if left.dtype in _HALF:
        return torch.mm(left, right, out_dtype=torch.float32)
    return left @ right


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    if left.dtype in _HALF:
        total += _product(left, right)
    else:
        total.addmm_(left, right)


def _places(targets: Tensor, words: slice) -> tuple[Int[Tensor, "C 1"], Bool[Tensor, " C"]]:
    """Return where in this part of the vocabulary the targets are, and which are in it."""
    local = targets - words.start
    is_here = (local >= 0) & (targets < words.stop)
    return local.clamp_(0, words.stop - words.start - 1)[:, None], is_here
