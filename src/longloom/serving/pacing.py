"""Show progress at a pace that a page can follow; what comes faster is joined, and none is lost.

    the first, and a change of phase      at once
    in between                            joined, until `seconds` have passed since the last
    all else: the answer, its end         at once, after what was held back

Open WebUI saves the whole chat, attached files included, at every status that it is sent.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable

from longloom.serving.answer_parts import Part
from longloom.serving.progress import Progress


class ProgressPace:
    """Decides when progress is shown, and joins what is held back."""

    def __init__(self, seconds: float, *, clock: Callable[[], float]) -> None:
        """Take the least time between two pieces, and what tells the time in seconds."""
        self._seconds = seconds
        self._clock = clock
        self._due_at: float | None = None
        """When the next piece may be shown; None before the first."""
        self._held: Progress | None = None

    def add(self, arriving: Part | Progress) -> list[Part]:
        """Return what is to be shown now that this has come; progress may be held back."""
        if isinstance(arriving, Part):
            return [*self.release(), arriving]
        self._held = arriving if self._held is None else self._held.joined(arriving)
        is_due = self._due_at is None or self._clock() >= self._due_at
        return self.release() if is_due or arriving.is_turn else []

    def release(self) -> list[Part]:
        """Return what was held back."""
        if self._held is None:
            return []
        shown = self._held.as_parts()
        self._held = None
        self._due_at = self._clock() + self._seconds
        return shown

    def wait_seconds(self) -> float | None:
        """Return in how many seconds `release` is due; None if nothing is held back."""
        if self._held is None or self._due_at is None:
            return None
        return self._due_at - self._clock()


async def paced(
    arrived: "asyncio.Queue[Part | Progress | None]", pace: ProgressPace
) -> AsyncGenerator[Part, None]:
    """Yield what arrives, until None does.

    What is held back is shown when it is due, whether or not more arrives; the wait is this
    iterator's own and ends with it.
    """
    is_over = False
    while not is_over:
        try:
            async with asyncio.timeout(pace.wait_seconds()):
                arriving = await arrived.get()
        except TimeoutError:
            shown = pace.release()
        else:
            is_over = arriving is None
            shown = pace.release() if arriving is None else pace.add(arriving)
        for part in shown:
            yield part
