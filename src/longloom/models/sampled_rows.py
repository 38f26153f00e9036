"""Requests while they are answered, whichever engine keeps their caches."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import torch
from jaxtyping import Float, Int
from torch import Tensor

from longloom.models.drawing import DrawSettings, choose_tokens, uniform_stream
from longloom.models.weight_layout import Head
from longloom.records import Completion, FinishReason, SampleRequest


class SampledRow:
    """One request and what has been drawn for it."""

    __slots__ = ("entropies", "logprobs", "request", "tokens", "uniforms")

    def __init__(self, request: SampleRequest) -> None:
        self.request = request
        self.uniforms = uniform_stream(request.key)
        self.tokens: list[int] = []
        self.logprobs: list[float] = []
        self.entropies: list[float] = []

    def finish_reason(self, end_ids: AbstractSet[int]) -> FinishReason | None:
        """Return why the answer has ended; None while it goes on."""
        if not self.tokens:
            return None
        if self.tokens[-1] in end_ids:
            return FinishReason.STOP
        is_cut = len(self.tokens) >= self.request.params.max_new_tokens
        return FinishReason.LENGTH if is_cut else None

    def completion(self, finish_reason: FinishReason) -> Completion:
        """Return what was drawn."""
        return Completion(
            token_ids=tuple(self.tokens),
            logprobs=tuple(self.logprobs),
            entropies=tuple(self.entropies),
            finish_reason=finish_reason,
        )


def settings_of(rows: Sequence[SampledRow], device: torch.device) -> DrawSettings:
    """Return how the tokens of these rows are drawn."""
    return DrawSettings.of([row.request.params for row in rows], device)


def draw_next(
    head: Head,
    states: Float[Tensor, "N D"],
    rows: Sequence[SampledRow],
    settings: DrawSettings,
) -> Int[Tensor, " N"]:
    """Draw the next token of each row from its state and record it; return the tokens."""
    uniforms = torch.tensor([next(row.uniforms) for row in rows], dtype=torch.float64)
    tokens, logprobs, entropies = choose_tokens(
        head.logits(states), uniforms.to(states.device), settings
    )
    # One transfer from the device; doubles hold every token id.
    figures = torch.stack([tokens.double(), logprobs.double(), entropies.double()]).tolist()
    for row, token, logprob, entropy in zip(rows, *figures, strict=True):
        row.tokens.append(int(token))
        row.logprobs.append(logprob)
        row.entropies.append(entropy)
    return tokens
