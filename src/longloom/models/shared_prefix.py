"""The attention plan of training: every prompt once, its responses over its keys.

Packed tokens: beginnings, then contexts, then responses, each in the order of what they continue. A
*context* is a prompt without its last token; a response begins with that last token and ends
before its own last one, so that each of its tokens predicts the next. Contexts of different prompts
may have a *beginning* in common: it is computed once, and a context is what follows it. Beginnings
attend to themselves, a context to its beginning and itself, a response to both of them and itself,
all causally. A response without a context (an empty prompt but for one token) attends to itself
alone, and a context without responses is a plain row.

Nothing but attention sees padding, and no mask over the whole length is built. Of attention, only
packed queries, keys, values, outputs and normalisers are kept for the backward pass.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from longloom.models.attention import attention_part, attention_part_backward, merge_parts
from longloom.models.padded_rows import Block, PaddedRows, similar_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """Tokens that several contexts begin with."""

    num_tokens: int
    """How many."""
    num_contexts: int
    """How many contexts continue it."""


class SharedPrefix:
    """Attends packed beginnings, contexts and responses (see `network.Attend`)."""

    positions: Int[Tensor, " N"]
    """Place of each token within its own prompt and response."""
    num_context_tokens: int
    """Tokens of beginnings and contexts; those of the responses come after them."""

    def __init__(
        self,
        context_lengths: Sequence[int],
        response_lengths: Sequence[Sequence[int]],
        *,
        beginnings: Sequence[Beginning] = (),
        device: torch.device,
    ) -> None:
        """Lay out the packed tokens.

        Args:
            context_lengths: tokens of each of P contexts, without its beginning; 0 for responses
                without one.
            response_lengths: tokens of each response, group by group.
            beginnings: what the first contexts continue, in order; the others continue nothing.
            device: where the tokens are.
        """
        begun = [each.num_tokens for each in beginnings]
        lengths = [length for group in response_lengths for length in group]
        groups = [sum(group) for group in response_lengths]
        self.num_context_tokens = sum(begun) + sum(context_lengths)
        self._spans = _spans(begun, context_lengths, lengths)
        self.positions = _positions(context_lengths, response_lengths, beginnings).to(device)
        own = (begun, context_lengths, lengths)
        # (level of the queries, level of the keys): queries and keys of each row
        rows = {(level, level): (row, row) for level, row in enumerate(own)}
        rows[1, 0] = (_sums(context_lengths, beginnings), begun)
        rows[2, 0] = (_sums(groups, beginnings), begun)
        rows[2, 1] = (groups, context_lengths)
        self._parts = {
            levels: _Part(queries, keys, is_causal=levels[0] == levels[1], device=device)
            for levels, (queries, keys) in rows.items()
            if sum(queries) and sum(keys)
        }

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
        outputs, normalisers = [], []
        for level in range(len(self._spans)):
            found: tuple[Tensor, Tensor] | None = None
            for part, queries, keys in self._calls(query, key, level):
                other = part.attend(query[queries], key[keys], value[keys])
                found = other if found is None else _merge_first(*found, *other)
            if found is not None:
                outputs.append(found[0])
                normalisers.append(found[1])
        if not outputs:
            return query.clone(), query[..., 0]
        if len(outputs) == 1:
            return outputs[0], normalisers[0]
        return torch.cat(outputs), torch.cat(normalisers)

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
        grad_query, grad_key, grad_value = map(torch.zeros_like, (query, key, value))
        for level in range(len(self._spans)):
            for part, queries, keys in self._calls(query, key, level):
                grads = part.attend_backward(
                    grad[queries], query[queries], key[keys], value[keys],
                    output[queries], normaliser[queries],
                )  # fmt: skip
                grad_query[queries] += grads[0]
                grad_key[keys] += grads[1]
                grad_value[keys] += grads[2]
        return grad_query, grad_key, grad_value

    def _calls(
        self, query: Tensor, key: Tensor, level: int
    ) -> Iterator[tuple["_Part", slice, slice]]:
        """Yield what the queries of a level attend to: themselves first, then what they continue.

        The slices are those of the packed queries and keys. Queries that are left out attend to
        nothing. Only the first rows of a level continue a beginning.
        """
        start = self._spans[level].start - (len(key) - len(query))
        for under in range(level, -1, -1):
            part = self._parts.get((level, under))
            if part is not None and start >= 0:
                yield part, slice(start, start + part.num_queries), self._spans[under]


def _spans(*lengths: Sequence[int]) -> list[slice]:
    """Return where beginnings, contexts and responses stand among the packed tokens."""
    ends = list(accumulate(map(sum, lengths)))
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def _sums(lengths: Sequence[int], beginnings: Sequence[Beginning]) -> list[int]:
    """Return how many tokens continue each beginning, of those of each context."""
    rest = iter(lengths)
    return [sum(next(rest) for _ in range(each.num_contexts)) for each in beginnings]


def _positions(
    context_lengths: Sequence[int],
    response_lengths: Sequence[Sequence[int]],
    beginnings: Sequence[Beginning],
) -> Int[Tensor, " N"]:
    begun = [each.num_tokens for each in beginnings for _ in range(each.num_contexts)]
    begun += [0] * (len(context_lengths) - len(begun))
    rows = list(zip(begun, context_lengths, response_lengths, strict=True))
    return torch.cat(
        [torch.arange(each.num_tokens) for each in beginnings]
        + [torch.arange(start, start + context) for start, context, _ in rows]
        + [
            torch.arange(start + context, start + context + length)
            for start, context, group in rows
            for length in group
        ]
    )


def _merge_first(
    output: Tensor, normaliser: Tensor, other_output: Tensor, other_normaliser: Tensor
) -> tuple[Tensor, Tensor]:
    """Merge a part that the first tokens alone have."""
    count = len(other_output)
    first = merge_parts(output[:count], normaliser[:count], other_output, other_normaliser)
    if count == len(output):
        return first
    return torch.cat([first[0], output[count:]]), torch.cat([first[1], normaliser[count:]])


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
        self.num_queries = sum(num_queries)
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
