"""Send the answer to a chat request, and stop all work on it when nobody waits for it any more.

turn -> answer -> head -> pieces
`------ watched: the client goes away, the time is over, the server stops ------'
"""

import asyncio
import logging
import time
import traceback
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from longloom.serving.answer_parts import error_line
from longloom.serving.backends import ChatCall, Relayed
from longloom.serving.receiving import gone, parsed_body, received_body
from longloom.serving.refusals import BUG, STOPPING, Refusal, refusal_of
from longloom.serving.service import CallOptions, Service
from longloom.serving.wire import ChatCompletionRequest

logger = logging.getLogger(__name__)

_DRAIN_SECONDS = 2.0


class Stopping:
    """Whether the server stops, and who must be told."""

    def __init__(self) -> None:
        """Begin with a server that runs."""
        self.has_begun = False
        self.is_over = False
        """Whether the time of grace is over: what still runs is ended."""
        self._running: set[asyncio.Task[None]] = set()

    def watch(self, task: "asyncio.Task[None]") -> None:
        """End `task` when the time of grace is over."""
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def end_all(self) -> None:
        """End what runs; clients are told that a reading can go on later."""
        self.is_over = True
        for task in self._running:
            task.cancel()


class ChatResponse(Response):
    """The answer to one chat request: takes the request in, answers it, sends the answer."""

    def __init__(
        self, request: Request, service: Service, stopping: Stopping, options: CallOptions
    ) -> None:
        self.background = None
        self._request = request
        self._service = service
        self._stopping = stopping
        self._options = options
        self._head_status = 0
        self._is_stream = False
        self._is_complete = False
        self._num_body_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; see ASGI."""
        begin = time.perf_counter()
        outcome = "disconnected"
        try:
            working = asyncio.create_task(self._work(send))
            self._stopping.watch(working)
            try:
                await working
                outcome = str(self._head_status)
            finally:
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise  # the server itself gives up
        finally:
            self._note(outcome, time.perf_counter() - begin)

    async def _work(self, send: Send) -> None:
        """Answer, and tell the client what went wrong, by status or inside the stream."""
        try:
            async with asyncio.timeout(self._service.config.max_seconds):
                await self._answer(send)
        except asyncio.CancelledError:
            if not self._stopping.is_over:
                raise
            await self._tell(send, STOPPING)
        except (_ClientGoneError, ClientDisconnect):
            raise asyncio.CancelledError from None
        except Exception as error:  # the boundary to the web server
            refusal = refusal_of(error)
            if refusal is None:
                log_bug(self._request.state.request_id, error)
                refusal = BUG
            await self._tell(send, refusal)

    async def _answer(self, send: Send) -> None:
        service = self._service
        if self._stopping.has_begun:
            await self._tell(send, STOPPING)
            return
        service.quotas.begin(self._options.holder)
        async with received_body(self._request, service.config, service.held_bytes) as body:
            self._num_body_bytes = len(body)
            request, fields = await parsed_body(ChatCompletionRequest, body)
            self._is_stream = request.is_stream
            call = ChatCall(
                request=request,
                body=body,
                fields=fields,
                holder=self._options.holder if service.keys else "",
            )
            await _while_connected(self._request, self._reply(call, send))

    async def _reply(self, call: ChatCall, send: Send) -> None:
        async with self._service.gate.turn():
            relayed = await self._service.reply(call, self._options)
            await self._send(relayed, send)

    async def _send(self, relayed: Relayed, send: Send) -> None:
        """Send an answer; its head waits for the first piece, for an error may come instead."""
        async with aclosing(relayed.body) as body:
            async for piece in body:
                if not self._head_status:
                    await self._send_head(send, relayed.status, relayed.headers)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        if not self._head_status:
            await self._send_head(send, relayed.status, relayed.headers)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        self._is_complete = True

    async def _send_head(self, send: Send, status: int, headers: Mapping[str, str]) -> None:
        self._head_status = status
        more = {"cache-control": "no-cache", "x-accel-buffering": "no"} if self._is_stream else {}
        pairs = [
            (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
            for name, value in {**headers, **more}.items()
        ]
        await send({"type": "http.response.start", "status": status, "headers": pairs})

    async def _tell(self, send: Send, refusal: Refusal) -> None:
        """Send a refusal: as status, or as the last line of a stream that has begun."""
        if not self._head_status:
            self._head_status = refusal.status
            await _send_refusal(self._request, send, refusal)
        elif self._is_stream and not self._is_complete:
            line = error_line(refusal.body)
            await send({"type": "http.response.body", "body": line, "more_body": False})
        self._is_complete = True

    def _note(self, outcome: str, seconds: float) -> None:
        metrics = self._service.metrics
        metrics.time(seconds)
        if outcome == "disconnected":
            metrics.count("longloom_disconnects_total")
        metrics.count("longloom_requests_total", path="chat_completions", status=outcome)
        logger.info(
            "request %s: %s, %d bytes, %.3f s",
            *(self._request.state.request_id, outcome, self._num_body_bytes, seconds),
        )


def log_bug(request_id: str, error: Exception) -> None:
    """Log a bug by its place: messages of errors may hold a document's text."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = ", ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
    logger.error("request %s: bug: %s at %s", request_id, type(error).__name__, places)


class _ClientGoneError(Exception):
    """The client went away."""


async def _while_connected(request: Request, work: Any) -> None:
    """Await `work`, and cancel it as soon as the client goes away.

    Raises:
        _ClientGoneError: it went away.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.create_task(gone(request))
    try:
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise _ClientGoneError
        working.result()
    finally:
        working.cancel()
        watching.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _send_refusal(request: Request, send: Send, refusal: Refusal) -> None:
    """Send a refusal as a whole; what is left of the body is thrown away for a moment.

    A client that is still sending would meet a reset connection instead of the refusal.
    """
    response = JSONResponse(refusal.body, status_code=refusal.status, headers=refusal.headers)
    is_early = refusal.status in (408, 413)
    pairs = [*response.raw_headers, *([(b"connection", b"close")] if is_early else [])]
    await send({"type": "http.response.start", "status": refusal.status, "headers": pairs})
    content = bytes(response.body)
    await send({"type": "http.response.body", "body": content, "more_body": True})
    if is_early:
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                while (await request.receive()).get("more_body"):
                    pass
        except TimeoutError:
            pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})
