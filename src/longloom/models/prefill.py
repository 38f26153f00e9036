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

from longloom.models.attention import attention_part
from longloom.models.decoding import Cache
from longloom.models.network import Network

PASS_TOKENS = 2_048
"""Tokens computed at once. On CPU larger passes leave the processor's cache."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """The tokens `start` to `end` of a prompt."""

    prompt: int
    """Its index."""
    start: int
    """First token."""
    end: int
    """After the last token."""
    is_last: bool
    """Whether the prompt ends here; its last token is then packed at the end of the pass."""

    @property
    def body(self) -> slice:
        """The tokens that are packed in the front."""
        return slice(self.start, self.end - self.is_last)


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
        ending = [piece for piece in pieces if piece.is_last]
        tokens = [token for piece in pieces for token in prompts[piece.prompt][piece.body]]
        num_silent = len(tokens)
        tokens += [prompts[piece.prompt][-1] for piece in ending]
        positions = [torch.arange(piece.body.start, piece.body.stop) for piece in pieces]
        positions.append(torch.tensor([piece.end - 1 for piece in ending], dtype=torch.int64))
        states.append(
            network.hidden(
                torch.tensor(tokens, device=device),
                torch.cat(positions).to(device),
                _PromptPass(pieces, caches),
                num_silent=num_silent,
            )
        )
    return torch.cat(states)


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
            pieces.append(_Piece(prompt, start, end, end == length))
            room -= end - start
    if pieces:
        yield pieces


class _PromptPass:
    """Attention within one pass (see `network.Attend`)."""

    def __init__(self, pieces: Sequence[_Piece], caches: Sequence[Cache]) -> None:
        self._pieces, self._caches = pieces, caches
        self._sizes = [piece.body.stop - piece.body.start for piece in pieces]
        self._num_ending = sum(piece.is_last for piece in pieces)

    def __call__(
        self,
        layer: int,
        query: Float[Tensor, "Q H d"],
        key: Float[Tensor, "N K d"],
        value: Float[Tensor, "N K d"],
    ) -> Float[Tensor, "Q H d"]:
        """Store keys and values, then attend; with the last tokens alone if only they ask."""
        cache = self._caches[layer]
        for packed, kept in zip((key, value), cache, strict=True):
            self._store(packed, kept)
        if query.shape[0] < key.shape[0]:
            ending = (piece for piece in self._pieces if piece.is_last)
            attended = [
                _attend(row, cache, piece.prompt, piece.end - 1, piece.end)
                for row, piece in zip(query.split(1), ending, strict=True)
            ]
            return torch.cat(attended) if attended else torch.empty_like(query)
        *bodies, ends = query.split([*self._sizes, self._num_ending])
        last_rows = iter(ends.split(1))
        body_outputs, end_outputs = [], []
        for piece, body in zip(self._pieces, bodies, strict=True):
            rows = torch.cat([body, next(last_rows)]) if piece.is_last else body
            output = _attend(rows, cache, piece.prompt, piece.start, piece.end)
            body_outputs.append(output[: body.shape[0]])
            end_outputs.append(output[body.shape[0] :])
        return torch.cat(body_outputs + end_outputs)

    def _store(self, packed: Tensor, kept: Tensor) -> None:
        *bodies, ends = packed.split([*self._sizes, self._num_ending])
        for piece, body in zip(self._pieces, bodies, strict=True):
            kept[piece.prompt, :, piece.body] = body.transpose(0, 1)
        ending = (piece for piece in self._pieces if piece.is_last)
        for piece, last in zip(ending, ends, strict=True):
            kept[piece.prompt, :, piece.end - 1] = last


def _attend(rows: Tensor, cache: Cache, prompt: int, start: int, end: int) -> Tensor:
    """Attend with the tokens `start` to `end` of a prompt [n, H, d], whose keys are stored."""
    query = rows.transpose(0, 1)[None]
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
    before, before_normaliser = attention_part(query, key[:, :, :start], value[:, :, :start])
    within, normaliser = attention_part(
        query, key[:, :, start:], value[:, :, start:], is_causal=True
    )
    # The softmax over both parts weighs each by its share of the normaliser.
    share = (before_normaliser - normaliser).sigmoid()[..., None].to(within.dtype)
    return torch.lerp(within, before, share)[0].transpose(0, 1)
