"""Tokens of answers that are handed on count for the key, and the bytes stay what they are.

With 60 tokens a minute a key pays back one a second: the wait after a request says what it cost.
"""

import asyncio
import gzip
import json

import httpx
import pytest

from longloom.serving.answer_tokens import AnswerTokens
from longloom.serving.app import make_app
from longloom.text.estimated_tokens import EstimatedTokens
from raw_upstream import events, reply
from scripted_server import FACT, ScriptedTokens, long_request, make_service, short_request

JSON = {"content-type": "application/json"}
STREAM = {"content-type": "text/event-stream; charset=utf-8"}
ANSWER = "one two three four five six seven eight nine ten"
"""Ten tokens of any vocabulary."""


def totals(headers: dict[str, str], *pieces: bytes) -> tuple[int, int]:
    counted = AnswerTokens(headers, EstimatedTokens())
    for piece in pieces:
        counted.add(piece)
    return counted.totals()


def line(chunk: object) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def test_what_a_backend_tells_is_believed() -> None:
    assert totals(JSON, json.dumps(reply(ANSWER)).encode()) == (11, 7)
    streamed = b"".join(events({"content": ANSWER}).pieces)
    assert totals(STREAM, *(streamed[at : at + 5] for at in range(0, len(streamed), 5))) == (11, 7)


def test_without_counts_all_that_was_said_is_estimated() -> None:
    call = {"index": 0, "function": {"name": "find", "arguments": " one two three"}}
    pieces = [
        line({"choices": [{"delta": {"role": "assistant", "reasoning_content": ANSWER}}]}),
        line({"choices": [{"index": 1, "delta": {"content": " " + ANSWER}}]}),
        line({"choices": [{"delta": {"tool_calls": [call]}}], "usage": None}),
        b"data: [DONE]\n\n",
    ]
    assert totals(STREAM, *pieces) == (0, pytest.approx(24, abs=2))
    assert totals(STREAM, *pieces[:1]) == (0, pytest.approx(10, abs=1))  # the client went away
    whole = {"choices": [{"message": {"content": ANSWER}}, {"message": {"content": ANSWER}}]}
    assert totals(JSON, json.dumps(whole).encode()) == (0, pytest.approx(20, abs=2))


@pytest.mark.parametrize(
    ("headers", "piece"),
    [
        (JSON, b"[" * 100_000),
        (JSON, b'{"choices": 5, "usage": {"completion_tokens": -4}}'),
        (JSON, b'{"choices": [5, {"message": {"content": 5, "tool_calls": [5]}}]}'),
        (JSON, b'{"choices": [{"message": {"content": "\\ud800"}}]}'),
        (STREAM, b"data: nonsense\n\n"),
        (STREAM, b"data: " + b"x" * 5_000_000),
        ({**STREAM, "content-encoding": "gzip"}, gzip.compress(b"data: {}\n\n")),
        ({}, b"\xff\xfe"),
    ],
)
def test_nothing_that_a_backend_sends_is_an_error(headers: dict[str, str], piece: bytes) -> None:
    num_prompt, num_answer = totals(headers, piece)
    assert num_prompt == 0
    assert 0 <= num_answer <= len(piece)


def cost(first: httpx.Response, second: httpx.Response) -> int:
    assert first.status_code == 200
    assert second.status_code == 429
    return int(second.headers["retry-after"]) + 60


def in_process(*requests: dict) -> list[httpx.Response]:
    service = make_service(ScriptedTokens(lambda prompt: FACT), tokens_per_minute=60)

    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(make_app(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return [await client.post("/v1/chat/completions", json=each) for each in requests]

    return asyncio.run(run())


@pytest.mark.parametrize("is_stream", [False, True])
def test_an_answer_of_a_model_in_this_process_counts_too(is_stream: bool) -> None:
    first, second = in_process(short_request("x" * 100, stream=is_stream), short_request())
    # One token is one byte: the prompt with its template, and the answer.
    assert cost(first, second) == pytest.approx(100 + 40 + len(FACT), abs=25)


def test_the_last_call_of_a_reading_counts_as_the_sections_do() -> None:
    first, second = in_process(long_request(), short_request())
    usage = first.json()["usage"]["longloom"]
    read = usage["backend_prompt_tokens"] + usage["backend_completion_tokens"]
    assert usage["backend_completion_tokens"] > len(FACT)
    assert cost(first, second) >= read
