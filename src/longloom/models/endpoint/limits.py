"""Keep to a server's limits: requests and tokens per minute, and pauses it asks for.

Starts are spread evenly instead of coming in bursts, so no window of a minute ever holds more than
the limit. One pause holds for every call, because a server that refuses one refuses all.
"""

from collections.abc import Awaitable, Callable

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

_SECONDS_PER_MINUTE = 60.0


class CallLimits:
    """Says when the next call may start."""

    def __init__(
        self, *, requests_per_minute: int, tokens_per_minute: int, clock: Clock, sleep: Sleep
    ) -> None:
        """Take the limits, 0 for none; `clock` and `sleep` are time.monotonic and asyncio.sleep."""
        self._seconds_per_request = (
            _SECONDS_PER_MINUTE / requests_per_minute if requests_per_minute else 0.0
        )
        self._seconds_per_token = (
            _SECONDS_PER_MINUTE / tokens_per_minute if tokens_per_minute else 0.0
        )
        self._clock = clock
        self._sleep = sleep
        self._next_request = 0.0
        self._next_token = 0.0
        self._paused_until = 0.0

    async def wait_turn(self, num_tokens: int) -> None:
        """Return when a call of about `num_tokens` tokens may start."""
        now = self._clock()
        start = max(now, self._next_request, self._next_token)
        self._next_request = start + self._seconds_per_request
        self._next_token = start + num_tokens * self._seconds_per_token
        while (wait := max(start, self._paused_until) - self._clock()) > 0:
            await self._sleep(wait)

    def correct(self, num_more_tokens: int) -> None:
        """Count tokens that an estimate missed, or give back what it counted too much."""
        self._next_token += num_more_tokens * self._seconds_per_token

    def pause(self, seconds: float) -> None:
        """Start no call for a while."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)
