"""Draw tokens from logits; what is drawn depends on a request's key alone.

Each request has its own stream of uniform numbers, named by its key. A token is drawn by inverting
the cumulative probability at the next number of the stream, so neither the batch a request is in
nor the order of arrival changes its answer.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from longloom.records import SamplingParams

_NUCLEUS_CANDIDATES = 64
"""Tokens looked at first when top-p cuts; the whole vocabulary only if they do not suffice."""
_CPU_CHUNK_LOGITS = 1 << 18
"""Logits drawn from at once on CPU: the passes over them then stay in the processor's cache."""
_STREAM_BLOCK = 64
"""Uniform numbers made at once."""


def uniform_stream(key: str) -> Iterator[float]:
    """Yield numbers in [0, 1) that depend on `key` alone, without end."""
    digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
    stream = np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
    while True:
        yield from stream.random(_STREAM_BLOCK).tolist()


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawSettings:
    """How the tokens of N rows are drawn; None where a setting changes nothing for any row."""

    divisor: Float[Tensor, "N 1"] | None
    """Divides the logits: the temperature, or 1 where it is 0."""
    is_greedy: Bool[Tensor, " N"] | None
    """Whether the most probable token is taken."""
    top_p: Float[Tensor, " N"] | None
    """Nucleus mass."""
    cuts_every_row: bool = False
    """Whether every nucleus mass is below 1; known here, so that no device is asked for it."""

    @classmethod
    def of(cls, params: Sequence[SamplingParams], device: torch.device) -> "DrawSettings":
        """Return the settings of rows with these parameters."""
        temperatures = [each.temperature for each in params]
        divisors = [value if value > 0 else 1.0 for value in temperatures]
        is_greedy = [value <= 0 for value in temperatures]
        top_p = [each.top_p for each in params]
        return cls(
            divisor=(
                torch.tensor(divisors, device=device)[:, None]
                if any(value != 1 for value in divisors)
                else None
            ),
            is_greedy=torch.tensor(is_greedy, device=device) if any(is_greedy) else None,
            top_p=torch.tensor(top_p, device=device) if any(p < 1 for p in top_p) else None,
            cuts_every_row=all(p < 1 for p in top_p),
        )

    def of_rows(self, rows: slice) -> "DrawSettings":
        """Return the settings of some of the rows."""
        return DrawSettings(
            divisor=None if self.divisor is None else self.divisor[rows],
            is_greedy=None if self.is_greedy is None else self.is_greedy[rows],
            top_p=None if self.top_p is None else self.top_p[rows],
            cuts_every_row=self.cuts_every_row,
        )


class OutputHead:
    """Logits in fp32, whatever the network's type."""

    def __init__(self, weight: Float[Tensor, "V D"]) -> None:
        self._is_wide = weight.dtype == torch.float32
        # Only CUDA multiplies half types into fp32; elsewhere the weights are widened once.
        self._weight = weight if self._is_wide or weight.is_cuda else weight.float()

    def logits(self, hidden: Float[Tensor, "N D"]) -> Float[Tensor, "N V"]:
        """Return the logits of these states."""
        if self._is_wide or not hidden.is_cuda:
            return hidden.float() @ self._weight.T
        return torch.mm(hidden, self._weight.T, out_dtype=torch.float32)


def choose_tokens(
    logits: Float[Tensor, "N V"], uniforms: Float[Tensor, " N"], settings: DrawSettings
) -> tuple[Int[Tensor, " N"], Float[Tensor, " N"], Float[Tensor, " N"]]:
    """Return drawn tokens, their log-probabilities and the entropies in nats; spends `logits`.

    Both figures are over the full vocabulary at the sampling temperature, before top-p.
    """
    num_rows, vocab_size = logits.shape
    num_at_once = num_rows if logits.is_cuda else max(_CPU_CHUNK_LOGITS // vocab_size, 1)
    if num_rows <= num_at_once:
        return _choose(logits, uniforms, settings)
    chunks = [slice(start, start + num_at_once) for start in range(0, num_rows, num_at_once)]
    parts = [_choose(logits[rows], uniforms[rows], settings.of_rows(rows)) for rows in chunks]
    tokens, logprobs, entropies = (torch.cat(part) for part in zip(*parts, strict=True))
    return tokens, logprobs, entropies


def _choose(
    logits: Tensor, uniforms: Tensor, settings: DrawSettings
) -> tuple[Tensor, Tensor, Tensor]:
    if settings.divisor is not None:
        logits = logits.div_(settings.divisor)
    shifted = logits.sub_(logits.amax(dim=-1, keepdim=True))
    weights = shifted.exp()
    total = weights.sum(dim=-1)
    chosen = draw_tokens(weights, uniforms, settings.top_p, cuts_every_row=settings.cuts_every_row)
    if settings.is_greedy is not None:
        chosen = torch.where(settings.is_greedy, shifted.argmax(dim=-1), chosen)
    logprobs = shifted.gather(-1, chosen[:, None])[:, 0] - total.log()
    entropies = total.log() - weights.mul_(shifted).sum(dim=-1) / total
    return chosen, logprobs, entropies


def draw_tokens(
    weights: Float[Tensor, "N V"],
    uniforms: Float[Tensor, " N"],
    top_p: Float[Tensor, " N"] | None = None,
    *,
    cuts_every_row: bool = False,
) -> Int[Tensor, " N"]:
    """Draw by inversion from weights in proportion to probability, within the nucleus.

    The nucleus is the smallest set of most probable tokens whose mass reaches top_p; of equally
    probable tokens the lower id comes first. Without top_p, or at 1, every token is kept.

    `cuts_every_row` says that every top_p is below 1: one pass less, and the same tokens.
    """
    if top_p is None:
        return _draw_from_all(weights, uniforms)
    if cuts_every_row:
        return _draw_from_nucleus(weights, uniforms, top_p)
    is_cut = top_p < 1
    drawn = _draw_from_nucleus(weights, uniforms, torch.where(is_cut, top_p, 0.0))
    return torch.where(is_cut, drawn, _draw_from_all(weights, uniforms))


def _draw_from_all(weights: Tensor, uniforms: Tensor) -> Tensor:
    cumulative = weights.cumsum(dim=-1, dtype=torch.float64)
    return _invert(cumulative, uniforms * cumulative[:, -1])


def _draw_from_nucleus(weights: Tensor, uniforms: Tensor, top_p: Tensor) -> Tensor:
    bound = top_p.double() * weights.sum(dim=-1, dtype=torch.float64)
    candidates, tokens = weights.topk(min(_NUCLEUS_CANDIDATES, weights.shape[-1]), dim=-1)
    # The last candidate may be as probable as a token that is none, so the others must suffice.
    is_short = candidates[:, :-1].sum(dim=-1, dtype=torch.float64) < bound
    is_tied = (candidates[:, 1:] == candidates[:, :-1]) & (candidates[:, 1:] > 0)
    if bool(is_short.any() | is_tied.any()):
        candidates, tokens = weights.sort(dim=-1, descending=True, stable=True)
    cumulative = candidates.cumsum(dim=-1, dtype=torch.float64)
    before = cumulative - candidates
    is_kept = before < bound[:, None]
    is_kept[:, 0] = True
    mass = torch.where(is_kept, cumulative, 0.0).amax(dim=-1)
    return tokens.gather(-1, _invert(cumulative, uniforms * mass)[:, None])[:, 0]


def _invert(cumulative: Tensor, targets: Tensor) -> Tensor:
    """Return the first place whose cumulative weight exceeds the target [N]."""
    place = torch.searchsorted(cumulative, targets[:, None], right=True)[:, 0]
    return place.clamp(max=cumulative.shape[-1] - 1)
