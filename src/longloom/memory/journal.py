"""What was read already: one record for each step, found by what the step was given.

The key of a step is a hash over everything that shaped it (model, templates, settings, question,
and all sections up to this one), so that an interrupted reading goes on where it stopped, the same
request asked again costs nothing, and a document that has grown is read from where it has grown.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from longloom.errors import DataError
from longloom.records import TokenUsage

logger = logging.getLogger(__name__)

_REST_SECONDS = 600.0
"""A journal that kept nothing is left alone so long: a locked one costs a minute at every try."""


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


class SpareableJournal:
    """A journal that may fail: no reading ends by it, for an answer is worth more than a journal.

    The failure is logged once. What cannot be kept is read again if the reading is stopped; what
    cannot be read counts as never kept. After a while keeping is tried again, for a full disk may
    have been freed.
    """

    def __init__(self, journal: Journal, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep steps in `journal` as long as it works."""
        self._journal = journal
        self._clock = clock
        self._rests_until = float("-inf")
        self._has_warned = False

    def get(self, key: str) -> StepRecord | None:
        """Return the record of a step, if it was taken before and can be read."""
        try:
            return self._journal.get(key)
        except DataError as error:
            self._warn(error)
            return None

    def put(self, key: str, record: StepRecord) -> None:
        """Keep a record if that is possible."""
        if self._clock() < self._rests_until:
            return
        try:
            self._journal.put(key, record)
        except DataError as error:
            self._rests_until = self._clock() + _REST_SECONDS
            self._warn(error)
        else:
            self._has_warned = False

    def _warn(self, error: DataError) -> None:
        if not self._has_warned:
            logger.warning(
                "reading goes on without its journal; if it is stopped, steps from here on are "
                "read again: %s",
                error,
            )
        self._has_warned = True


def next_key(key: str, *parts: str) -> str:
    """Return the key that follows `key` when `parts` were given to the step."""
    digest = hashlib.sha256(key.encode("utf-8"))
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.hexdigest()
