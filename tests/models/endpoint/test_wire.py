import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from longloom.config import parse_config
from longloom.errors import ConfigError, ModelError
from longloom.models.endpoint.cache import CACHE_FILE, EndpointCache
from longloom.models.endpoint.config import EndpointConfig
from longloom.models.endpoint.limits import CallLimits
from longloom.models.endpoint.wire import (
    UnusableBodyError,
    error_of,
    parse_reply,
    retry_after_seconds,
)


class SimulatedTime:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def starts_of(limits: CallLimits, time: SimulatedTime, num_tokens: list[int]) -> list[float]:
    async def run() -> list[float]:
        starts = []
        for tokens in num_tokens:
            await limits.wait_turn(tokens)
            starts.append(time.now)
        return starts

    return asyncio.run(run())


def limits_with(time: SimulatedTime, *, requests: int = 0, tokens: int = 0) -> CallLimits:
    return CallLimits(
        requests_per_minute=requests, tokens_per_minute=tokens, clock=time.clock, sleep=time.sleep
    )


def test_requests_are_spread_over_the_minute() -> None:
    time = SimulatedTime()
    assert starts_of(limits_with(time, requests=120), time, [1, 1, 1]) == [0.0, 0.5, 1.0]


def test_tokens_are_spread_over_the_minute() -> None:
    time = SimulatedTime()
    assert starts_of(limits_with(time, tokens=600), time, [100, 50, 1]) == [0.0, 10.0, 15.0]


def test_corrected_estimate_brings_the_next_call_forward() -> None:
    time = SimulatedTime()
    limits = limits_with(time, tokens=600)
    starts_of(limits, time, [100])
    limits.correct(-60)
    assert starts_of(limits, time, [1]) == [4.0]


def test_pause_holds_every_call() -> None:
    time = SimulatedTime()
    limits = limits_with(time)
    limits.pause(3.0)
    assert starts_of(limits, time, [1, 1]) == [3.0, 3.0]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("Sat, 01 Jan 2000 00:00:10 GMT", 10.0),
        ("Fri, 31 Dec 1999 00:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, now=datetime(2000, 1, 1, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"choices": 3}',
        b'{"choices": [null]}',
        b'{"choices": [{"message": {"content": 5}}]}',
        b"[" * 100_000,
    ],
)
def test_body_that_is_no_completion_is_unusable(body: bytes) -> None:
    with pytest.raises(UnusableBodyError):
        parse_reply(body)


def test_lone_surrogates_and_missing_counts_do_no_harm() -> None:
    reply = parse_reply(
        b'{"choices": [{"message": {"content": "a\\ud800b"}}], "usage": {"prompt_tokens": -1}}'
    )
    assert reply.text == "a\ufffdb"
    assert (reply.num_prompt_tokens, reply.is_complete) == (0, False)


def test_error_body_gives_code_and_message_on_one_line() -> None:
    assert error_of(b'{"error": {"code": "c", "message": "a\\n b"}}') == ("c", "a b")
    assert error_of(b"<html>\n</html>") == ("", "<html> </html>")


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://a/v1", "127.0.0.1:8000", "http://user:key@a/v1", "http://a/v1?key=b"),
        *("http://a:99999/v1", "http://a:b/v1", "http://a:0/v1", "http://[::1/v1", "http://[z]/v1"),
        *("http://a/v1\n", "http://a b/v1", "http:///v1", ""),
    ],
)
def test_address_with_secrets_or_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="url"):
        parse_config(EndpointConfig, {"url": url, "model": "m"})


def test_file_that_is_no_cache_is_named(tmp_path: Path) -> None:
    (tmp_path / CACHE_FILE).write_bytes(b"no database" * 1_000)
    with pytest.raises(ModelError, match=CACHE_FILE):
        EndpointCache(tmp_path)
