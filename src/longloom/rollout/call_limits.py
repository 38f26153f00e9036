"""One limit over the calls of many trajectories; the oldest trajectory goes first.

The steps of one reading wait for each other, so speed comes from many readings at once. Were calls
served in the order of their arrival, all would end late together; with the oldest first the early
ones end early, and the backend keeps few long prefixes warm.

What it leaves out: requests per minute, which `longloom.models.endpoint.limits` keeps.
"""

import asyncio
from bisect import bisect_left, insort
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from longloom.errors import ConfigError
from longloom.models.protocols import ChatSampler
from longloom.records import Reply, ReplyRequest
from longloom.rollout.asking import WrappedChat


@dataclass(frozen=True, slots=True, order=True)
class _Waiting:
    """A call that waits; the smallest is served next."""

    age: int
    arrival: int
    num_tokens: int = field(compare=False)
    admitted: asyncio.Future[None] = field(compare=False)


class OldestFirst:
    """Room for calls and for their tokens, given to the oldest trajectory that waits.

    A younger call never overtakes an older one that does not fit yet, so large calls do not starve.
    For the tasks of one event loop.
    """

    def __init__(self, max_calls: int, max_tokens: int | None = None) -> None:
        """Let at most `max_calls` run at a time, with at most `max_tokens` together.

        A call larger than `max_tokens` runs alone. None is no limit of tokens.

        Raises:
            ConfigError: a limit is below 1.
        """
        for name, limit in (("max_calls", max_calls), ("max_tokens", max_tokens)):
            if limit is not None and limit < 1:
                raise ConfigError(f"{name} is {limit}; expected at least 1, or no call could run")
        self.max_calls = max_calls
        self.max_tokens = max_tokens
        self._num_calls = 0
        self._num_tokens = 0
        self._waiting: list[_Waiting] = []
        self._ages = count()
        self._arrivals = count()

    @property
    def num_running_calls(self) -> int:
        """Calls that hold room."""
        return self._num_calls

    @property
    def num_running_tokens(self) -> int:
        """Tokens of the calls that hold room."""
        return self._num_tokens

    @property
    def num_waiting_calls(self) -> int:
        """Calls that wait for room."""
        return len(self._waiting)

    def next_age(self) -> int:
        """Return the age of a trajectory that begins at this moment: younger than all before."""
        return next(self._ages)

    @asynccontextmanager
    async def slot(self, age: int, num_tokens: int) -> AsyncIterator[None]:
        """Wait for room, hold it for the block, give it back however the block ends.

        Args:
            age: when the trajectory began, as `next_age` counts; the smallest is the oldest.
            num_tokens: the most that prompt and reply may take together.
        """
        await self._enter(age, num_tokens)
        try:
            yield
        finally:
            self._leave(num_tokens)

    async def _enter(self, age: int, num_tokens: int) -> None:
        waiting = _Waiting(
            age, next(self._arrivals), num_tokens, asyncio.get_running_loop().create_future()
        )
        insort(self._waiting, waiting)
        self._admit()
        try:
            await waiting.admitted
        except asyncio.CancelledError:
            if waiting.admitted.cancelled():
                del self._waiting[bisect_left(self._waiting, waiting)]
                self._admit()  # those behind it may fit
            else:  # cancelled between being let in and running on
                self._leave(num_tokens)
            raise

    def _leave(self, num_tokens: int) -> None:
        self._num_calls -= 1
        self._num_tokens -= num_tokens
        self._admit()

    def _admit(self) -> None:
        """Let in whoever is first, as long as there is room."""
        num_admitted = 0
        for waiting in self._waiting:
            if waiting.admitted.cancelled():
                break  # its task removes it and calls again
            if not self._fits(waiting.num_tokens):
                break
            self._num_calls += 1
            self._num_tokens += waiting.num_tokens
            waiting.admitted.set_result(None)
            num_admitted += 1
        del self._waiting[:num_admitted]

    def _fits(self, num_tokens: int) -> bool:
        if self._num_calls == 0:
            return True
        has_tokens = self.max_tokens is None or self._num_tokens + num_tokens <= self.max_tokens
        return self._num_calls < self.max_calls and has_tokens


class LimitedChat(WrappedChat):
    """A chat sampler whose calls wait for room; see `models.protocols.ChatSampler`."""

    def __init__(self, sampler: ChatSampler, limits: OldestFirst, age: int) -> None:
        """Speak to `sampler` for one trajectory of this age."""
        super().__init__(sampler)
        self._limits = limits
        self._age = age

    async def reply(self, request: ReplyRequest) -> Reply:
        """Return the reply to one request, when there is room for it.

        Raises:
            ContextLengthError: prompt and reply do not fit the window.
            ModelError: the model failed.
        """
        async with self._limits.slot(self._age, self._most_tokens(request)):
            return await self._sampler.reply(request)

    def _most_tokens(self, request: ReplyRequest) -> int:
        """Return the most tokens a call may take; 0 where nobody asks, for counting takes time."""
        if self._limits.max_tokens is None:
            return 0
        if request.prompt_ids is not None:
            return len(request.prompt_ids) + request.params.max_new_tokens
        earlier = sum(self._sampler.tokens.count(turn.content) for turn in request.history)
        prompt = self._sampler.num_prompt_tokens(request.message)
        return earlier + prompt + request.params.max_new_tokens
