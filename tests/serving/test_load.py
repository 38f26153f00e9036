"""Many clients for a long time: the server ends as it began."""

import asyncio
import gc
import json
from pathlib import Path
from typing import Any

import pytest

from scripted_server import ScriptedTokens, Served, long_request, make_service, short_request

pytestmark = [
    pytest.mark.slow,
    pytest.mark.enable_socket,
    pytest.mark.allow_hosts(["127.0.0.1"]),
]

NUM_CLIENTS = 200
NUM_WARM_UP, NUM_REQUESTS = 2_000, 10_000
MOST_NEW_OBJECTS = 2_000
"""Fewer than one for every fifth request."""
MOST_NEW_BYTES = 16_000_000
"""Of resident memory, which an allocator gives back as it likes."""


def posted(body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
    return f"{head}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


REQUESTS = {
    "whole": posted(short_request()),
    "stream": posted(short_request(stream=True)),
    "left": posted(short_request(stream=True)),
    "refused": posted(short_request(temperature=9)),
    "reading": posted(long_request(stream=True)),
}


class Client:
    """One connection after the other; as little of HTTP as the server speaks."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, kind: str) -> None:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(REQUESTS[kind])
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400" if kind == "refused" else b"HTTP/1.1 200"), head
        if kind == "left":
            await self.close()
        elif b"hunked" in head:
            body = await self._reader.readuntil(b"\r\n0\r\n\r\n")
            assert (b"[DONE]" in body) == (kind != "whole")
        else:
            length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
            await self._reader.readexactly(int(length))

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            await self._writer.wait_closed()
            self._writer = None


async def ask_many(port: int, num_requests: int) -> dict[str, int]:
    """Ask with all clients at once: streams, whole answers, errors, readings, and some go away."""
    counts = dict.fromkeys(REQUESTS, 0)
    numbers = iter(range(num_requests))

    async def ask_on(client: Client) -> None:
        try:
            for number in numbers:
                kind = ("whole", "stream", "stream", "refused", "left")[number % 5]
                kind = "reading" if number % 500 == 7 else kind
                await client.ask(kind)
                counts[kind] += 1
        finally:
            await client.close()

    await asyncio.gather(*(ask_on(Client(port)) for _ in range(NUM_CLIENTS)))
    return counts


def resident_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1_024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory as Linux tells it")
def test_memory_and_tasks_do_not_grow() -> None:
    model = ScriptedTokens()
    with Served(make_service(model, max_running=64, max_waiting=NUM_CLIENTS)) as server:

        def state() -> tuple[int, int, int]:
            model.requests.clear()
            gc.collect()
            return len(gc.get_objects()), len(asyncio.all_tasks()), resident_bytes()

        asyncio.run(ask_many(server.port, NUM_WARM_UP))
        num_objects, num_tasks, num_bytes = server.on_loop(state)
        counts = asyncio.run(ask_many(server.port, NUM_REQUESTS))
        objects_after, tasks_after, bytes_after = server.on_loop(state)
        assert sum(counts.values()) == NUM_REQUESTS
        assert min(counts.values()) >= NUM_REQUESTS // 500
        assert tasks_after <= num_tasks
        assert objects_after - num_objects < MOST_NEW_OBJECTS
        assert bytes_after - num_bytes < MOST_NEW_BYTES
        assert (model.num_open, server.service.gate.num_running) == (0, 0)
        assert (server.service.gate.num_waiting, server.service.held_bytes.num_bytes) == (0, 0)
