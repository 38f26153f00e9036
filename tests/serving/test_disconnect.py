"""Whoever goes away stops the work for them, within a second."""

import json
import socket
import time
from typing import Any

import pytest

from scripted_server import (
    FACT,
    ScriptedTokens,
    Served,
    long_request,
    make_service,
    short_request,
)

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]


def open_request(server: Served, body: dict[str, Any]) -> socket.socket:
    """Send a request over a socket of its own; nothing is read."""
    content = json.dumps(body).encode()
    host, port = "127.0.0.1", server.port
    connection = socket.create_connection((host, port), timeout=10)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json"
    connection.sendall(f"{head}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)
    return connection


HELD = {
    "an answer": (short_request, lambda prompt: True),
    "a section": (long_request, lambda prompt: FACT in prompt and "</section>" in prompt),
    "the answer of a reading": (long_request, lambda prompt: "</section>" not in prompt),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("where", HELD)
def test_the_model_stops_within_a_second_of_a_disconnect(where: str, stream: bool) -> None:
    make_request, holds = HELD[where]
    model = ScriptedTokens(holds=holds)
    with Served(make_service(model)) as server:
        connection = open_request(server, make_request(stream=stream))
        assert model.is_held.wait(10)
        begin = time.monotonic()
        connection.close()
        assert model.was_left.wait(1.0)
        assert model.left_at - begin < 1.0
        assert server.on_loop(lambda: model.num_open) == 0
        server.stop()
        server.join()
        assert server.num_tasks_left == 0
        assert server.service.gate.num_running == 0
        assert server.service.held_bytes.num_bytes == 0
        assert "longloom_disconnects_total 1" in server.service.metrics.text({})


def test_a_request_that_waits_for_its_turn_leaves_the_queue() -> None:
    model = ScriptedTokens(holds=lambda prompt: "first" in prompt)
    with Served(make_service(model, max_running=1)) as server:
        first = open_request(server, short_request("first"))
        assert model.is_held.wait(10)
        second = open_request(server, short_request("second"))
        deadline = time.monotonic() + 10
        while not server.on_loop(lambda: server.service.gate.num_waiting):
            assert time.monotonic() < deadline
        second.close()
        while server.on_loop(lambda: server.service.gate.num_waiting):
            assert time.monotonic() < deadline
        server.on_loop(lambda: model.may_go_on.set())
        assert b"200 OK" in first.recv(100)
        first.close()
        assert len(model.requests) == 1


def test_a_body_that_breaks_off_leaves_nothing_behind(caplog) -> None:
    with Served(make_service()) as server:
        host, port = "127.0.0.1", server.port
        connection = socket.create_connection((host, port), timeout=10)
        head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost"
        kind = "Content-Type: application/json"
        connection.sendall(f"{head}\r\n{kind}\r\nContent-Length: 1000\r\n\r\n{{".encode())
        deadline = time.monotonic() + 10
        while not server.on_loop(lambda: server.service.held_bytes.num_bytes):
            assert time.monotonic() < deadline
        connection.close()
        while server.on_loop(lambda: server.service.held_bytes.num_bytes):
            assert time.monotonic() < deadline
    assert caplog.text == ""
