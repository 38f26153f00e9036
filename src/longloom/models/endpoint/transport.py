"""One attempt at a call: post it, read what comes back, say what went wrong.

Failures that may pass raise `PassingFailureError`, for which the client tries again; the others are
those of `errors.py`. A task that is cancelled here closes its connection, by which servers
notice that nobody waits any more.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx

from longloom.models.endpoint.config import KEY_VARIABLES, EndpointConfig
from longloom.models.endpoint.context import is_too_long, stated_window
from longloom.models.endpoint.errors import (
    EndpointContextLengthError,
    EndpointRefusedError,
    EndpointSetupError,
)
from longloom.models.endpoint.lanes import LaneTransport
from longloom.models.endpoint.messages import ChatReply
from longloom.models.endpoint.stream import EventLines, StreamedReply, StreamError
from longloom.models.endpoint.wire import (
    UnusableBodyError,
    error_of,
    has_error,
    parse_reply,
    retry_after_seconds,
)
from longloom.records import Delta

OnDelta = Callable[[Delta], None]

_PASSING_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_SETUP_STATUSES = frozenset({301, 302, 307, 308, 401, 402, 403, 404, 405})
_KEY_STATUSES = frozenset({401, 402, 403})
"""Those of them that are about the key, whatever is asked."""
_SETUP_CODES = frozenset({"insufficient_quota", "invalid_api_key", "model_not_found"})
_PASSING_FINISHES = frozenset({"abort", "error"})
"""Finish reasons by which servers and routers say that they gave a reply up."""


class PassingFailureError(Exception):
    """A failure after which the same call may succeed."""

    def __init__(
        self, reason: str, retry_after: float | None = None, *, is_unreachable: bool = False
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.is_unreachable = is_unreachable
        """Whether nobody took the connection."""


class EndpointTransport:
    """Speaks HTTP to one address; connects when it is first used."""

    def __init__(self, config: EndpointConfig, api_key: str) -> None:
        """Take the address, and the key or an empty string."""
        self._config = config
        self._api_key = api_key
        self._http: httpx.AsyncClient | None = None

    async def post(self, body: dict[str, Any]) -> ChatReply:
        """Return the reply to one body, sent as a whole."""
        try:
            async with asyncio.timeout(self._config.request_timeout_seconds):
                async with self._open(body) as response:
                    content = await self._read(response)
        except TimeoutError:
            raise self._too_slow() from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise PassingFailureError(f"{type(error).__name__}: {error}") from None
        return self._reply_of(response, content)

    async def stream(self, body: dict[str, Any], on_delta: OnDelta) -> ChatReply:
        """Return the reply to one body, and show its pieces as they come."""
        try:
            async with self._open(body) as response:
                kind = response.headers.get("content-type", "")
                if response.status_code == 200 and kind.startswith("text/event-stream"):
                    return await self._follow(response, on_delta)
                content = await self._read(response)
        except httpx.ReadTimeout:
            raise self._too_slow() from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise PassingFailureError(f"{type(error).__name__}: {error}") from None
        reply = self._reply_of(response, content)  # an error, or a server that does not stream
        for text, is_reasoning in ((reply.reasoning, True), (reply.text, False)):
            if text:
                on_delta(Delta(text=text, is_reasoning=is_reasoning))
        return reply

    async def get(self, url: str) -> Any:
        """Return the JSON at an address; None if there is none. A refused key is an error."""
        try:
            async with asyncio.timeout(self._config.request_timeout_seconds):
                async with self._client().stream("GET", url) as response:
                    content = await self._read(response)
        except TimeoutError:
            raise self._too_slow() from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            is_unreachable = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            raise PassingFailureError(
                f"{type(error).__name__}: {error}", is_unreachable=is_unreachable
            ) from None
        if response.status_code in _PASSING_STATUSES | _KEY_STATUSES:
            self._refuse(response, content)
        if response.status_code != 200:
            return None
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            return None

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    def _open(self, body: dict[str, Any]) -> Any:
        return self._client().stream("POST", self._config.completions_url, json=body)

    async def _follow(self, response: httpx.Response, on_delta: OnDelta) -> ChatReply:
        """Read a stream to its end."""
        events = EventLines(self._config.max_reply_bytes)
        reply = StreamedReply()
        num_characters = 0
        try:
            async for piece in response.aiter_bytes():
                for chunk in events.add(piece):
                    for delta in reply.add(chunk):
                        num_characters += len(delta.text)
                        on_delta(delta)
                if num_characters > self._config.max_reply_bytes:
                    raise self._too_large()
                if events.is_done:
                    break
            for chunk in events.end():
                for delta in reply.add(chunk):
                    on_delta(delta)
            return self._ended(reply.end(is_done=events.is_done))
        except StreamError as error:
            self._refuse(response, error.content)
            raise  # unreachable: a refusal always raises
        except UnusableBodyError as error:
            raise PassingFailureError(str(error)) from None

    def _reply_of(self, response: httpx.Response, content: bytes) -> ChatReply:
        if response.status_code != 200 or has_error(content):
            self._refuse(response, content)
        try:
            return self._ended(parse_reply(content))
        except UnusableBodyError as error:
            raise PassingFailureError(str(error)) from None

    def _ended(self, reply: ChatReply) -> ChatReply:
        if reply.finish_reason in _PASSING_FINISHES:
            raise PassingFailureError(f"the reply ended by {reply.finish_reason!r}")
        return reply

    async def _read(self, response: httpx.Response) -> bytes:
        pieces: list[bytes] = []
        num_bytes = 0
        async for piece in response.aiter_bytes():
            num_bytes += len(piece)
            if num_bytes > self._config.max_reply_bytes:
                raise self._too_large()
            pieces.append(piece)
        return b"".join(pieces)

    def _refuse(self, response: httpx.Response, content: bytes) -> None:
        """Raise what an error response means."""
        status, config = response.status_code, self._config
        code, message = error_of(content)
        said = self._without_key(f"status {status} {code}: {message}")
        if is_too_long(status, code, message):
            raise EndpointContextLengthError(
                f"prompt and reply do not fit the window of {config.model}: {said}; expected a "
                "shorter prompt or a model with a larger window",
                stated_window(message),
            )
        if code in _SETUP_CODES or status in _SETUP_STATUSES:
            raise EndpointSetupError(
                f"{config.url} refused the model {config.model!r}: {said}; check the address, "
                f"the model name and the key in {KEY_VARIABLES[0]}"
            )
        if status in _PASSING_STATUSES or status >= 500 or status == 200:
            wait = retry_after_seconds(response.headers.get("retry-after"))
            raise PassingFailureError(said, wait)
        raise EndpointRefusedError(
            f"{config.model} refused a request: {said}; expected a reply; shorten the prompt or "
            "leave this document out"
        )

    def _too_slow(self) -> PassingFailureError:
        return PassingFailureError(f"no reply within {self._config.request_timeout_seconds:g} s")

    def _too_large(self) -> EndpointRefusedError:
        return EndpointRefusedError(
            f"the body of a reply of {self._config.model} is over {self._config.max_reply_bytes} "
            "bytes; expected a chat completion; raise max_reply_bytes if that is wanted"
        )

    def _without_key(self, text: str) -> str:
        return text.replace(self._api_key, "***") if self._api_key else text

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            config = self._config
            headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
            self._http = httpx.AsyncClient(
                headers=headers,
                timeout=httpx.Timeout(
                    config.request_timeout_seconds, connect=config.connect_timeout_seconds
                ),
                transport=LaneTransport(config.concurrency),
                # A proxy of the environment is for the outside, never for this machine.
                trust_env=not config.is_local,
                follow_redirects=False,
            )
        return self._http
