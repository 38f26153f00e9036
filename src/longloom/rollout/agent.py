"""The one control shape of Longloom: an agent turns an example into a rollout.

An agent is an async function. It calls the sampler as often as it likes and emits typed events
while it works. Single-pass answering (`single_pass.py`) and memory reading (`longloom.memory`)
are two agents; training, evaluation, the command line and the server consume either.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Protocol

from longloom.models.protocols import ChatSampler
from longloom.records import (
    Citation,
    Context,
    Delta,
    Example,
    Purpose,
    Rollout,
    SamplingParams,
    TokenUsage,
)


class EventKind(StrEnum):
    """What happened inside a rollout."""

    ANSWERED = "answered"
    ANSWER_STARTED = "answer_started"
    FAILED = "failed"
    SECTION_FAILED = "section_failed"
    SECTION_READ = "section_read"
    SECTION_STARTED = "section_started"
    STARTED = "started"
    TEXT = "text"


EVENT_SCHEMA = {"schema": "longloom.event", "version": 1}
"""Written into every event that leaves the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One step of an agent's work, for progress displays, servers and logs."""

    kind: EventKind
    """What happened."""
    section_index: int = 0
    """The section this is about, from 1; 0 for none."""
    num_sections: int = 0
    """Sections in the whole document, by estimate until all of it is cut; 0 for a single pass."""
    num_tokens: int = 0
    """Tokens of the section; of the whole document where the kind is `started`."""
    memory: str = ""
    """The memory after this step."""
    plan: str = ""
    """The plan after this step."""
    num_memory_tokens: int = 0
    """Tokens of memory and plan after this step."""
    message: str = ""
    """A short text: the answer, what failed, how the question was split."""
    delta: Delta | None = None
    """A piece of a reply, where the kind is `text`."""
    purpose: Purpose | None = None
    """What the call behind a `text` is for."""
    usage: TokenUsage | None = None
    """What the step took, retries and repairs included."""
    seconds: float = 0.0
    """Time the step took."""
    seconds_left: float | None = None
    """About how long the rest takes; None if that cannot be told."""
    is_resumed: bool = False
    """Whether the step came from the journal, at no cost."""
    citations: tuple[Citation, ...] = ()
    """Where the answer stands, where the kind is `answered`."""

    def as_json(self) -> dict[str, Any]:
        """Return the event for a log or a stream; fields that say nothing are left out."""
        stated = {name: value for name, value in asdict(self).items() if value not in _SAYS_NOTHING}
        return {**EVENT_SCHEMA, **stated}


_SAYS_NOTHING: tuple[object, ...] = (None, "", 0, False, ())


Emit = Callable[[Event], None]
"""Receives events; must not block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What an agent is asked to do: one rollout of one example."""

    example: Example
    """The question."""
    context: Context
    """The text it is asked about."""
    rollout_index: int
    """0 .. G-1 within its group."""
    policy_version: int
    """Optimizer steps the sampled policy had taken."""
    params: SamplingParams
    """How answers are drawn."""
    key: str
    """Prefix of the random streams: seed, step, example, rollout."""


class Agent(Protocol):
    """An async function from an attempt to a rollout."""

    async def __call__(self, attempt: Attempt, *, sampler: ChatSampler, emit: Emit) -> Rollout:
        """Return the rollout.

        A failure of the model inside the rollout is recorded in `Rollout.error`, not raised.
        """
