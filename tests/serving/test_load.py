"""Many clients for a long time: the server ends as it began."""

import asyncio
import gc
import tracemalloc

import httpx
import pytest

from scripted_server import ScriptedTokens, Served, long_request, make_service, short_request

pytestmark = [
    pytest.mark.slow,
    pytest.mark.enable_socket,
    pytest.mark.allow_hosts(["127.0.0.1"]),
]

NUM_CLIENTS = 200
NUM_WARM_UP, NUM_REQUESTS = 1_000, 10_000
MOST_GROWN_BYTES = 2_000_000
"""Of a server that has answered ten times as often as when it was warm."""


async def ask_many(url: str, num_requests: int) -> dict[str, int]:
    """Ask with all clients at once: streams, whole answers, errors, readings, and some go away."""
    counts: dict[str, int] = {}
    numbers = iter(range(num_requests))

    async def client_loop(client: httpx.AsyncClient) -> None:
        for number in numbers:
            kind = ("whole", "stream", "stream", "refused", "left")[number % 5]
            kind = "reading" if number % 500 == 7 else kind
            counts[kind] = counts.get(kind, 0) + await ask(client, kind)

    async def ask(client: httpx.AsyncClient, kind: str) -> int:
        address = f"{url}/chat/completions"
        if kind == "left":
            body = short_request("Hello", stream=True)
            async with client.stream("POST", address, json=body) as response:
                async for _ in response.aiter_bytes():
                    break
            return 1
        body = {
            "whole": short_request("Hello"),
            "stream": short_request("Hello", stream=True),
            "refused": short_request("Hello", temperature=9),
            "reading": long_request(stream=True),
        }[kind]
        response = await client.post(address, json=body)
        assert response.status_code == (400 if kind == "refused" else 200), response.text
        if kind in ("stream", "reading"):
            assert response.text.endswith("data: [DONE]\n\n")
        return 1

    limits = httpx.Limits(max_connections=1)
    clients = [httpx.AsyncClient(timeout=120, limits=limits) for _ in range(NUM_CLIENTS)]
    try:
        await asyncio.gather(*(client_loop(client) for client in clients))
    finally:
        for client in clients:
            await client.aclose()
    return counts


def test_memory_and_tasks_do_not_grow() -> None:
    model = ScriptedTokens()
    service = make_service(model, max_running=64, max_waiting=NUM_CLIENTS)
    with Served(service) as server:

        def state() -> tuple[int, int]:
            model.requests.clear()
            gc.collect()
            return tracemalloc.get_traced_memory()[0], len(asyncio.all_tasks())

        asyncio.run(ask_many(server.url, NUM_WARM_UP))
        tracemalloc.start()
        try:
            server.on_loop(state)
            asyncio.run(ask_many(server.url, NUM_WARM_UP))
            num_bytes, num_tasks = server.on_loop(state)
            counts = asyncio.run(ask_many(server.url, NUM_REQUESTS))
            bytes_after, tasks_after = server.on_loop(state)
        finally:
            tracemalloc.stop()
        assert sum(counts.values()) == NUM_REQUESTS
        assert tasks_after <= num_tasks
        assert bytes_after - num_bytes < MOST_GROWN_BYTES
        assert (model.num_open, service.gate.num_running, service.gate.num_waiting) == (0, 0, 0)
        assert service.held_bytes.num_bytes == 0
        assert not server.server.server_state.tasks
