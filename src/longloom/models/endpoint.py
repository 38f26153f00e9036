"""Call a chat model over an OpenAI-compatible address.

    request -> cache? -> same call under way? -> limits -> POST -> parse -> cache -> reply
                                                   ^ retries with back-off |

Failures that may pass (429, 5xx, time-outs, resets, bodies cut off, garbage) are tried again; what
cannot pass raises a typed error. A reply is stored before it is returned. The key comes from the
environment, goes into one header, and is removed from whatever the server says.

What it leaves out: streaming, tools, and the `n` parameter; n samples are n requests, so that each
is cached by itself (servers with a prefix cache compute the prompt once).
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import httpx

from longloom.models.endpoint_cache import EndpointCache
from longloom.models.endpoint_config import KEY_VARIABLES, EndpointConfig, read_api_key
from longloom.models.endpoint_errors import (
    EndpointRefusedError,
    EndpointSetupError,
    EndpointUnavailableError,
)
from longloom.models.endpoint_lanes import LaneTransport
from longloom.models.endpoint_limits import CallLimits, Clock, Sleep
from longloom.models.endpoint_messages import ChatReply, ChatRequest, user_request
from longloom.models.endpoint_usage import EndpointUsage
from longloom.models.endpoint_wire import (
    UnusableBodyError,
    cache_key,
    error_of,
    estimated_tokens,
    has_error,
    parse_reply,
    request_body,
    retry_after_seconds,
)

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_WARNINGS = 10.0
"""Failures of calls that are tried again are shown at most so often."""

_PASSING_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_SETUP_STATUSES = frozenset({301, 302, 307, 308, 401, 402, 403, 404, 405})
_SETUP_CODES = frozenset({"insufficient_quota", "invalid_api_key", "model_not_found"})


class _PassingFailure(Exception):
    """A failure after which the same call may succeed."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class EndpointClient:
    """One model behind one address; safe for any number of concurrent tasks of one event loop."""

    def __init__(
        self,
        config: EndpointConfig,
        *,
        cache: EndpointCache | None = None,
        is_kept: Callable[[ChatReply], bool] = lambda reply: True,
        api_key: str | None = None,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Take the key from the environment unless one is given; no call is made yet.

        Replies for which `is_kept` is false do not enter the cache.
        """
        self.config = config
        self.usage = EndpointUsage()
        self._cache = cache
        self._is_kept = is_kept
        self._api_key = read_api_key() if api_key is None else api_key
        self._sleep = sleep
        self._clock = clock
        self._warned_at = -_SECONDS_BETWEEN_WARNINGS
        self._limits = CallLimits(
            requests_per_minute=config.requests_per_minute,
            tokens_per_minute=config.tokens_per_minute,
            clock=clock,
            sleep=sleep,
        )
        self._slots = asyncio.Semaphore(config.concurrency)
        self._calls_by_key: dict[str, asyncio.Task[ChatReply]] = {}
        self._http: httpx.AsyncClient | None = None
        # Only spreads the waits of concurrent calls; no result depends on it.
        self._jitter = random.Random()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def name(self) -> str:
        """How the model is called in records."""
        return self.config.model

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Return the reply to one request; see `ChatModel`."""
        body = request_body(self.config, request)
        key = cache_key(self.config, request, body)
        if self._cache is not None and (stored := self._cache.get(key)) is not None:
            self.usage.num_cache_hits += 1
            return stored
        call = self._calls_by_key.get(key)
        if call is None:
            call = asyncio.create_task(self._call_and_store(key, request, body))
            self._calls_by_key[key] = call
            call.add_done_callback(lambda done: self._forget(key, done))
        else:
            self.usage.num_cache_hits += 1
        # One of several waiters may be cancelled; the call goes on for the others and the cache.
        return await asyncio.shield(call)

    async def samples(self, request: ChatRequest, num_samples: int) -> list[ChatReply]:
        """Return several replies to one request, each cached by itself."""
        requests = [
            replace(request, sample_index=request.sample_index + index)
            for index in range(num_samples)
        ]
        return list(await asyncio.gather(*(self.complete(sample) for sample in requests)))

    async def ask(self, prompt: str) -> str:
        """Return the text of a reply at temperature 0: what `PromptJudge` needs.

        Raises:
            ModelError: there is no reply, or it was cut.
        """
        reply = await self.complete(user_request(prompt))
        if not reply.is_complete:
            raise EndpointRefusedError(
                f"the reply of {self.name} ended by {reply.finish_reason or 'an unknown cause'!r}; "
                "expected 'stop'; raise the reply limit"
            )
        return reply.text

    async def close(self) -> None:
        """End calls under way and close the connections; the cache stays open."""
        calls = list(self._calls_by_key.values())
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    def _forget(self, key: str, call: asyncio.Task[ChatReply]) -> None:
        self._calls_by_key.pop(key, None)
        if not call.cancelled():
            call.exception()  # marks it as seen; waiters raise it themselves

    async def _call_and_store(
        self, key: str, request: ChatRequest, body: dict[str, Any]
    ) -> ChatReply:
        try:
            reply = await self._call_with_retries(request, body)
        except (EndpointRefusedError, EndpointSetupError, EndpointUnavailableError):
            self.usage.num_failures += 1
            raise
        if self._cache is not None and self._is_kept(reply):
            self._cache.put(key, reply)
        self.usage.num_calls += 1
        self.usage.num_prompt_tokens += reply.num_prompt_tokens
        self.usage.num_completion_tokens += reply.num_completion_tokens
        return reply

    async def _call_with_retries(self, request: ChatRequest, body: dict[str, Any]) -> ChatReply:
        num_estimated = estimated_tokens(request)
        failure = _PassingFailure("no attempt was made")
        for attempt in range(self.config.max_retries + 1):
            if attempt:
                self.usage.num_retries += 1
                await self._wait_before_retry(attempt, failure)
            async with self._slots:
                await self._limits.wait_turn(num_estimated)
                try:
                    reply = await self._post(body)
                except _PassingFailure as passing:
                    failure = passing
                    self._say_failure(attempt + 1, passing)
                    continue
            num_used = reply.num_prompt_tokens + reply.num_completion_tokens
            self._limits.correct(num_used - num_estimated if num_used else 0)
            return reply
        raise EndpointUnavailableError(
            f"{self.config.url} gave no usable reply in {self.config.max_retries + 1} attempts; "
            f"the last failure: {failure}; check the server and run again (what was answered is "
            "kept)"
        )

    def _say_failure(self, attempt: int, failure: _PassingFailure) -> None:
        """Warn about a failed attempt, but not about every one of many."""
        now = self._clock()
        level = logging.DEBUG
        if attempt > 1 and now - self._warned_at >= _SECONDS_BETWEEN_WARNINGS:
            self._warned_at = now
            level = logging.WARNING
        logger.log(level, "%s: %s (attempt %d); trying again", self.config.url, failure, attempt)

    async def _wait_before_retry(self, attempt: int, failure: _PassingFailure) -> None:
        config = self.config
        longest = min(
            config.last_backoff_seconds, config.first_backoff_seconds * 2.0 ** (attempt - 1)
        )
        wait = longest * self._jitter.uniform(0.5, 1.0)
        if failure.retry_after is not None:
            asked = min(failure.retry_after, config.max_retry_after_seconds)
            self._limits.pause(asked)
            wait = asked
        await self._sleep(wait)

    async def _post(self, body: dict[str, Any]) -> ChatReply:
        http = self._open_http()
        try:
            async with asyncio.timeout(self.config.request_timeout_seconds):
                async with http.stream("POST", self.config.completions_url, json=body) as response:
                    content = await self._read(response)
        except TimeoutError:
            seconds = self.config.request_timeout_seconds
            raise _PassingFailure(f"no reply within {seconds:g} s") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _PassingFailure(f"{type(error).__name__}: {error}") from None
        if response.status_code != 200 or has_error(content):
            self._refuse(response, content)
        try:
            return parse_reply(content)
        except UnusableBodyError as error:
            raise _PassingFailure(str(error)) from None

    async def _read(self, response: httpx.Response) -> bytes:
        pieces: list[bytes] = []
        num_bytes = 0
        async for piece in response.aiter_bytes():
            num_bytes += len(piece)
            if num_bytes > self.config.max_reply_bytes:
                raise EndpointRefusedError(
                    f"the body of a reply of {self.name} is over {self.config.max_reply_bytes} "
                    "bytes; expected a chat completion; raise max_reply_bytes if that is wanted"
                )
            pieces.append(piece)
        return b"".join(pieces)

    def _refuse(self, response: httpx.Response, content: bytes) -> None:
        """Raise what an error response means."""
        status = response.status_code
        code, message = error_of(content)
        said = self._without_key(f"status {status} {code}: {message}")
        if code in _SETUP_CODES or status in _SETUP_STATUSES:
            raise EndpointSetupError(
                f"{self.config.url} refused the model {self.name!r}: {said}; check the address, "
                f"the model name and the key in {KEY_VARIABLES[0]}"
            )
        if status in _PASSING_STATUSES or status >= 500 or status == 200:
            wait = retry_after_seconds(response.headers.get("retry-after"))
            raise _PassingFailure(said, wait)
        raise EndpointRefusedError(
            f"{self.name} refused a request: {said}; expected a reply; shorten the prompt or leave "
            "this document out"
        )

    def _without_key(self, text: str) -> str:
        return text.replace(self._api_key, "***") if self._api_key else text

    def _open_http(self) -> httpx.AsyncClient:
        if self._http is None:
            headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
            self._http = httpx.AsyncClient(
                headers=headers,
                timeout=httpx.Timeout(
                    self.config.request_timeout_seconds,
                    connect=self.config.connect_timeout_seconds,
                ),
                transport=LaneTransport(self.config.concurrency),
                # A proxy of the environment is for the outside, never for this machine.
                trust_env=not self.config.is_local,
                follow_redirects=False,
            )
        return self._http
