"""Call a chat model over an OpenAI-compatible address.

    request -> cache? -> same call under way? -> limits -> POST -> parse -> cache -> reply
                                                   ^ retries with back-off |

Failures that may pass (429, 5xx, time-outs, resets, bodies cut off, garbage) are tried again; what
cannot pass raises a typed error. A reply is stored before it is returned. The key comes from the
environment, goes into one header, and is removed from whatever the server says.

`draw` is a call without cache and company: it shows its pieces and ends when it is cancelled.

What it leaves out: tools, and the `n` parameter; n samples are n requests, so that each is cached
by itself (servers with a prefix cache compute the prompt once).
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from longloom.models.endpoint.cache import EndpointCache
from longloom.models.endpoint.config import EndpointConfig, read_api_key
from longloom.models.endpoint.errors import (
    EndpointRefusedError,
    EndpointSetupError,
    EndpointUnavailableError,
)
from longloom.models.endpoint.limits import CallLimits, Clock, Sleep
from longloom.models.endpoint.messages import ChatReply, ChatRequest, user_request
from longloom.models.endpoint.transport import EndpointTransport, OnDelta, PassingFailureError
from longloom.models.endpoint.usage import EndpointUsage
from longloom.models.endpoint.wire import cache_key, estimated_tokens, request_body

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_WARNINGS = 10.0
"""Failures of calls that are tried again are shown at most so often."""

_UNREACHABLE_ATTEMPTS = 3
"""A look-up is given up after so many attempts that nobody took."""

_AttemptOnce = Callable[[], Awaitable[ChatReply]]
"""One attempt at a call."""


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
        self._transport = EndpointTransport(config, read_api_key() if api_key is None else api_key)
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

    async def draw(
        self, request: ChatRequest, begin_showing: Callable[[], OnDelta] | None = None
    ) -> ChatReply:
        """Return a reply of this call's own: not cached, not shared, and ended when cancelled.

        Args:
            request: what is asked.
            begin_showing: gives the receiver of the pieces of an attempt; called once for each,
                because an attempt that broke off has shown pieces already. Without it the reply is
                sent as a whole.
        """
        body = request_body(self.config, request)
        if begin_showing is None:
            return await self._call_and_count(request, lambda: self._transport.post(body))
        body["stream"] = True
        if self.config.sends_stream_options:
            body["stream_options"] = {"include_usage": True}
        return await self._call_and_count(
            request, lambda: self._transport.stream(body, begin_showing())
        )

    async def look_up(self, url: str, *, max_retries: int | None = None) -> Any:
        """Return the JSON at another address of the server; None if there is none.

        It is asked first of all, so where nobody takes the connection the address is likely wrong:
        that is said after a few seconds.

        Args:
            url: the address.
            max_retries: further attempts, if not those of the settings.

        Raises:
            EndpointSetupError: the server refuses the key.
            EndpointUnavailableError: the server cannot be reached.
        """
        failure = PassingFailureError("no attempt was made")
        most_attempts = 1 + (self.config.max_retries if max_retries is None else max_retries)
        num_attempts = 0
        while num_attempts < most_attempts:
            if num_attempts:
                await self._wait_before_retry(num_attempts, failure)
            num_attempts += 1
            try:
                async with self._slots:
                    return await self._transport.get(url)
            except PassingFailureError as passing:
                failure = passing
                self._say_failure(num_attempts, passing)
            if failure.is_unreachable and num_attempts >= _UNREACHABLE_ATTEMPTS:
                break
        raise EndpointUnavailableError(
            f"{url} gave no reply in {num_attempts} attempts; the last failure: {failure}; check "
            "the address and whether the server runs"
        )

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
        await self._transport.close()

    def _forget(self, key: str, call: asyncio.Task[ChatReply]) -> None:
        self._calls_by_key.pop(key, None)
        if not call.cancelled():
            call.exception()  # marks it as seen; waiters raise it themselves

    async def _call_and_store(
        self, key: str, request: ChatRequest, body: dict[str, Any]
    ) -> ChatReply:
        reply = await self._call_and_count(request, lambda: self._transport.post(body))
        if self._cache is not None and self._is_kept(reply):
            self._cache.put(key, reply)
        return reply

    async def _call_and_count(self, request: ChatRequest, attempt_once: _AttemptOnce) -> ChatReply:
        try:
            reply = await self._call_with_retries(request, attempt_once)
        except (EndpointRefusedError, EndpointSetupError, EndpointUnavailableError):
            self.usage.num_failures += 1
            raise
        self.usage.num_calls += 1
        self.usage.num_prompt_tokens += reply.num_prompt_tokens
        self.usage.num_completion_tokens += reply.num_completion_tokens
        return reply

    async def _call_with_retries(
        self, request: ChatRequest, attempt_once: _AttemptOnce
    ) -> ChatReply:
        num_estimated = estimated_tokens(request)
        failure = PassingFailureError("no attempt was made")
        for attempt in range(self.config.max_retries + 1):
            if attempt:
                self.usage.num_retries += 1
                await self._wait_before_retry(attempt, failure)
            async with self._slots:
                await self._limits.wait_turn(num_estimated)
                try:
                    reply = await attempt_once()
                except PassingFailureError as passing:
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

    def _say_failure(self, attempt: int, failure: PassingFailureError) -> None:
        """Warn about a failed attempt, but not about every one of many."""
        now = self._clock()
        level = logging.DEBUG
        if attempt > 1 and now - self._warned_at >= _SECONDS_BETWEEN_WARNINGS:
            self._warned_at = now
            level = logging.WARNING
        logger.log(level, "%s: %s (attempt %d); trying again", self.config.url, failure, attempt)

    async def _wait_before_retry(self, attempt: int, failure: PassingFailureError) -> None:
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
