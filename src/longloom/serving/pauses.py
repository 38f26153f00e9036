"""Let a stream that has nothing to say for a while say so, so that nobody takes it for dead."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from longloom.serving.answer_parts import Part

PAUSE = Part(is_pause=True)


async def with_pauses(
    parts: AsyncGenerator[Part, None], seconds: float
) -> AsyncGenerator[Part, None]:
    """Yield the parts, and a pause after every `seconds` without one.

    The work behind the parts goes on meanwhile; it ends when this iterator is closed.
    """
    arrived: asyncio.Queue[Part | BaseException | None] = asyncio.Queue()
    pulling = asyncio.create_task(_pull(parts, arrived))
    try:
        while True:
            if arrived.empty():
                try:
                    async with asyncio.timeout(seconds):
                        part = await arrived.get()
                except TimeoutError:
                    yield PAUSE
                    continue
            else:
                part = arrived.get_nowait()
            if part is None:
                return
            if isinstance(part, BaseException):
                raise part
            yield part
    finally:
        pulling.cancel()
        await asyncio.gather(pulling, return_exceptions=True)


async def _pull(
    parts: AsyncGenerator[Part, None], arrived: "asyncio.Queue[Part | BaseException | None]"
) -> None:
    try:
        async with aclosing(parts):
            async for part in parts:
                arrived.put_nowait(part)
    except Exception as error:  # handed to whoever iterates
        arrived.put_nowait(error)
    else:
        arrived.put_nowait(None)
