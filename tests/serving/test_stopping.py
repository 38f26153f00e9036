"""A server that is told to stop lets what runs finish, for a while; told twice, it stops."""

import json
import socket
import threading
import time

import httpx
import pytest

from longloom.memory.journal_file import JournalFile
from scripted_server import FACT, ScriptedTokens, Served, long_request, make_service, short_request

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]


def ask(server: Served, body: dict) -> tuple[threading.Thread, list[httpx.Response]]:
    replies: list[httpx.Response] = []

    def post() -> None:
        replies.append(httpx.post(f"{server.url}/chat/completions", json=body, timeout=20))

    thread = threading.Thread(target=post)
    thread.start()
    return thread, replies


def is_closed_within(seconds: float, server: Served) -> bool:
    """Whether the server takes no connection after a while."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
        except ConnectionRefusedError:
            return True
        except (ConnectionResetError, TimeoutError):  # it is closing
            continue
    return False


def test_what_runs_is_finished_and_new_connections_are_not_taken() -> None:
    model = ScriptedTokens(holds=lambda prompt: True)
    with Served(make_service(model)) as server:
        thread, replies = ask(server, short_request())
        assert model.is_held.wait(10)
        server.stop()
        assert is_closed_within(10, server)
        server.on_loop(lambda: model.may_go_on.set())
        thread.join(10)
        server.join()
    assert replies[0].json()["choices"][0]["message"]["content"] == "I do not know."
    assert not server.server.force_exit


@pytest.mark.parametrize("stream", [False, True])
def test_after_the_grace_a_reading_ends_and_goes_on_when_asked_again(stream, tmp_path) -> None:
    held = ScriptedTokens(holds=lambda prompt: FACT in prompt and "</section>" in prompt)
    with JournalFile(tmp_path / "journal.sqlite") as journal:
        with Served(make_service(held, journal=journal, grace_seconds=0.2)) as server:
            thread, replies = ask(server, long_request(stream=stream))
            assert held.is_held.wait(10)
            server.stop()
            thread.join(10)
            server.join()
        again = ScriptedTokens()
        with Served(make_service(again, journal=journal)) as server:
            thread, more = ask(server, long_request())
            thread.join(10)
    if stream:
        last = replies[0].text.rstrip("\n").split("\n\n")[-1]
        assert json.loads(last.removeprefix("data: "))["error"]["code"] == "server_stopping"
    else:
        assert replies[0].status_code == 503
        assert replies[0].json()["error"]["code"] == "server_stopping"
    own = more[0].json()["usage"]["longloom"]
    assert own["resumed_steps"] == len(held.requests) - 1 > 1
    assert len(again.requests) == own["steps"] - own["resumed_steps"] + 1
    assert more[0].json()["choices"][0]["message"]["content"] == FACT


def test_told_twice_it_stops_at_once() -> None:
    model = ScriptedTokens(holds=lambda prompt: True)
    with Served(make_service(model, grace_seconds=600)) as server:
        thread, _ = ask(server, short_request(stream=True))
        assert model.is_held.wait(10)
        begin = time.monotonic()
        server.stop()
        server.stop()
        server.join()
        thread.join(10)
        assert time.monotonic() - begin < 5
    assert server.server.force_exit
    assert model.num_open == 0
