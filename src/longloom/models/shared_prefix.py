"""The attention plan of training: every prompt once, its responses over its keys.

Packed tokens: all contexts first, one after the other, then all responses, group after group. A
*context* is a prompt without its last token; a response begins with that last token and ends
before its own last one, so that each of its tokens predicts the next. Contexts attend to
themselves; a response attends to its context and to itself, both causally. Responses without a
context (an empty prompt but for one token) attend to themselves alone.

Nothing but attention sees padding, and no mask over the whole length is built.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from longloom.models.attention import attention_part, attention_part_backward


@dataclass(frozen=True, slots=True, kw_only=True)
class PaddedPlaces:
    """Where packed rows stand when they are laid out as [B, L]."""

    lengths: tuple[int, ...]
    """Tokens of each row."""
    flat: Int[Tensor, " N"] | None
    """Place of each packed token in the flattened layout; None if no row is padded."""

    @classmethod
    def of(cls, lengths: Sequence[int], device: torch.device) -> "PaddedPlaces":
        """Lay out rows of these lengths, padded on the right."""
        longest = max(lengths, default=0)
        if all(length == longest for length in lengths):
            return cls(lengths=tuple(lengths), flat=None)
        pieces = [
            torch.arange(row * longest, row * longest + length)
            for row, length in enumerate(lengths)
        ]
        return cls(lengths=tuple(lengths), flat=torch.cat(pieces).to(device))

    @property
    def longest(self) -> int:
        """L."""
        return max(self.lengths, default=0)

    def mask(self, device: torch.device) -> Tensor | None:
        """Return where a token stands [B, L]; None if no row is padded."""
        if self.flat is None:
            return None
        lengths = torch.tensor(self.lengths, device=device)
        return torch.arange(self.longest, device=device) < lengths[:, None]

    def spread(self, packed: Tensor) -> Tensor:
        """Return [N, heads, ...] as [B, heads, L, ...], 0 in the padding."""
        if self.flat is not None:
            padded = packed.new_zeros(len(self.lengths) * self.longest, *packed.shape[1:])
            packed = padded.index_copy(0, self.flat, packed)
        return packed.view(len(self.lengths), self.longest, *packed.shape[1:]).transpose(1, 2)

    def gather(self, padded: Tensor) -> Tensor:
        """Return [B, heads, L, ...] as [N, heads, ...]."""
        rows = padded.transpose(1, 2).flatten(0, 1)
        return rows if self.flat is None else rows[self.flat]


class SharedPrefix:
    """Attends packed contexts and responses (see `network.Attend`)."""

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
        self._contexts = PaddedPlaces.of(context_lengths, device)
        self._groups = PaddedPlaces.of([sum(group) for group in response_lengths], device)
        self._responses = PaddedPlaces.of(lengths, device)
        self.num_context_tokens = sum(context_lengths)
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
        start = self.num_context_tokens
        num_context_queries = start - (key.shape[0] - query.shape[0])
        context_key, context_value = (self._contexts.spread(part[:start]) for part in (key, value))
        pieces = []
        if num_context_queries:
            spread = self._contexts.spread(query[:start])
            pieces.append(
                self._contexts.gather(
                    functional.scaled_dot_product_attention(
                        spread,
                        context_key,
                        context_value,
                        is_causal=True,
                        enable_gqa=query.shape[1] != key.shape[1],
                    )
                )
            )
        if key.shape[0] > start:
            attended: Tensor = _TwoParts.apply(  # type: ignore[no-untyped-call]
                query[num_context_queries:],
                key[start:],
                value[start:],
                context_key,
                context_value,
                self,
            )
            pieces.append(attended)
        return torch.cat(pieces) if len(pieces) > 1 else pieces[0]

    @cached_property
    def _context_mask(self) -> Tensor | None:
        return self._contexts.mask(self.positions.device)


class _TwoParts(torch.autograd.Function):
    """Responses over their contexts and themselves as one softmax; packed in and out."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        context_key: Tensor,
        context_value: Tensor,
        plan: SharedPrefix,
    ) -> Tensor:
        groups, responses = plan._groups, plan._responses
        own_output, own_normaliser = attention_part(
            *(responses.spread(part) for part in (query, key, value)), is_causal=True
        )
        output, normaliser = responses.gather(own_output), responses.gather(own_normaliser)
        if context_key.shape[2]:
            part, part_normaliser = attention_part(
                groups.spread(query), context_key, context_value, key_mask=plan._context_mask
            )
            part, part_normaliser = groups.gather(part), groups.gather(part_normaliser)
            whole = torch.logaddexp(normaliser, part_normaliser)
            output = output * (normaliser - whole).exp()[..., None].to(output.dtype)
            output += part * (part_normaliser - whole).exp()[..., None].to(output.dtype)
            normaliser = whole
        ctx.save_for_backward(query, key, value, context_key, context_value, output, normaliser)
        ctx.plan = plan
        return output

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, context_key, context_value, output, normaliser = ctx.saved_tensors
        plan: SharedPrefix = ctx.plan
        groups, responses = plan._groups, plan._responses
        padded = [responses.spread(part) for part in (grad, query, key, value, output, normaliser)]
        grad_query, grad_key, grad_value = (
            responses.gather(part) for part in attention_part_backward(*padded, is_causal=True)
        )
        if not context_key.shape[2]:
            return grad_query, grad_key, grad_value, None, None, None
        part_grad_query, grad_context_key, grad_context_value = attention_part_backward(
            groups.spread(grad),
            groups.spread(query),
            context_key,
            context_value,
            groups.spread(output),
            groups.spread(normaliser),
            key_mask=plan._context_mask,
        )
        grad_query = grad_query + groups.gather(part_grad_query)
        return grad_query, grad_key, grad_value, grad_context_key, grad_context_value, None
