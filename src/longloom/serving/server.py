"""Run the application until it is told to stop, and stop it in order.

The first signal (SIGINT, SIGTERM) closes the door: what runs may finish within the time of grace,
then it is ended; readings are in their journal by then. The second signal ends everything at once.
"""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import FrameType

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from longloom.errors import ConfigError
from longloom.serving.app import make_app
from longloom.serving.sending import Stopping
from longloom.serving.service import Service

logger = logging.getLogger(__name__)

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_LAST_WORDS_SECONDS = 2.0
"""After the time of grace clients are told; this long."""
_TICKS_BETWEEN_LOOKS = 5
_BACKLOG = 1_024
_LAST_PORT = 65_535


class IdleConnections:
    """Closes connections on which no request begins in time.

    uvicorn does so between two requests, but waits for ever for the first one, and for the rest of
    a head that was begun; each such connection holds a file descriptor.
    """

    def __init__(self, head_seconds: float) -> None:
        """Take the time within which the head of a request must have come in."""
        self._head_seconds = head_seconds
        self._idle_since: dict[H11Protocol, tuple[object, float]] = {}

    def close_old(self, connections: Iterable[H11Protocol], moment: float) -> None:
        """Close those that have been idle for too long; to be called about every second."""
        idle_since: dict[H11Protocol, tuple[object, float]] = {}
        for connection in connections:
            request = connection.cycle
            if request is not None and not request.response_complete:
                continue
            last_request, since = self._idle_since.get(connection, (request, moment))
            if last_request is not request:  # another one came and went
                since = moment
            if moment - since >= self._head_seconds:
                connection.transport.close()
            else:
                idle_since[connection] = (request, since)
        self._idle_since = idle_since


class StoppableServer(uvicorn.Server):
    """uvicorn's server with two steps of stopping, for every signal."""

    def __init__(
        self,
        config: uvicorn.Config,
        stopping: Stopping,
        *,
        grace_seconds: float,
        head_seconds: float,
    ) -> None:
        """Take uvicorn's settings, who must be told to stop, when, and how long heads may take."""
        super().__init__(config)
        self._stopping = stopping
        self._grace_seconds = grace_seconds
        self._idle = IdleConnections(head_seconds)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until stopped; see uvicorn."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Look after idle connections; called ten times a second, see uvicorn."""
        if counter % _TICKS_BETWEEN_LOOKS == 0:
            found = [one for one in self.server_state.connections if isinstance(one, H11Protocol)]
            self._idle.close_old(found, time.monotonic())
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop by signals, where they can be received; the earlier handlers come back after."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        earlier = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; the second time stop at once."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.stop)

    def stop(self) -> None:
        """Begin to stop; the second time stop at once. Called in the event loop."""
        if self.should_exit:
            self.force_exit = True
            self._stopping.end_all()
            return
        self.should_exit = True
        self._stopping.has_begun = True
        asyncio.get_running_loop().call_later(self._grace_seconds, self._stopping.end_all)


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address; port 0 takes a free one.

    Raises:
        ConfigError: the address cannot be used.
    """
    if not 0 <= port <= _LAST_PORT:
        raise ConfigError(f"port is {port}; expected 0 (a free one) to {_LAST_PORT}")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # Only where the protocol is named does asyncio turn off Nagle's algorithm, with which the
        # first piece of an answer waits 40 ms for the client to acknowledge the headers.
        listening = socket.socket(*found[:3])
    except OSError as error:
        raise ConfigError(f"host {host!r} is no address of this machine: {error}") from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(found[4])
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"{host}:{port} cannot be listened at: {error.strerror}; choose another --port (0 "
            "takes a free one), or stop what listens there"
        ) from None
    return listening


def make_server(service: Service, *, is_local: bool) -> StoppableServer:
    """Return a server of `service`, which is opened and closed with it."""
    app = make_app(service, is_local=is_local)
    grace = service.config.grace_seconds
    config = uvicorn.Config(
        app,
        http="h11",
        lifespan="off",
        access_log=False,  # requests are noted without their text in `sending`
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=round(grace + _LAST_WORDS_SECONDS + 1),
        backlog=_BACKLOG,
    )
    return StoppableServer(
        config,
        app.state.stopping,
        grace_seconds=grace,
        head_seconds=service.config.head_seconds,
    )


async def serve_until_stopped(
    service: Service,
    listening: socket.socket,
    *,
    is_local: bool,
    on_ready: Callable[[], None] = lambda: None,
) -> bool:
    """Serve at a socket until a signal comes.

    Args:
        service: answers.
        listening: where; closed at the end.
        is_local: whether only this machine can reach it.
        on_ready: called when requests are taken.

    Returns:
        Whether it stopped in order; False if it was told twice.
    """
    server = make_server(service, is_local=is_local)
    await service.backend.open()
    try:
        asyncio.get_running_loop().call_soon(on_ready)
        with long_lived_objects_are_left_alone():
            await server.serve([listening])
        return not server.force_exit
    finally:
        listening.close()
        await service.backend.close()


@contextlib.contextmanager
def long_lived_objects_are_left_alone() -> Iterator[None]:
    """Spare what is there at the start, such as modules, from collections of garbage.

    A full collection stops all threads; with some 300,000 such objects for up to 0.2 s.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
