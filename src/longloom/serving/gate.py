"""How much a server takes on at a time: running and waiting requests, bytes, keys' quotas."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from longloom.serving.refusals import refused

_SECONDS_PER_MINUTE = 60.0


class Gate:
    """Lets so many requests run; some more wait, in order; the rest are told to come again."""

    def __init__(self, *, max_running: int, max_waiting: int, max_wait_seconds: float) -> None:
        """Take the limits."""
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._max_wait_seconds = max_wait_seconds
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.num_running = 0

    @property
    def num_waiting(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it for the block.

        Raises:
            RefusedError: too many wait, or this one has waited too long.
        """
        if self.num_running < self._max_running:
            self.num_running += 1
        else:
            await self._wait()
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self) -> None:
        if len(self._waiting) >= self._max_waiting:
            raise self._busy()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._max_wait_seconds):
                await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            if turn.done() and not turn.cancelled():
                self._pass_on()  # the turn came at the same moment
            elif turn in self._waiting:
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise self._busy() from None
            raise

    def _pass_on(self) -> None:
        """Give a turn to whoever waits longest, or back."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.num_running -= 1

    def _busy(self) -> Exception:
        return refused(
            429,
            f"{self.num_running} requests run and {len(self._waiting)} wait; come again later",
            code="server_busy",
            retry_after_seconds=min(self._max_wait_seconds, 10.0),
        )


class HeldBytes:
    """Bounds the bodies of all requests together."""

    def __init__(self, max_bytes: int) -> None:
        """Take the limit."""
        self._max_bytes = max_bytes
        self.num_bytes = 0

    def take(self, num_bytes: int) -> None:
        """Count bytes that are held.

        Raises:
            RefusedError: they are too many.
        """
        if self.num_bytes + num_bytes > self._max_bytes:
            raise refused(
                429,
                "the requests that are answered hold all memory for bodies; come again later",
                code="server_busy",
                retry_after_seconds=10.0,
            )
        self.num_bytes += num_bytes

    def give_back(self, num_bytes: int) -> None:
        """Count bytes that are held no more."""
        self.num_bytes -= num_bytes


class KeyQuotas:
    """Requests and tokens per minute of every key, as buckets that fill evenly.

    Tokens are counted when they are known, which may be after the fact: a key that has overdrawn
    its bucket waits until it has filled again.
    """

    def __init__(
        self,
        *,
        requests_per_minute: int,
        tokens_per_minute: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the limits, 0 for none."""
        self._limits = (requests_per_minute, tokens_per_minute)
        self._clock = clock
        self._buckets: dict[str, tuple[_Bucket, _Bucket]] = {}

    def begin(self, holder: str) -> None:
        """Count a request of a key.

        Raises:
            RefusedError: the key has used up its quota.
        """
        requests, tokens = self._of(holder)
        wait = max(requests.seconds_until(1.0), tokens.seconds_until(0.0))
        if wait > 0:
            limits = f"{self._limits[0] or 'any number of'} requests and "
            limits += f"{self._limits[1] or 'any number of'} tokens"
            raise refused(
                429,
                f"this key may send {limits} per minute; come again in {wait:.0f} s",
                code="rate_limit_exceeded",
                retry_after_seconds=wait,
            )
        requests.take(1.0)

    def spend(self, holder: str, num_tokens: int) -> None:
        """Count tokens of a key."""
        self._of(holder)[1].take(num_tokens)

    def _of(self, holder: str) -> "tuple[_Bucket, _Bucket]":
        if holder not in self._buckets:  # holders are keys of the server: they are few
            requests, tokens = self._limits
            self._buckets[holder] = (_Bucket(requests, self._clock), _Bucket(tokens, self._clock))
        return self._buckets[holder]


class _Bucket:
    """What may be used at once, filled evenly to a minute's worth; 0 per minute is no limit."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._level = float(per_minute)
        self._filled_at = clock()

    def take(self, amount: float) -> None:
        self._fill()
        self._level -= amount

    def seconds_until(self, level: float) -> float:
        """Return the wait until at least so much is there; at least anything for level 0."""
        if not self._per_minute:
            return 0.0
        self._fill()
        return max(0.0, (level - self._level) * _SECONDS_PER_MINUTE / self._per_minute)

    def _fill(self) -> None:
        now = self._clock()
        gained = (now - self._filled_at) * self._per_minute / _SECONDS_PER_MINUTE
        self._level = min(float(self._per_minute), self._level + gained)
        self._filled_at = now
