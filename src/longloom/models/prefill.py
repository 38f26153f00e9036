"""Run prompts into caches, a bounded number of tokens at a time.

One pass packs as many prompts as fit, or a piece of a long one, which attends to the pieces before
it through the cache. Only the last token of a prompt has an output anybody reads: these tokens are
packed at the end, so that in the last layer the network computes nothing else but keys and values.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from longloom.models.attention import attention_part, merge_parts
from longloom.models.decoding import Cache
from longloom.models.network import SampledNetwork

PASS_TOKENS = 4_096
"""Tokens computed at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The tokens `start` to `end` of a prompt; the last is packed at the end of the pass."""

    prompt: Sequence[int]
    """Tokens of the whole prompt."""
    caches: Sequence[Cache]
    """The prompt's keys and values of each layer [1, K, T, d], those before `start` filled."""
    start: int
    """First token."""
    end: int
    """After the last token."""

    @property
    def body(self) -> slice:
        """The tokens that are packed in the front."""
        return slice(self.start, self.end - 1)


def prefill(
    network: SampledNetwork,
    prompts: Sequence[Sequence[int]],
    caches: Sequence[Cache],
    *,
    pass_tokens: int = PASS_TOKENS,
) -> Float[Tensor, "P D"]:
    """Fill the caches with the prompts; return the final hidden state of each last token.

    Args:
        network: what is run.
        prompts: the tokens of P prompts, at least one each.
        caches: keys and values of each layer [P, K, T, d]; T is the longest prompt.
        pass_tokens: bounds the memory of activations.
    """
    states: list[Tensor] = []
    for pieces in _passes(prompts, caches, pass_tokens):
        ends = run_pieces(network, pieces)
        states.extend(
            state
            for state, piece in zip(ends, pieces, strict=True)
            if piece.end == len(piece.prompt)
        )
    return torch.stack(states)


def run_pieces(network: SampledNetwork, pieces: Sequence[Piece]) -> Float[Tensor, "P D"]:
    """Fill the caches of P pieces in one pass; return the hidden state of each last token."""
    device = network.device
    tokens = [token for piece in pieces for token in piece.prompt[piece.body]]
    num_silent = len(tokens)
    tokens += [piece.prompt[piece.end - 1] for piece in pieces]
    positions = [torch.arange(piece.body.start, piece.body.stop) for piece in pieces]
    positions.append(torch.tensor([piece.body.stop for piece in pieces]))
    return network.hidden(
        torch.tensor(tokens, device=device),
        torch.cat(positions).to(device),
        _PromptPass(pieces),
        num_silent=num_silent,
    )


def _passes(
    prompts: Sequence[Sequence[int]], caches: Sequence[Cache], pass_tokens: int
) -> Iterator[list[Piece]]:
    """Yield the pieces of each pass; a prompt is cut only if it is longer than a pass."""
    pieces: list[Piece] = []
    room = pass_tokens
    for index, prompt in enumerate(prompts):
        own = [(key[index : index + 1], value[index : index + 1]) for key, value in caches]
        for start in range(0, len(prompt), pass_tokens):
            end = min(start + pass_tokens, len(prompt))
            if end - start > room:
                yield pieces
                pieces, room = [], pass_tokens
            pieces.append(Piece(prompt=prompt, caches=own, start=start, end=end))
            room -= end - start
    if pieces:
        yield pieces


class _PromptPass:
    """Attention within one pass (see `network.Attend`)."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        bodies = [piece.body.stop - piece.body.start for piece in pieces]
        self._sizes = [*bodies, *[1] * len(pieces)]

    def __call__(
        self,
        layer: int,
        query: Float[Tensor, "Q H d"],
        key: Float[Tensor, "N K d"],
        value: Float[Tensor, "N K d"],
    ) -> Float[Tensor, "Q H d"]:
        """Store keys and values, then attend; with the last tokens alone if only they ask."""
        num_pieces = len(self._pieces)
        for place, packed in enumerate((key, value)):
            parts = packed.split_with_sizes(self._sizes)
            for index, piece in enumerate(self._pieces):
                kept = piece.caches[layer][place]
                kept[0, :, piece.body] = parts[index].transpose(0, 1)
                kept[0, :, piece.body.stop] = parts[num_pieces + index][0]
        if query.shape[0] < key.shape[0]:
            alone = [
                _attend(query[index : index + 1], piece.caches[layer], piece.body.stop)
                for index, piece in enumerate(self._pieces)
            ]
            return torch.cat(alone)
        parts = query.split_with_sizes(self._sizes)
        bodies, ends = [], []
        for index, piece in enumerate(self._pieces):
            rows = torch.cat([parts[index], parts[num_pieces + index]])
            attended = _attend(rows, piece.caches[layer], piece.start)
            bodies.append(attended[:-1])
            ends.append(attended[-1:])
        return torch.cat(bodies + ends)


def _attend(rows: Tensor, cache: Cache, start: int) -> Tensor:
    """Attend with a prompt's tokens from `start` on [n, H, d]; their keys are stored already."""
    query, end = rows.transpose(0, 1)[None], start + rows.shape[0]
    key, value = (part[:, :, :end] for part in cache)
    if start == 0 or rows.shape[0] == 1:
        attended = functional.scaled_dot_product_attention(
            query,
            key,
            value,
            is_causal=rows.shape[0] > 1,
            enable_gqa=query.shape[1] != key.shape[1],
        )
        return attended[0].transpose(0, 1)
    before = attention_part(query, key[:, :, :start], value[:, :, :start])
    within = attention_part(query, key[:, :, start:], value[:, :, start:], is_causal=True)
    attended, _ = merge_parts(*within, *before)
    return attended[0].transpose(0, 1)
