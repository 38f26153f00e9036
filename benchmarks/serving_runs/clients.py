"""Concurrent clients over HTTP, each asking again as soon as it is answered."""

import asyncio
import json
import time
from dataclasses import dataclass
from random import Random

import httpx

from serving_runs.scenarios import Scenario, prompt_text

_ARRIVAL_SECONDS = 0.2
"""Clients arrive at random within this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFigures:
    """What the clients of a scenario saw."""

    wall_seconds: float
    """From the first request to the last answer."""
    num_tokens: int
    """Tokens of all answers, as the server counts them."""
    first_token_seconds: float
    """From a request to the first text of its answer; the mean."""


async def _asked(
    client: httpx.AsyncClient, model: str, text: str, answer_tokens: int
) -> tuple[int, float]:
    """Return the tokens of one streamed answer and the seconds until its first text."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": answer_tokens,
        "temperature": 1.0,
        "top_p": 1.0,
    }
    begin, first, num_tokens = time.perf_counter(), 0.0, 0
    async with client.stream("POST", "/v1/chat/completions", json=body) as response:
        if response.status_code != 200:
            raise RuntimeError(f"{response.status_code}: {(await response.aread())[:300]!r}")
        async for line in response.aiter_lines():
            # Most lines are small pieces; reading them all as JSON would cost more than the server.
            if not first and '"content":"' in line.replace('": "', '":"'):
                first = time.perf_counter() - begin
            if '"completion_tokens"' in line:
                num_tokens = json.loads(line.removeprefix("data:"))["usage"]["completion_tokens"]
    return num_tokens, first


async def _run(address: str, model: str, scenario: Scenario, round_number: int) -> ClientFigures:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=address, timeout=None, limits=limits) as client:

        async def one(number: int) -> list[tuple[int, float]]:
            arrival = Random(f"{scenario.name}/{round_number}/{number}").random()
            if scenario.num_clients > 1:
                await asyncio.sleep(arrival * _ARRIVAL_SECONDS)
            return [
                await _asked(
                    client,
                    model,
                    prompt_text(scenario, number, turn, round_number=round_number),
                    scenario.answer_tokens,
                )
                for turn in range(scenario.num_requests)
            ]

        begin = time.perf_counter()
        answers = await asyncio.gather(*(one(number) for number in range(scenario.num_clients)))
        wall_seconds = time.perf_counter() - begin
    flat = [answer for each in answers for answer in each]
    return ClientFigures(
        wall_seconds=wall_seconds,
        num_tokens=sum(num_tokens for num_tokens, _ in flat),
        first_token_seconds=sum(first for _, first in flat) / len(flat),
    )


def run_clients(address: str, model: str, scenario: Scenario, round_number: int) -> ClientFigures:
    """Run the clients of a scenario against a server.

    Raises:
        RuntimeError: an answer has another length than was asked for, or the server refused.
    """
    figures = asyncio.run(_run(address, model, scenario, round_number))
    if figures.num_tokens != scenario.num_answer_tokens:
        raise RuntimeError(
            f"{scenario.name}: the answers have {figures.num_tokens} tokens; expected "
            f"{scenario.num_answer_tokens}"
        )
    return figures
