"""The one control shape of Longloom: an agent turns an example into a rollout.

An agent is an async function. It calls the sampler as often as it likes and emits typed events
while it works. Single-pass answering (`single_pass.py`) and memory reading (`longloom.memory`)
are two agents; training, evaluation, the command line and the server consume either.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from longloom.models.protocols import Sampler
from longloom.records import Context, Example, Rollout, SamplingParams


class EventKind(StrEnum):
    """What happened inside a rollout."""

    ANSWERED = "answered"
    FAILED = "failed"
    SECTION_FAILED = "section_failed"
    SECTION_READ = "section_read"
    STARTED = "started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One step of an agent's work, for progress displays and logs."""

    kind: EventKind
    """What happened."""
    section_index: int = 0
    """Sections read so far."""
    num_sections: int = 0
    """Sections in the whole document; 0 for a single pass."""
    memory: str = ""
    """The memory after this step."""
    plan: str = ""
    """The plan after this step."""
    message: str = ""
    """A short text: the answer, or what failed."""


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

    async def __call__(self, attempt: Attempt, *, sampler: Sampler, emit: Emit) -> Rollout:
        """Return the rollout.

        A failure of the model inside the rollout is recorded in `Rollout.error`, not raised.
        """
