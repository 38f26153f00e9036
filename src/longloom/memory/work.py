"""Where work is done that takes the processor for long: at once, or in another thread.

Beside a server's other requests it goes to threads: cutting a section takes some 50 ms, following
the notes of a long reading seconds. Where nobody else waits, such as in training, it is done at
once, and the order of all that happens is the same every time.
"""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Work(Protocol):
    """Calls a function somewhere and waits for it."""

    async def __call__(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return what the function returns."""


async def at_once(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call a function here and now; see `Work`."""
    return function(*args, **kwargs)


async def in_thread(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call a function in another thread; see `Work`. A function that is begun is not cancelled."""
    return await asyncio.to_thread(function, *args, **kwargs)
