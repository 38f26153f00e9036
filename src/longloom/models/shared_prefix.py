"""The attention plan of training: every prompt once, its responses over its keys.

Packed tokens: all contexts first, one after the other, then all responses, group after group. A
*context* is a prompt without its last token; a response begins with that last token and ends
before its own last one, so that each of its tokens predicts the next. Contexts attend to
themselves; a response attends to its context and to itself, both causally. A response without a
context (an empty prompt but for one token) attends to itself alone, and a context without
responses is a plain row.

Nothing but attention sees padding, and no mask over the whole length is built. Of attention, only
packed queries, keys, values, outputs and normalisers are kept for the backward pass.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from longloom.models.attention import attention_part, attention_part_backward, merge_parts
from longloom.models.padded_rows import Block, PaddedRows, similar_rows


class SharedPrefix:
    """Attends packed contexts and responses (see `network.Attend`)."""

    positions: Int[Tensor, " N"]
    """Place of each token within its own prompt and response."""

    def __init__(
        self,
        context_lengths: Sequence[int],
        response_lengths: Sequence[Sequence[int]],
        *,
        device: torch.device,
    ) -> None:
        """Lay out the packed tokens.

        Args:
            context_lengths: tokens of each of P contexts; 0 for responses without one.
            response_lengths: tokens of each response, group by group.
            device: where the tokens are.
        """
        lengths = [length for group in response_lengths for length in group]
        groups = [sum(group) for group in response_lengths]
        self.num_context_tokens = sum(context_lengths)
        self._num_response_tokens = sum(lengths)
        self._contexts = _Part(context_lengths, context_lengths, is_causal=True, device=device)
        self._responses = _Part(lengths, lengths, is_causal=True, device=device)
        self._crossing = _Part(groups, context_lengths, is_causal=False, device=device)
        self.positions = torch.cat(
            [torch.arange(length) for length in context_lengths]
            + [
                torch.arange(context, context + length)
                for context, group in zip(context_lengths, response_lengths, strict=True)
                for length in group
            ]
        ).to(device)

    def __call__(
        self,
        layer: int,
        query: Float[Tensor, "Q H d"],
        key: Float[Tensor, "N K d"],
        value: Float[Tensor, "N K d"],
    ) -> Float[Tensor, "Q H d"]:
        """Attend; queries of the contexts may be left out (see `network.Attend`)."""
        attended: Tensor = _Attention.apply(query, key, value, self)  # type: ignore[no-untyped-call]
        return attended

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor
    ) -> tuple[Float[Tensor, "Q H d"], Float[Tensor, "Q H"]]:
        """Return the output and its normaliser, without gradient."""
        start, split = self._starts(query, key)
        parts = []
        if split:
            parts.append(self._contexts.attend(query[:split], key[:start], value[:start]))
        if self._num_response_tokens:
            part = self._responses.attend(query[split:], key[start:], value[start:])
            if start:
                other = self._crossing.attend(query[split:], key[:start], value[:start])
                part = merge_parts(*part, *other)
            parts.append(part)
        if not parts:
            return query.clone(), query[..., 0]
        if len(parts) == 1:
            return parts[0]
        return torch.cat([output for output, _ in parts]), torch.cat([sums for _, sums in parts])

    def attend_backward(
        self,
        grad: Tensor,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        output: Tensor,
        normaliser: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of query, key and value."""
        start, split = self._starts(query, key)
        grad_query, grad_key, grad_value = map(torch.zeros_like, (query, key, value))
        calls = (
            (self._contexts, slice(0, split), slice(0, start)),
            (self._responses, slice(split, None), slice(start, None)),
            (self._crossing, slice(split, None), slice(0, start)),
        )
        for part, queries, keys in calls:
            if not (len(query[queries]) and len(key[keys])):
                continue
            grads = part.attend_backward(
                grad[queries], query[queries], key[keys], value[keys],
                output[queries], normaliser[queries],
            )  # fmt: skip
            grad_query[queries] += grads[0]
            grad_key[keys] += grads[1]
            grad_value[keys] += grads[2]
        return grad_query, grad_key, grad_value

    def _starts(self, query: Tensor, key: Tensor) -> tuple[int, int]:
        """Return where responses start among keys and among queries."""
        return self.num_context_tokens, self.num_context_tokens - (len(key) - len(query))


class _Part:
    """Rows of queries, each over a row of keys."""

    def __init__(
        self,
        num_queries: Sequence[int],
        num_keys: Sequence[int],
        *,
        is_causal: bool,
        device: torch.device,
    ) -> None:
        blocks = similar_rows(num_queries, num_keys)
        self._queries = PaddedRows(num_queries, blocks, device=device)
        self._keys = self._queries if is_causal else PaddedRows(num_keys, blocks, device=device)
        self._is_causal = is_causal

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        parts = [
            attention_part(
                queries.spread(query), keys.spread(key), keys.spread(value), **self._masking(keys)
            )
            for queries, keys in self._blocks()
        ]
        outputs, normalisers = zip(*parts, strict=True)
        return self._queries.join(outputs), self._queries.join(normalisers)

    def attend_backward(
        self,
        grad: Tensor,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        output: Tensor,
        normaliser: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        parts = [
            attention_part_backward(
                queries.spread_gradient(grad),
                queries.spread(query),
                keys.spread(key),
                keys.spread(value),
                queries.spread(output),
                queries.spread(normaliser),
                **self._masking(keys),
            )
            for queries, keys in self._blocks()
        ]
        grad_query, grad_key, grad_value = zip(*parts, strict=True)
        return (
            self._queries.join(grad_query),
            self._keys.join(grad_key),
            self._keys.join(grad_value),
        )

    def _blocks(self) -> Iterator[tuple[Block, Block]]:
        return zip(self._queries.blocks, self._keys.blocks, strict=True)

    def _masking(self, keys: Block) -> dict[str, Any]:
        if self._is_causal:  # padded queries come last and see nothing new
            return {"is_causal": True}
        return {"key_lengths": keys.padded_lengths}


class _Attention(torch.autograd.Function):
    """Attention of one layer as one step of autograd."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, plan: SharedPrefix) -> Tensor:
        output, normaliser = plan.attend(query, key, value)
        ctx.save_for_backward(query, key, value, output, normaliser)
        ctx.plan = plan
        return output

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        plan: SharedPrefix = ctx.plan
        return *plan.attend_backward(grad.contiguous(), *ctx.saved_tensors), None
