"""Log-probabilities and entropies from hidden states, without keeping the logits.

The forward pass forms `chunk_tokens` x V logits at a time; the backward pass forms them again. So
the cost is four matrix products of the head's size and the memory does not grow with N.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor


def logprobs_and_entropies(
    hidden: Float[Tensor, "N D"],
    head_weight: Float[Tensor, "V D"],
    targets: Int[Tensor, " N"],
    *,
    temperature: float,
    chunk_tokens: int = 512,
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
    """Return the log-probability of each target (with gradient) and the entropy in nats (without).

    Logits are divided by `temperature` before both; entropies are over the full vocabulary.
    """
    logprobs, entropies = _LogprobHead.apply(  # type: ignore[no-untyped-call]
        hidden, head_weight, targets, temperature, chunk_tokens
    )
    return logprobs, entropies


class _LogprobHead(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        head_weight: Tensor,
        targets: Tensor,
        temperature: float,
        chunk_tokens: int,
    ) -> tuple[Tensor, Tensor]:
        num_tokens = hidden.shape[0]
        logprobs = hidden.new_empty(num_tokens)
        entropies = hidden.new_empty(num_tokens)
        normalisers = hidden.new_empty(num_tokens)
        for start in range(0, num_tokens, chunk_tokens):
            chunk = slice(start, start + chunk_tokens)
            logits = (hidden[chunk] / temperature) @ head_weight.T
            picked = logits.gather(-1, targets[chunk, None])[:, 0]
            highest = logits.amax(dim=-1)
            shifted = logits.sub_(highest[:, None])
            weights = shifted.exp()
            total = weights.sum(dim=-1)
            expected = weights.mul_(shifted).sum(dim=-1) / total
            normalisers[chunk] = total.log() + highest
            entropies[chunk] = total.log() - expected
            logprobs[chunk] = picked - normalisers[chunk]
        ctx.save_for_backward(hidden, head_weight, targets, normalisers)
        ctx.temperature, ctx.chunk_tokens = temperature, chunk_tokens
        ctx.mark_non_differentiable(entropies)
        return logprobs, entropies

    @staticmethod
    def backward(
        ctx: Any, grad_logprobs: Tensor, _grad_entropies: Tensor
    ) -> tuple[Tensor, Tensor, None, None, None]:
        hidden, head_weight, targets, normalisers = ctx.saved_tensors
        grad_hidden = torch.empty_like(hidden)
        grad_weight = torch.zeros_like(head_weight)
        for start in range(0, hidden.shape[0], ctx.chunk_tokens):
            chunk = slice(start, start + ctx.chunk_tokens)
            scaled = hidden[chunk] / ctx.temperature
            logits = scaled @ head_weight.T
            # d logprob / d logits = onehot(target) - softmax
            grad_logits = logits.sub_(normalisers[chunk, None]).exp_()
            grad_logits.mul_(-grad_logprobs[chunk, None])
            grad_logits.scatter_add_(-1, targets[chunk, None], grad_logprobs[chunk, None])
            grad_hidden[chunk] = grad_logits @ head_weight / ctx.temperature
            grad_weight.addmm_(grad_logits.T, scaled)
        return grad_hidden, grad_weight, None, None, None
