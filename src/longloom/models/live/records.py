"""What the live engine tells of its requests."""

from dataclasses import dataclass

from longloom.errors import ModelError
from longloom.models.sampled_rows import SampledRow
from longloom.records import FinishReason, SampleRequest


class LiveRow(SampledRow):
    """One request while it waits or runs."""

    __slots__ = ("num_cached_tokens",)

    def __init__(self, request: SampleRequest) -> None:
        super().__init__(request)
        self.num_cached_tokens = 0
        """Tokens of the prompt that were kept from before or computed for an equal prompt."""

    @property
    def cache_salt(self) -> str:
        """Whose request it is."""
        return self.request.cache_salt

    @property
    def sequence(self) -> tuple[int, ...]:
        """The prompt and what has been drawn."""
        return self.request.prompt_ids + tuple(self.tokens)


@dataclass(frozen=True, slots=True)
class RowEvent:
    """What a step did for one row."""

    row: LiveRow
    """The row; its last token is new, unless there is an error."""
    finish_reason: FinishReason | None = None
    """Why the answer has ended; None if it goes on."""
    error: ModelError | None = None
    """Why it failed, if it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFigures:
    """What an engine has done since it was made, and what it holds."""

    num_waiting: int = 0
    """Requests that wait for room."""
    num_filling: int = 0
    """Requests whose prompts are being computed."""
    num_running: int = 0
    """Requests that are being answered."""
    num_cache_tokens: int = 0
    """Tokens there is memory for in the caches of rows."""
    num_prefix_tokens: int = 0
    """Tokens of prompts that are kept for later ones."""
    num_steps: int = 0
    """Decoding steps."""
    num_drawn_tokens: int = 0
    """Tokens that were drawn."""
    num_filled_tokens: int = 0
    """Tokens of prompts that were computed."""
    num_reused_tokens: int = 0
    """Tokens of prompts that were not computed, because they had been before."""
    num_sent_back: int = 0
    """How often a row gave its place back for want of room."""
    num_failed: int = 0
    """Requests that failed."""
