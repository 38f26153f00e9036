"""The limits and defaults of a server."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from longloom.config import FrozenConfig


class ServingConfig(FrozenConfig):
    """What a server takes on, and how it answers where a request does not say."""

    max_document_tokens: PositiveInt = 4_000_000
    """Longer requests are refused (QwenLong-L1.5, section 2.3: up to 4M); where tokens are only
    estimated, those that are longer by more than a quarter."""
    max_body_bytes: PositiveInt = 64 * 1024 * 1024
    """Larger requests are refused while they come in."""
    max_held_bytes: PositiveInt = 512 * 1024 * 1024
    """Bodies of all requests together; beyond it new ones are told to come again."""
    head_seconds: PositiveFloat = 30.0
    """A connection is closed on which no request has begun by then."""
    body_seconds: PositiveFloat = 120.0
    """A request must have come in by then."""
    max_running: PositiveInt = 64
    """Requests that are answered at a time."""
    max_waiting: NonNegativeInt = 256
    """Requests that wait for one of these to end; more are told to come again."""
    max_wait_seconds: PositiveFloat = 60.0
    """A request that has waited so long is told to come again."""
    max_reading_calls: PositiveInt = 8
    """Calls of the model by all readings at a time; the oldest reading goes first."""
    max_seconds: PositiveFloat = 6 * 3600.0
    """A request that takes longer is ended; a reading goes on where it stopped when asked again."""
    requests_per_minute: NonNegativeInt = 0
    """Requests of one API key; 0 for no limit."""
    tokens_per_minute: NonNegativeInt = 0
    """Tokens of one API key, of prompts, readings and answers; 0 for no limit. Answers of a backend
    count as it tells in `usage`, and by estimate where it does not."""
    grace_seconds: float = Field(default=30.0, ge=0)
    """What runs when the server is stopped may finish within this time."""
    keep_alive_seconds: PositiveFloat = 10.0
    """A stream with nothing to say sends a comment this often."""
    answer_tokens: PositiveInt = 1_024
    """Room kept for an answer whose request does not set `max_tokens`, at most a quarter of the
    window."""
    temperature: float = Field(default=0.7, ge=0, le=2)
    """Where a request does not say (QwenLong-L1.5, section 5.1)."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Where a request does not say (QwenLong-L1.5, section 5.1)."""
    progress: Literal["off", "sections", "plan"] = "plan"
    """What a reading shows while it reads, as reasoning: nothing, a line for every section, or the
    model's plan too. A request may say otherwise."""
    progress_seconds: float = Field(default=1.0, ge=0)
    """Progress is shown at most this often; what comes faster is joined. Pages like Open WebUI's
    save the whole chat at every status. 0 shows every section by itself."""
