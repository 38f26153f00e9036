"""Sizes, numbers, quotas and keys: what is too much is refused, in time and with a reason."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from longloom.errors import ConfigError
from longloom.memory.journal_file import JournalFile
from longloom.serving.app import make_app
from longloom.serving.gate import Gate, HeldBytes, KeyQuotas
from longloom.serving.keys import ANYBODY, ApiKeys, read_keys
from longloom.serving.refusals import RefusedError
from scripted_server import ScriptedTokens, Served, long_request, make_service, short_request

sockets = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]
PATH = "/v1/chat/completions"


def over_socket(test):
    for mark in sockets:
        test = mark(test)
    return test


# Turns


def test_turns_are_given_in_the_order_of_arrival() -> None:
    async def run() -> list[int]:
        gate = Gate(max_running=1, max_waiting=3, max_wait_seconds=10)
        order: list[int] = []

        async def take(number: int) -> None:
            async with gate.turn():
                order.append(number)
                await asyncio.sleep(0)

        await asyncio.gather(*(take(number) for number in range(4)))
        assert (gate.num_running, gate.num_waiting) == (0, 0)
        return order

    assert asyncio.run(run()) == [0, 1, 2, 3]


def test_who_finds_the_queue_full_or_waits_too_long_is_told_to_come_again() -> None:
    async def run() -> None:
        gate = Gate(max_running=1, max_waiting=1, max_wait_seconds=0.05)
        async with gate.turn():
            waiting = asyncio.create_task(AsyncExitStack().enter_async_context(gate.turn()))
            await asyncio.sleep(0)
            with pytest.raises(RefusedError) as full:
                await AsyncExitStack().enter_async_context(gate.turn())
            with pytest.raises(RefusedError) as late:
                await waiting
        for error in (full, late):
            assert error.value.refusal.status == 429
            assert int(error.value.refusal.headers["Retry-After"]) >= 1
        assert (gate.num_running, gate.num_waiting) == (0, 0)

    asyncio.run(run())


def test_a_turn_that_comes_with_a_cancellation_is_passed_on() -> None:
    async def run() -> None:
        gate = Gate(max_running=1, max_waiting=2, max_wait_seconds=10)
        async with AsyncExitStack() as first:
            await first.enter_async_context(gate.turn())
            second = asyncio.create_task(AsyncExitStack().enter_async_context(gate.turn()))
            third_stack = AsyncExitStack()
            third = asyncio.create_task(third_stack.enter_async_context(gate.turn()))
            await asyncio.sleep(0)
            await first.aclose()  # the second is told, and cancelled before it runs
            second.cancel()
            await asyncio.wait_for(third, 5)
            await third_stack.aclose()
        assert (gate.num_running, gate.num_waiting) == (0, 0)

    asyncio.run(run())


# Quotas


def test_a_bucket_fills_evenly_and_each_key_has_its_own() -> None:
    now = [100.0]
    quotas = KeyQuotas(requests_per_minute=2, tokens_per_minute=0, clock=lambda: now[0])
    quotas.begin("a")
    quotas.begin("a")
    quotas.begin("b")
    with pytest.raises(RefusedError) as error:
        quotas.begin("a")
    assert error.value.refusal.retry_after_seconds == pytest.approx(30)
    now[0] += 30
    quotas.begin("a")
    now[0] += 3_600  # never more than a minute's worth
    quotas.begin("a")
    quotas.begin("a")
    with pytest.raises(RefusedError):
        quotas.begin("a")


def test_tokens_are_paid_back_before_the_next_request() -> None:
    now = [0.0]
    quotas = KeyQuotas(requests_per_minute=0, tokens_per_minute=600, clock=lambda: now[0])
    quotas.begin("a")
    quotas.spend("a", 1_500)
    with pytest.raises(RefusedError) as error:
        quotas.begin("a")
    assert error.value.refusal.retry_after_seconds == pytest.approx(90)
    now[0] += 90
    quotas.begin("a")


def test_tokens_of_readings_count_for_the_key() -> None:
    service = make_service(tokens_per_minute=20_000)

    async def run() -> list[int]:
        transport = httpx.ASGITransport(make_app(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return [(await client.post(PATH, json=long_request())).status_code for _ in range(2)]

    assert asyncio.run(run()) == [200, 429]


def test_held_bytes_are_bounded_together() -> None:
    held = HeldBytes(10)
    held.take(6)
    with pytest.raises(RefusedError):
        held.take(5)
    held.give_back(6)
    held.take(10)


# Keys


def test_what_is_kept_for_one_key_is_not_used_for_another(tmp_path) -> None:
    model = ScriptedTokens()
    keys = ("first-key", "second-key")

    async def run(service) -> list[int]:
        transport = httpx.ASGITransport(make_app(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            replies = [
                await client.post(PATH, json=asked, headers={"authorization": f"Bearer {key}"})
                for asked in (short_request(), long_request())
                for key in (*keys, keys[0])
            ]
        return [reply.json()["usage"].get("longloom", {}).get("resumed_steps") for reply in replies]

    with JournalFile(tmp_path / "steps") as journal:
        service = make_service(model, keys=keys, journal=journal)
        none, _, _, first, second, again = asyncio.run(run(service))
    assert none is None  # it fits and is not read
    assert first == second == 0
    assert again > 0
    salts = [request.cache_salt for request in model.requests]
    assert len(set(salts)) == 2
    assert salts[0] == salts[2] != salts[1]
    assert all(keys[0] not in salt and keys[1] not in salt for salt in salts)


def test_keys_are_read_from_file_and_environment(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# ours\nfirst-key-1\n\nsecond-key-2\n")
    keys = read_keys(file, {"LONGLOOM_SERVER_KEYS": "third-key-3, first-key-1"})
    names = {key: keys.holder(f"Bearer {key}") for key in ("first-key-1", "second-key-2")}
    assert len(set(names.values())) == 2
    assert keys.holder("bearer third-key-3") not in names.values()
    assert not any(key in repr(vars(keys)) for key in names)
    for wrong in ("", "Bearer ", "Bearer third-key", "Basic third-key-3", "Bearer \ud800\xff" * 9):
        with pytest.raises(RefusedError) as error:
            keys.holder(wrong)
        assert error.value.refusal.status == 401


@pytest.mark.parametrize("key", ["short", "with blank 12", "umlaut-\xfc-12345"])
def test_unusable_keys_are_refused_without_showing_them(key: str) -> None:
    with pytest.raises(ConfigError) as error:
        ApiKeys([key])
    assert key not in str(error.value)


def test_no_keys_let_everybody_in(tmp_path: Path) -> None:
    assert read_keys(None, {}).holder("") == ANYBODY
    (tmp_path / "empty").write_text("\n# none\n")
    for file in (tmp_path / "empty", tmp_path / "missing"):
        with pytest.raises(ConfigError):
            read_keys(file, {})


# Over the wire


def statuses(service, requests, *, is_local: bool = True) -> list[int]:
    async def run() -> list[int]:
        transport = httpx.ASGITransport(make_app(service, is_local=is_local))
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return [(await client.send(client.build_request(**r))).status_code for r in requests]

    return asyncio.run(run())


def test_keys_guard_all_but_health_and_description() -> None:
    paths = ("/v1/models", "/v1/models/x", "/metrics", "/tokenize", PATH, "/nowhere")
    requests = [{"method": "GET", "url": path} for path in paths]
    assert statuses(make_service(keys=("a-long-key",)), requests) == [401] * len(paths)
    opened = [{"method": "GET", "url": path} for path in ("/health", "/openapi.json")]
    assert statuses(make_service(keys=("a-long-key",)), opened) == [200, 200]


@pytest.mark.parametrize(("host", "status"), [
    ("localhost:8000", 200), ("127.0.0.1:1", 200), ("[::1]:80", 200), ("[::1]", 200),
    ("evil.example", 403), ("evil.example:8000", 403), ("localhost.evil.example", 403),
])  # fmt: skip
def test_a_local_server_without_keys_answers_to_its_own_names_alone(host, status) -> None:
    request = {"method": "GET", "url": "/v1/models", "headers": {"host": host}}
    assert statuses(make_service(), [request]) == [status]
    assert statuses(make_service(), [request], is_local=False) == [200]
    with_key = {**request, "headers": {"host": host, "authorization": "Bearer a-long-key"}}
    assert statuses(make_service(keys=("a-long-key",)), [with_key]) == [200]


def test_a_page_of_a_browser_cannot_post() -> None:
    simple = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "")
    requests = [
        {"method": "POST", "url": PATH, "content": b"{}", "headers": {"content-type": kind}}
        for kind in simple
    ]
    assert statuses(make_service(), requests) == [415] * 4


@over_socket
def test_a_body_that_is_too_large_is_refused_while_it_comes_in() -> None:
    """Its end never comes: the refusal does not wait for it."""
    is_refused = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * (1 << 20)
        await is_refused.wait()

    async def post(url: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=20) as client:
            headers = {"content-type": "application/json"}
            request = client.build_request("POST", url, content=body(), headers=headers)
            sending = asyncio.create_task(client.send(request))
            await asyncio.wait((sending,), timeout=1)
            is_refused.set()
            return await sending

    with Served(make_service(max_body_bytes=1 << 20)) as server:
        response = asyncio.run(post(f"{server.url}/chat/completions"))
        assert response.status_code == 413
        assert response.json()["error"]["code"] == "body_too_large"
        assert server.on_loop(lambda: server.service.held_bytes.num_bytes) == 0


@over_socket
def test_a_stated_length_that_is_too_large_is_refused_unread() -> None:
    with (
        Served(make_service()) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection,
    ):
        head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: {65 << 20}\r\n\r\n".encode())
        assert connection.recv(20).startswith(b"HTTP/1.1 413")


@over_socket
def test_a_body_that_comes_too_slowly_is_refused() -> None:
    with (
        Served(make_service(body_seconds=0.1)) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection,
    ):
        head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        assert connection.recv(20).startswith(b"HTTP/1.1 408")


@over_socket
def test_a_connection_without_a_request_is_closed_and_one_that_is_answered_is_not() -> None:
    model = ScriptedTokens(holds=lambda prompt: True)
    replies: list[httpx.Response] = []
    with Served(make_service(model, head_seconds=0.3)) as server:
        address = ("127.0.0.1", server.port)
        url = f"{server.root}{PATH}"
        asking = threading.Thread(
            target=lambda: replies.append(httpx.post(url, json=short_request(), timeout=20))
        )
        asking.start()
        assert model.is_held.wait(10)
        with (
            socket.create_connection(address, timeout=10) as silent,
            socket.create_connection(address, timeout=10) as slow,
        ):
            slow.sendall(b"GET /health HTTP/1.1\r\nHost: local")
            assert silent.recv(20) == slow.recv(20) == b""
        server.on_loop(lambda: model.may_go_on.set())
        asking.join(10)
    assert replies[0].status_code == 200


@over_socket
def test_a_full_queue_is_told_with_the_time_to_come_again() -> None:
    model = ScriptedTokens(holds=lambda prompt: "first" in prompt)
    with Served(make_service(model, max_running=1, max_waiting=0)) as server:
        url = f"{server.url}/chat/completions"
        first = threading.Thread(target=lambda: httpx.post(url, json=short_request("first")))
        first.start()
        assert model.is_held.wait(10)
        response = httpx.post(url, json=short_request("second"))
        server.on_loop(lambda: model.may_go_on.set())
        first.join(10)
        assert response.status_code == 429
        assert response.json()["error"]["code"] == "server_busy"
        assert int(response.headers["retry-after"]) >= 1


@over_socket
@pytest.mark.parametrize("stream", [False, True])
def test_a_request_that_takes_too_long_is_ended(stream: bool) -> None:
    model = ScriptedTokens(holds=lambda prompt: True)
    with Served(make_service(model, max_seconds=0.3)) as server:
        begin = time.monotonic()
        asked = short_request(stream=stream)
        response = httpx.post(f"{server.url}/chat/completions", json=asked, timeout=10)
        assert time.monotonic() - begin < 5
        assert response.status_code == (200 if stream else 504)
        assert '"code":"timeout"' in response.text
        assert server.on_loop(lambda: model.num_open) == 0
