"""Take in the body of a request within limits of size, memory and time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import Request

from longloom.serving.config import ServingConfig
from longloom.serving.gate import HeldBytes
from longloom.serving.refusals import refused
from longloom.serving.wire import RequestT, parse_request

_INLINE_BYTES = 256 * 1024
"""Larger bodies are parsed in a thread of their own, so that other requests go on."""


@asynccontextmanager
async def received_body(
    request: Request, config: ServingConfig, held: HeldBytes
) -> AsyncGenerator[bytes, None]:
    """Give the body, which counts as held until the block ends.

    A body that is too large is refused as soon as that is known: by its stated length before any of
    it is read, otherwise at the byte that is too many.

    Raises:
        RefusedError: the body is no JSON by its type, too large, too slow, or there is no room.
        ClientDisconnect: the client went away.
    """
    _check_type(request)
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated) > config.max_body_bytes:
        raise _too_large(config.max_body_bytes)
    num_held = 0
    pieces: list[bytes] = []
    try:
        try:
            async with asyncio.timeout(config.body_seconds):
                async for piece in request.stream():
                    held.take(len(piece))
                    num_held += len(piece)
                    if num_held > config.max_body_bytes:
                        raise _too_large(config.max_body_bytes)
                    pieces.append(piece)
        except TimeoutError:
            raise refused(
                408,
                f"the body had not come in after {config.body_seconds:g} s; send it faster",
                code="body_timeout",
            ) from None
        body = b"".join(pieces)
        pieces.clear()
        yield body
    finally:
        held.give_back(num_held)


async def parsed_body(
    request_class: type[RequestT], body: bytes
) -> tuple[RequestT, dict[str, Any]]:
    """Return a request and its JSON; see `wire.parse_request`."""
    if len(body) <= _INLINE_BYTES:
        return parse_request(request_class, body)
    return await asyncio.to_thread(parse_request, request_class, body)


async def gone(request: Request) -> None:
    """Return when the client has gone away; its body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _check_type(request: Request) -> None:
    """Refuse other types: browsers send them for any page without asking, but never JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise refused(
            415,
            f"the body is of type {kind[:50] or 'none'!r}; expected the header `Content-Type: "
            "application/json`",
            code="unsupported_media_type",
        )


def _too_large(max_bytes: int) -> Exception:
    return refused(
        413,
        f"the body is larger than {max_bytes} bytes; send less, or raise serving.max_body_bytes",
        code="body_too_large",
    )
