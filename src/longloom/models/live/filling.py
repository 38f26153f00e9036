"""Prompts that are being computed, piece by piece, between the steps of running answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from longloom.models.live.records import LiveRow
from longloom.models.prefill import Piece


@dataclass(slots=True, eq=False)
class Filling:
    """A prompt that is being computed, for all rows that wait for it."""

    rows: list[LiveRow]
    """The rows; none once all are cancelled."""
    sequence: tuple[int, ...]
    """What is computed: the prompt, and what was drawn before the row had to wait."""
    cache: Float[Tensor, "L 2 1 K T d"]
    """Its keys and values."""
    num_done: int
    """Tokens that are there."""
    cache_salt: str = ""
    """Whose prompt it is."""
    layers: list[tuple[Tensor, Tensor]] = field(init=False)
    """Keys and values of each layer [1, K, T, d], views of `cache`."""

    def __post_init__(self) -> None:
        self.layers = [(layer[0], layer[1]) for layer in self.cache]

    def is_for(self, row: LiveRow) -> bool:
        """Whether a row waits for just this."""
        return self.cache_salt == row.cache_salt and self.sequence == row.sequence

    @property
    def num_left(self) -> int:
        """Tokens that are not there yet."""
        return len(self.sequence) - self.num_done

    def piece(self, num_tokens: int) -> Piece:
        """Return the next tokens to compute."""
        return Piece(
            prompt=self.sequence,
            caches=self.layers,
            start=self.num_done,
            end=self.num_done + num_tokens,
        )


def shared_out(waiting: Sequence[Filling], num_tokens: int) -> list[tuple[Filling, int]]:
    """Return which prompts are computed next, and how many tokens of each.

    The oldest has half of the tokens, so that it is never starved; the rest goes to those that are
    nearly complete, so that a short prompt does not wait for a long one.

    Args:
        waiting: the prompts, the oldest first.
        num_tokens: tokens for all of them together.
    """
    shares = [0] * len(waiting)
    order = sorted(range(len(waiting)), key=lambda place: waiting[place].num_left)
    turns = [(0, (num_tokens + 1) // 2), *((place, num_tokens) for place in order)]
    room = num_tokens
    for place, limit in turns if waiting else ():
        more = min(waiting[place].num_left - shares[place], limit, room)
        shares[place] += more
        room -= more
    return [(each, share) for each, share in zip(waiting, shares, strict=True) if share]
