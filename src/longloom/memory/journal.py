"""What was read already: one record for each step, found by what the step was given.

The key of a step is a hash over everything that shaped it (model, templates, settings, question,
and all sections up to this one), so that an interrupted reading goes on where it stopped, the same
request asked again costs nothing, and a document that has grown is read from where it has grown.
"""

import hashlib
from dataclasses import dataclass
from typing import Protocol

from longloom.records import TokenUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """The state after one section, and what it took."""

    memory: str
    """The memory after the section."""
    plan: str
    """The plan after the section."""
    is_usable: bool
    """False if no update could be used and the memory stayed as it was."""
    usage: TokenUsage
    """What the step took, retries and repairs included."""
    seconds: float
    """How long it took."""
    message: str = ""
    """What went wrong, if anything did."""


class Journal(Protocol):
    """Keeps the records of steps."""

    def get(self, key: str) -> StepRecord | None:
        """Return the record of a step, if it was taken before."""

    def put(self, key: str, record: StepRecord) -> None:
        """Keep a record; it survives the end of the process once this returns."""


class NoJournal:
    """Keeps nothing: training and evaluation read every document anew."""

    def get(self, key: str) -> StepRecord | None:
        """Return None."""
        return None

    def put(self, key: str, record: StepRecord) -> None:
        """Forget the record."""


def next_key(key: str, *parts: str) -> str:
    """Return the key that follows `key` when `parts` were given to the step."""
    digest = hashlib.sha256(key.encode("utf-8"))
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.hexdigest()
