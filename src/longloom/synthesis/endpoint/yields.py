"""What a runner gives back, and how it goes through its inputs.

An input ends as kept, as dropped with a reason, or the whole run ends with an error and is run
again from the cache. An outage is never a reason to drop anything.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from longloom.models.endpoint.errors import EndpointRefusedError
from longloom.synthesis.endpoint.parsing import ReplyFormatError

InputT = TypeVar("InputT")
KeptT = TypeVar("KeptT")

MAX_AT_ONCE = 64
"""Inputs in work at a time; the client has its own limit of calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """An input, or a part of one, that was not accepted."""

    key: str
    """Which one: an id, with what tells the part."""
    reason: str
    """Why, in words that are the same for all of its kind."""
    details: str = ""
    """What was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Yield(Generic[KeptT]):
    """What came of the inputs of a runner."""

    kept: tuple[KeptT, ...]
    """What was accepted, in the order of the inputs."""
    dropped: tuple[Dropped, ...]
    """What was not, in the order of the inputs."""
    num_inputs: int
    """Inputs that were gone through; all of them."""

    @property
    def counts(self) -> Mapping[str, int]:
        """How many were kept, and how many dropped for each reason, most frequent first."""
        reasons = Counter(drop.reason for drop in self.dropped)
        return {"inputs": self.num_inputs, "kept": len(self.kept), **dict(reasons.most_common())}


async def run_each(
    inputs: Sequence[InputT],
    run_one: Callable[[InputT], Awaitable[Sequence[KeptT | Dropped]]],
    key_of: Callable[[InputT], str],
) -> Yield[KeptT]:
    """Run every input, several at a time, and gather the outcomes in the order of the inputs.

    A refused request or a reply of another form drops its input. After any other error no further
    input is begun; those in work are ended properly, so that their replies reach the cache, and
    then the error is raised.
    """
    outcomes: list[Sequence[KeptT | Dropped]] = [()] * len(inputs)
    failures: list[Exception] = []
    waiting: Iterator[tuple[int, InputT]] = iter(enumerate(inputs))

    async def work() -> None:
        for place, entry in waiting:
            if failures:
                return
            try:
                outcomes[place] = await run_one(entry)
            except EndpointRefusedError as error:
                outcomes[place] = [_drop(key_of(entry), "refused by the endpoint", error)]
            except ReplyFormatError as error:
                outcomes[place] = [_drop(key_of(entry), "reply of another form", error)]
            except Exception as error:  # kept until the others have ended, then raised
                failures.append(error)

    await asyncio.gather(*(work() for _ in range(min(MAX_AT_ONCE, len(inputs)))))
    if failures:
        raise failures[0]
    flat = [outcome for outcomes_of_one in outcomes for outcome in outcomes_of_one]
    return Yield(
        kept=tuple(outcome for outcome in flat if not isinstance(outcome, Dropped)),
        dropped=tuple(outcome for outcome in flat if isinstance(outcome, Dropped)),
        num_inputs=len(inputs),
    )


def _drop(key: str, reason: str, error: Exception) -> Dropped:
    return Dropped(key=key, reason=reason, details=str(error)[:300])
