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
from longloom.models.network import Network

PASS_TOKENS = 4_096
"""Tokens computed at once."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """The tokens `start` to `end` of a prompt; the last is packed at the end of the pass."""

    prompt: int
    """Index of the prompt."""
    start: int
    """First token."""
    end: int
    """After the last token."""

    @property
    def body(self) -> slice:
        """The tokens that are packed in the front."""
        return slice(self.start, self.end - 1)


def prefill(
    network: Network,
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
    device = network.device
    states: list[Tensor] = []
    for pieces in _passes([len(prompt) for prompt in prompts], pass_tokens):
        tokens = [token for piece in pieces for token in prompts[piece.prompt][piece.body]]
        num_silent = len(tokens)
        tokens += [prompts[piece.prompt][piece.end - 1] for piece in pieces]
        positions = [torch.arange(piece.body.start, piece.body.stop) for piece in pieces]
        positions.append(torch.tensor([piece.body.stop for piece in pieces]))
        ends = network.hidden(
            torch.tensor(tokens, device=device),
            torch.cat(positions).to(device),
            _PromptPass(pieces, caches),
            num_silent=num_silent,
        )
        states.extend(
            ends[index]
            for index, piece in enumerate(pieces)
            if piece.end == len(prompts[piece.prompt])
        )
    return torch.stack(states)


def _passes(lengths: Sequence[int], pass_tokens: int) -> Iterator[list[_Piece]]:
    """Yield the pieces of each pass; a prompt is cut only if it is longer than a pass."""
    pieces: list[_Piece] = []
    room = pass_tokens
    for prompt, length in enumerate(lengths):
        for start in range(0, length, pass_tokens):
            end = min(start + pass_tokens, length)
            if end - start > room:
                yield pieces
                pieces, room = [], pass_tokens
            pieces.append(_Piece(prompt, start, end))
            room -= end - start
    if pieces:
        yield pieces


class _PromptPass:
    """Attention within one pass (see `network.Attend`)."""

    def __init__(self, pieces: Sequence[_Piece], caches: Sequence[Cache]) -> None:
        self._pieces, self._caches = pieces, caches
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
        cache, num_pieces = self._caches[layer], len(self._pieces)
        for packed, kept in zip((key, value), cache, strict=True):
            parts = packed.split_with_sizes(self._sizes)
            for index, piece in enumerate(self._pieces):
                kept[piece.prompt, :, piece.body] = parts[index].transpose(0, 1)
                kept[piece.prompt, :, piece.body.stop] = parts[num_pieces + index][0]
        if query.shape[0] < key.shape[0]:
            alone = [
                _attend(query[index : index + 1], cache, piece.prompt, piece.body.stop)
                for index, piece in enumerate(self._pieces)
            ]
            return torch.cat(alone)
        parts = query.split_with_sizes(self._sizes)
        bodies, ends = [], []
        for index, piece in enumerate(self._pieces):
            rows = torch.cat([parts[index], parts[num_pieces + index]])
            attended = _attend(rows, cache, piece.prompt, piece.start)
            bodies.append(attended[:-1])
            ends.append(attended[-1:])
        return torch.cat(bodies + ends)


def _attend(rows: Tensor, cache: Cache, prompt: int, start: int) -> Tensor:
    """Attend with a prompt's tokens from `start` on [n, H, d]; their keys are stored already."""
    query, end = rows.transpose(0, 1)[None], start + rows.shape[0]
    key, value = (part[prompt : prompt + 1, :, :end] for part in cache)
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
