"""A judge behind an OpenAI-compatible address.

    verdict (the caller's event loop) -> one loop in a thread of its own -> EndpointClient

Scores are computed in a new event loop for every batch, but the connections, the rate limits and
the calls under way of a client belong to one loop. So the client lives in a loop that lasts as long
as the judge, and every verdict is handed over to it. Calls overlap; equal ones are made once.

While the server does not answer, everybody waits: the calls are tried again with back-off until one
succeeds or the outage has lasted `max_outage_seconds`. Then all of them fail.
"""

import asyncio
import logging
import math
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Self

from longloom.errors import ModelError, RewardError
from longloom.models.endpoint.cache import EndpointCache
from longloom.models.endpoint.client import EndpointClient
from longloom.models.endpoint.errors import EndpointRefusedError, EndpointUnavailableError
from longloom.models.endpoint.limits import Clock, Sleep
from longloom.models.endpoint.messages import ChatReply, user_request
from longloom.rewards.judge import PromptJudge, Verdict, parse_verdict
from longloom.rewards.judge_config import JudgeConfig
from longloom.runlog.closing import ClosesOnExit

logger = logging.getLogger(__name__)

_CUT = frozenset({"length", "content_filter"})
"""Why a reply may end before its verdict."""
_SECONDS_BETWEEN_WARNINGS = 60.0


class EndpointJudge(ClosesOnExit):
    """Asks a chat model; a context manager that owns its connections."""

    def __init__(
        self,
        config: JudgeConfig,
        *,
        cache_folder: Path,
        api_key: str | None = None,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Open the cache; no call is made yet.

        Args:
            config: whom to ask, and how patiently.
            cache_folder: where replies are kept if `config` names no folder.
            api_key: replaces the key in the environment.
            clock: tells how long an outage lasts.
            sleep: waits between attempts.

        Raises:
            ModelError: the folder of the cache cannot be used.
        """
        self.config = config
        self._cache = EndpointCache(Path(config.cache_folder or cache_folder))
        self._clock = clock
        self._sleep = sleep
        self._client = EndpointClient(
            config.endpoint,
            cache=self._cache,
            is_kept=_is_clear,
            api_key=api_key,
            clock=clock,
            sleep=sleep,
        )
        self._judge = PromptJudge(self._ask)
        self._down_since: float | None = None
        self._answered_at = clock()
        self._warned_at = -math.inf
        self._counts = Counter[Verdict]()
        self._earlier_usage = replace(self._client.usage)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="judge", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Close the client, its thread and the kept replies."""
        asyncio.run_coroutine_threadsafe(self._client.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._cache.close()

    async def verdict(self, question: str, prediction: str, answer: str) -> Verdict:
        """Return what the judge says, or that it refuses this answer and the rule is to decide.

        Raises:
            RewardError: there is no reply, after the longest outage that is waited for.
        """
        try:
            verdict = await self._judge.verdict(question, prediction, answer)
        except _RefusedError:
            verdict = Verdict.REFUSED
        self._counts[verdict] += 1
        return verdict

    def take_metrics(self) -> dict[str, float]:
        """Return the figures since the last call: calls made and saved, and what was said.

        Warns if most verdicts since then were unclear.
        """
        usage, earlier, counts = self._client.usage, self._earlier_usage, self._counts
        metrics = {
            "reward/judge_calls": float(usage.num_calls - earlier.num_calls),
            "reward/judge_cached": float(usage.num_cache_hits - earlier.num_cache_hits),
            "reward/judge_retries": float(usage.num_retries - earlier.num_retries),
            "reward/judge_refused": float(counts[Verdict.REFUSED]),
            "reward/judge_unparsable": float(counts[Verdict.UNCLEAR]),
        }
        if num_given := counts[Verdict.YES] + counts[Verdict.NO] + counts[Verdict.UNCLEAR]:
            metrics["reward/judge_yes_fraction"] = counts[Verdict.YES] / num_given
        if 2 * counts[Verdict.UNCLEAR] > num_given:
            logger.warning(
                "%d of %d verdicts were unclear, neither [[YES]] nor [[NO]], and count as no; see "
                "whether judge.max_reply_tokens (%d) ends replies early, or take another judge",
                counts[Verdict.UNCLEAR],
                num_given,
                self.config.max_reply_tokens,
            )
        self._earlier_usage = replace(usage)
        self._counts = Counter()
        return metrics

    async def _ask(self, prompt: str) -> str:
        """Return the reply to a prompt, asked in the judge's own loop."""
        call = asyncio.run_coroutine_threadsafe(self._ask_until_answered(prompt), self._loop)
        return await asyncio.wrap_future(call)

    async def _ask_until_answered(self, prompt: str) -> str:
        request = user_request(prompt, max_new_tokens=self.config.max_reply_tokens)
        endpoint = self.config.endpoint
        # A server that hangs is out of order like one that is down, but its time-outs are long.
        patience_seconds = self.config.max_outage_seconds + endpoint.request_timeout_seconds
        wait_seconds = endpoint.first_backoff_seconds
        while True:
            started = self._clock()
            try:
                async with asyncio.timeout(patience_seconds):
                    reply = await self._client.complete(request)
            except (EndpointUnavailableError, TimeoutError) as error:
                await self._pause(started, wait_seconds, error)
                wait_seconds = min(2 * wait_seconds, endpoint.last_backoff_seconds)
            except EndpointRefusedError as error:
                raise self._refused(error) from error
            except ModelError as error:
                raise RewardError(f"the judge cannot be used: {error}; then {_RESUME}") from error
            else:
                self._down_since, self._answered_at = None, self._clock()
                return _readable(reply)

    async def _pause(self, started: float, wait_seconds: float, error: Exception) -> None:
        """Wait before the next attempt.

        Raises:
            RewardError: the outage has lasted too long.
        """
        now = self._clock()
        if self._down_since is None:
            self._down_since = max(started, self._answered_at)
        num_seconds = now - self._down_since
        left_seconds = self.config.max_outage_seconds - num_seconds
        if left_seconds <= 0:
            raise RewardError(
                f"the judge {self.config.endpoint.model!r} has not answered for {num_seconds:.0f} "
                f"s; judge.max_outage_seconds is {self.config.max_outage_seconds:g}: "
                f"{error or 'no reply in time'}; nothing was scored without it; see to the judge, "
                f"then {_RESUME}"
            ) from error
        if now - self._warned_at >= _SECONDS_BETWEEN_WARNINGS:
            self._warned_at = now
            logger.warning(
                "paused: the judge does not answer (%s); it is asked again for %.0f s more",
                error or "no reply in time",
                left_seconds,
            )
        await self._sleep(min(wait_seconds, left_seconds))

    def _refused(self, error: EndpointRefusedError) -> RewardError:
        kind = _RefusedError if self.config.refused == "rule" else RewardError
        return kind(
            f"the judge refused to judge an answer: {error}; set judge.refused=rule to let the "
            f"rule decide about such answers, then {_RESUME}"
        )


def _readable(reply: ChatReply) -> str:
    """Return the text of a whole reply; nothing of one that was cut."""
    return "" if reply.finish_reason in _CUT else reply.text


def _is_clear(reply: ChatReply) -> bool:
    """Return whether a reply gives a verdict; others are asked for again another time."""
    return parse_verdict(_readable(reply)) is not Verdict.UNCLEAR


class _RefusedError(RewardError):
    """The server will not judge this answer, and the rule is to decide."""


_RESUME = "run the same command again: it resumes at this step, and verdicts given are kept"
