"""Models called by an actor: the same replies, errors, counts and cache as in one process."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from longloom.engines.ray.executor import RayExecutor
from longloom.engines.ray.model import RayModel
from longloom.errors import ModelError
from longloom.models.endpoint.cache import CACHE_FILE
from longloom.models.endpoint.config import EndpointConfig
from longloom.models.endpoint.errors import EndpointContextLengthError, EndpointRefusedError
from longloom.models.endpoint.messages import ChatReply, user_request
from longloom.models.endpoint.opening import CachedClient, OpenModel
from scripted_endpoint import (
    KEY,
    Fault,
    ScriptedEndpoint,
    always_fails,
    faults_in_turn,
    prompt_of,
)
from synthesis.endpoint.mill_corpus import write_mill_corpus
from synthesis.endpoint.mill_run import digests
from synthesis.endpoint.mill_run import run as run_mill

pytestmark = [
    pytest.mark.distributed,
    pytest.mark.enable_socket,
    pytest.mark.usefixtures("cluster"),
]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGLOOM_API_KEY", KEY)


def _config(url: str) -> EndpointConfig:
    return EndpointConfig(
        url=url,
        model="scripted",
        identity="scripted",
        concurrency=4,
        first_backoff_seconds=0.01,
        last_backoff_seconds=0.02,
    )


def _asked(
    open_model: OpenModel, folder: Path
) -> tuple[list[object], str, list[tuple[str, str]], ScriptedEndpoint]:
    """Ask 30 questions, and again what was answered; return replies, cost, cache and server."""
    faults = faults_in_turn((Fault.SERVER_ERROR, Fault.REFUSED, Fault.CONTEXT_LENGTH))
    requests = [user_request(f"question {number}") for number in range(30)]
    with ScriptedEndpoint(lambda body: prompt_of(body).upper(), faults=faults) as endpoint:
        model = open_model(_config(endpoint.url), folder)

        async def ask_all() -> list[object]:
            asked = (model.complete(request) for request in requests)
            replies = await asyncio.gather(*asked, return_exceptions=True)
            pairs = zip(requests, replies, strict=True)
            again = [request for request, reply in pairs if isinstance(reply, ChatReply)]
            replies += await asyncio.gather(*(model.complete(request) for request in again))
            await model.close()
            return list(replies)

        replies = asyncio.run(ask_all())
        assert model.name == "scripted"
    with sqlite3.connect(folder / CACHE_FILE) as stored:
        rows = stored.execute("SELECT key, reply FROM replies ORDER BY key").fetchall()
    stored.close()
    return replies, model.usage.cost_line(), rows, endpoint


def test_replies_errors_and_cache_are_those_of_one_process(tmp_path: Path) -> None:
    here, cost_here, rows_here, _ = _asked(CachedClient, tmp_path / "here")
    there, cost, rows, endpoint = _asked(RayModel, tmp_path / "there")
    assert [repr(reply) for reply in there] == [repr(reply) for reply in here]
    assert {EndpointContextLengthError, EndpointRefusedError, ChatReply} <= set(map(type, there))
    too_long = [reply for reply in there if isinstance(reply, EndpointContextLengthError)]
    assert {error.window_tokens for error in too_long} == {100}
    assert rows == rows_here
    assert rows
    assert cost == cost_here
    assert endpoint.most_at_once <= 4


def test_the_key_is_sent_and_written_nowhere(tmp_path: Path, ray_folder: Path) -> None:
    *_, endpoint = _asked(RayModel, tmp_path)
    assert {headers["authorization"] for headers in endpoint.headers} == {f"Bearer {KEY}"}
    written = [path for root in (tmp_path, ray_folder) for path in root.rglob("*")]
    assert not any(KEY.encode() in path.read_bytes() for path in written if path.is_file())


def test_closing_ends_what_is_under_way(tmp_path: Path) -> None:
    with ScriptedEndpoint(prompt_of, faults=always_fails(Fault.SLOW)) as endpoint:
        model = RayModel(_config(endpoint.url), tmp_path)

        async def leave() -> None:
            call = asyncio.create_task(model.complete(user_request("hello")))
            while not endpoint.bodies:
                await asyncio.sleep(0.01)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await model.close()
            while not endpoint.num_left:
                await asyncio.sleep(0.01)

        asyncio.run(asyncio.wait_for(leave(), 30))
    assert endpoint.num_left == 1


def test_a_killed_actor_loses_nothing(tmp_path: Path) -> None:
    import ray

    with ScriptedEndpoint(prompt_of, faults=_second_hangs_first) as endpoint:
        model = RayModel(_config(endpoint.url), tmp_path)

        async def survive() -> ChatReply:
            await model.complete(user_request("first"))
            call = asyncio.create_task(model.complete(user_request("second")))
            while len(endpoint.bodies) < 2:
                await asyncio.sleep(0.01)
            ray.kill(model._actor)
            reply = await call
            assert (await model.complete(user_request("first"))).is_cached
            await model.close()
            return reply

        assert asyncio.run(asyncio.wait_for(survive(), 60)).text == "second"
    assert len(endpoint.bodies) == 3
    assert model.usage.num_calls == 2
    assert model.usage.num_cache_hits == 1


def _second_hangs_first(body: dict[str, Any], num_earlier: int) -> Fault | None:
    return Fault.SLOW if prompt_of(body) == "second" and not num_earlier else None


def test_a_cache_that_cannot_be_used_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / CACHE_FILE).write_text("no database", "utf-8")
    with pytest.raises(ModelError, match="the cache of replies"):
        RayModel(_config("http://127.0.0.1:9/v1"), tmp_path)


def test_a_synthesis_with_a_model_ends_in_the_same_files(tmp_path: Path) -> None:
    corpus = write_mill_corpus(tmp_path / "corpus")
    here = run_mill(corpus, tmp_path / "here")
    there = run_mill(corpus, tmp_path / "there", executor=RayExecutor(), open_model=RayModel)
    assert digests(there.folder) == digests(here.folder)
    assert there.messages[-1] == here.messages[-1]  # what the calls cost
