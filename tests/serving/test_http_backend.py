"""A server behind the server: what fits is passed on untouched, the rest is read with its help."""

import json
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import openai
import pytest

from longloom.memory import MemoryConfig
from longloom.models.endpoint.chat import open_endpoint_chat
from longloom.models.endpoint.config import EndpointConfig
from longloom.serving.config import ServingConfig
from longloom.serving.http_backend import HttpBackend
from longloom.text.estimated_tokens import EstimatedTokens
from raw_upstream import RawUpstream, Sent, events, reply
from scripted_server import FACT, FILLER, QUESTION, Served, make_service

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

KEY = "the-key-of-the-upstream"
MEMORY = MemoryConfig(
    chunk_tokens=500, memory_tokens=200, decomposition="off", citations=True, answer_form="free"
)


class OpenedBackend(HttpBackend):
    """Opens what agents read with in the event loop of the server."""

    def __init__(self, config: EndpointConfig, serving: ServingConfig) -> None:
        self._endpoint, self._own = config, serving

    async def open(self) -> None:
        self._opened = asynccontextmanager(_opened_chat)(self._endpoint)
        chat = await self._opened.__aenter__()
        super().__init__(self._endpoint, chat, api_key=KEY, serving=self._own)
        await super().open()

    async def close(self) -> None:
        await super().close()
        await self._opened.__aexit__(None, None, None)


async def _opened_chat(config: EndpointConfig) -> Any:
    async with open_endpoint_chat(config, api_key=KEY, sleep=_no_wait) as chat:
        yield chat


async def _no_wait(seconds: float) -> None:
    pass


@contextmanager
def before(
    upstream: RawUpstream, connection: dict[str, Any] | None = None, **settings: Any
) -> Iterator[Served]:
    endpoint = EndpointConfig(
        url=upstream.url,
        model="upstream",
        first_backoff_seconds=0.01,
        max_retries=2,
        **connection or {},
    )
    backend = OpenedBackend(endpoint, ServingConfig(**settings))
    with Served(make_service(backend, memory=MEMORY, **settings)) as server:
        yield server


def post(server: Served, body: bytes, **headers: str) -> httpx.Response:
    found = {"content-type": "application/json", **headers}
    return httpx.post(f"{server.url}/chat/completions", content=body, headers=found, timeout=20)


def chat(content: str, **changes: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}], "model": "upstream", **changes}


def upstream_reads(path: str, headers: dict[str, str], body: bytes) -> Sent:
    """Do as the scripted model does, as a server."""
    asked = json.loads(body)
    prompt = asked["messages"][-1]["content"]
    if len(prompt) > 9_000:
        said = {"message": "maximum context length is 2000 tokens", "code": 400}
        return Sent((json.dumps({"error": said}).encode(),), status=400)
    if "</section>" in prompt:
        note = FACT if FACT in prompt else "nothing yet"
        text = f"<memory>{note}</memory><plan>go on</plan>"
        return Sent((json.dumps(reply(text)).encode(),))
    answer = FACT if FACT in prompt else "I do not know."
    if not asked.get("stream"):
        return Sent((json.dumps(reply(answer)).encode(),))
    return events({"role": "assistant", "reasoning": "Hm."}, {"content": answer})


LONG = f"<text>\n{FILLER * 150}{FACT}\n{FILLER * 150}</text>\n\n{QUESTION}"


@pytest.mark.parametrize(("most_of_estimate", "status"), [(0.85, 200), (0.7, 400)])
def test_an_estimate_somewhat_over_the_limit_refuses_nothing(most_of_estimate, status) -> None:
    """A text of as many tokens as are taken may have a quarter more by estimate."""
    most = round(EstimatedTokens().count(LONG) * most_of_estimate)
    with (
        RawUpstream(upstream_reads) as upstream,
        before(upstream, max_document_tokens=most) as server,
    ):
        response = post(server, json.dumps(chat(LONG, max_tokens=50)).encode())
    assert response.status_code == status


def test_a_request_that_fits_arrives_byte_for_byte_and_so_does_the_answer() -> None:
    odd = b'{ "model":"upstream",\n\t"messages" : [{"role":"user",'
    odd += b'"content":"\\u00e4\xc3\xa4\\ud800"}],'
    odd += b'"top_k":5, "x":{"y":[1.50,1e2]}, "top_k":6 ,"chat_template_kwargs":{"t":true}}\n'
    pieces = (b'{"choices" : [ ]', b', "reasoning_content":"\xc3', b'\xa4", "odd":1.50}')
    sent = Sent(pieces, kind="application/json; charset=utf-8", headers=("X-Other: 1",))
    with RawUpstream(lambda *_: sent) as upstream, before(upstream) as server:
        response = post(server, odd, authorization="Bearer of-the-client")
    assert upstream.chats == [odd]
    assert response.content == b"".join(pieces)
    assert response.headers["content-type"] == sent.kind
    assert "x-other" not in response.headers
    path, headers, _ = upstream.requests[-1]
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == f"Bearer {KEY}"


def test_a_stream_is_handed_on_unparsed() -> None:
    pieces = (b": hello\n\n", b'data: {"choices":[{"delta":{"reasoning":"a', b'b"}}]}\r\n\r\n',
              b"event: odd\ndata: {}\n\n", b"data: [DONE]\n\n")  # fmt: skip
    with (
        RawUpstream(lambda *_: Sent(pieces, kind="text/event-stream")) as upstream,
        before(upstream) as server,
    ):
        response = post(server, json.dumps(chat("Hello", stream=True)).encode())
    assert response.content == b"".join(pieces)


@pytest.mark.parametrize(("status", "exception"), [
    (400, openai.BadRequestError), (404, openai.NotFoundError),
    (422, openai.UnprocessableEntityError), (429, openai.RateLimitError),
    (500, openai.InternalServerError),
])  # fmt: skip
def test_refusals_of_the_backend_are_handed_on(status, exception) -> None:
    content = b'{"error":{"message":"its own words","type":"t","param":null,"code":7}}'
    sent = Sent((content,), status=status, headers=("Retry-After: 7",))
    with (
        RawUpstream(lambda *_: sent) as upstream,
        before(upstream) as server,
        openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as client,
        pytest.raises(exception) as error,
    ):
        client.chat.completions.create(**chat("Hello"))
    assert error.value.response.content == content
    assert error.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_the_servers_own_matter(status: int) -> None:
    sent = Sent((b'{"error":{"message":"bad key %s"}}' % KEY.encode(),), status=status)
    with RawUpstream(lambda *_: sent) as upstream, before(upstream) as server:
        response = post(server, json.dumps(chat("Hello")).encode())
    assert response.status_code == 502
    assert KEY not in response.text


def test_a_backend_that_is_gone_or_breaks_off_is_told() -> None:
    broken = Sent((b'data: {"choices":[]}\n\n',), kind="text/event-stream", ends="broken")
    with RawUpstream(lambda *_: broken) as upstream, before(upstream) as server:
        response = post(server, json.dumps(chat("Hello", stream=True)).encode())
        first, last = (
            response.text.strip().split("\n\n")[0],
            response.text.strip().split("\n\n")[-1],
        )
        assert first == 'data: {"choices":[]}'
        assert json.loads(last.removeprefix("data: "))["error"]["code"] == "backend_failed"
        upstream.stop()
        assert post(server, json.dumps(chat("Hello")).encode()).status_code == 502


@pytest.mark.parametrize("stream", [False, True])
def test_a_long_request_is_read_with_the_backend(stream: bool) -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    form = {"type": "json_object"}
    asked = chat(LONG, max_tokens=100, tools=tools, response_format=form, seed=4, top_k=9)
    asked |= {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    with (
        RawUpstream(upstream_reads) as upstream,
        before(upstream) as server,
        openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as client,
    ):
        asked.pop("top_k")
        answer = client.chat.completions.create(**asked, extra_body={"top_k": 9})
        if stream:
            chunks = list(answer)
            text = "".join(c.choices[0].delta.content or "" for c in chunks[:-1])
            usage = chunks[-1].usage
        else:
            message = answer.choices[0].message
            text, usage = message.content, answer.usage
            assert message.model_extra["reasoning_content"].endswith("Hm.")
    assert text == FACT
    *updates, final = [json.loads(body) for body in upstream.chats]
    assert all("</section>" in body["messages"][-1]["content"] for body in updates)
    assert all(not {"tools", "response_format", "top_k"} & body.keys() for body in updates)
    assert (final["tools"], final["response_format"], final["seed"]) == (tools, form, 4)
    assert (final["top_k"], final["max_tokens"], final["stream"]) == (9, 100, True)
    own = usage.model_extra["longloom"]
    assert own["steps"] == len(updates)
    assert usage.completion_tokens == 7 * len(upstream.chats)
    assert usage.completion_tokens_details.reasoning_tokens == 7 * len(updates)
    assert own["backend_prompt_tokens"] == 11 * len(upstream.chats)


def test_tool_calls_of_the_last_call_reach_the_client_joined() -> None:
    def answer(path: str, headers: dict[str, str], body: bytes) -> Sent:
        if "</section>" in json.loads(body)["messages"][-1]["content"]:
            return upstream_reads(path, headers, body)
        call = {"index": 0, "id": "c1", "function": {"name": "look_up", "arguments": '{"a'}}
        more = {"index": 0, "function": {"arguments": '": 1}'}}
        return events({"tool_calls": [call]}, {"tool_calls": [more]}, finish="tool_calls")

    with RawUpstream(answer) as upstream, before(upstream) as server:
        response = post(server, json.dumps(chat(LONG, max_tokens=100)).encode())
    [choice] = response.json()["choices"]
    assert choice["finish_reason"] == "tool_calls"
    [call] = choice["message"]["tool_calls"]
    assert (call["id"], call["type"]) == ("c1", "function")
    assert call["function"] == {"name": "look_up", "arguments": '{"a": 1}'}


def test_a_request_that_the_backend_finds_too_long_is_read_after_all() -> None:
    """The estimate says that it fits, the backend knows better."""
    seen = []

    def answer(path: str, headers: dict[str, str], body: bytes) -> Sent:
        prompt = json.loads(body)["messages"][-1]["content"]
        seen.append(len(prompt))
        if "</section>" not in prompt and "<text>" in prompt:
            said = {"message": "This model's maximum context length is 2000 tokens.", "code": 400}
            return Sent((json.dumps({"error": said}).encode(),), status=400)
        return upstream_reads(path, headers, body)

    content = f"<text>\n{FILLER * 30}{FACT}\n</text>\n\n{QUESTION}"
    with RawUpstream(answer) as upstream, before(upstream) as server:
        response = post(server, json.dumps(chat(content, max_tokens=100)).encode())
        refused = post(
            server,
            json.dumps(chat(content, max_tokens=100)).encode(),
            **{"X-Longloom-Read": "never"},
        )
    assert response.json()["choices"][0]["message"]["content"] == FACT
    assert seen[0] == len(content)
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "context_length_exceeded"


def test_near_the_window_the_backends_own_count_decides() -> None:
    count = 0

    def answer(path: str, headers: dict[str, str], body: bytes) -> Sent:
        if path == "/tokenize":
            return Sent((json.dumps({"count": count}).encode(),))
        return upstream_reads(path, headers, body)

    content = f"<text>\n{FILLER * 115}{FACT}\n</text>\n\n{QUESTION}"
    asked = json.dumps(chat(content, max_tokens=100)).encode()
    with RawUpstream(answer) as upstream, before(upstream) as server:
        count = 1_900
        post(server, asked)
        assert upstream.chats == [asked]
        count = 1_901
        post(server, asked)
        assert "</section>" in json.loads(upstream.chats[1])["messages"][-1]["content"]


def test_the_last_call_is_tried_again_while_nothing_was_shown() -> None:
    num_failed = 0

    def answer(path: str, headers: dict[str, str], body: bytes) -> Sent:
        nonlocal num_failed
        if "</section>" not in json.loads(body)["messages"][-1]["content"] and num_failed < 2:
            num_failed += 1
            return Sent((b"<html>",), status=503)
        return upstream_reads(path, headers, body)

    with RawUpstream(answer) as upstream, before(upstream) as server:
        response = post(server, json.dumps(chat(LONG, max_tokens=100)).encode())
    assert num_failed == 2
    assert response.json()["choices"][0]["message"]["content"] == FACT


@pytest.mark.parametrize("where", ["answer", "section", "last call"])
def test_a_disconnect_reaches_the_backend_within_a_second(where: str) -> None:
    def answer(path: str, headers: dict[str, str], body: bytes) -> Sent:
        is_section = "</section>" in json.loads(body)["messages"][-1]["content"]
        if where == "answer" or is_section == (where == "section"):
            return Sent((b": \n\n",), kind="text/event-stream", ends="held")
        return upstream_reads(path, headers, body)

    content = "Hello" if where == "answer" else LONG
    asked = json.dumps(chat(content, max_tokens=100, stream=True)).encode()
    with RawUpstream(answer) as upstream, before(upstream) as server:
        with (
            httpx.Client(timeout=20) as client,
            client.stream(
                "POST",
                f"{server.url}/chat/completions",
                content=asked,
                headers={"content-type": "application/json"},
            ),
        ):
            assert upstream.is_held.wait(10)
            assert not upstream.was_left.is_set()
        assert upstream.was_left.wait(1.0)


def test_tokens_are_counted_by_estimate() -> None:
    with RawUpstream(upstream_reads) as upstream, before(upstream) as server:
        response = httpx.post(f"{server.root}/tokenize", json={"prompt": "Four words it has"})
    counted = response.json()
    assert (counted["count"], counted["is_exact"], counted["tokens"]) == (
        EstimatedTokens().count("Four words it has"),
        False,
        None,
    )


@pytest.mark.parametrize("is_stream", [False, True])
def test_an_answer_that_is_handed_on_counts_for_the_key(is_stream: bool) -> None:
    usage = {"prompt_tokens": 11, "completion_tokens": 900}
    sent = Sent((json.dumps({**reply("ten"), "usage": usage}).encode(),))
    if is_stream:
        counts = b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"
        sent = Sent((counts, b"data: [DONE]\n\n"), kind="text/event-stream")
    asked = json.dumps(chat("Hello", stream=is_stream)).encode()
    with (
        RawUpstream(lambda *_: sent) as upstream,
        before(upstream, tokens_per_minute=60) as server,
    ):
        first, second = post(server, asked), post(server, asked)
    assert first.content == b"".join(sent.pieces)
    assert [first.status_code, second.status_code] == [200, 429]
    assert len(upstream.chats) == 1
    # A token a second is paid back, from 60 on.
    assert int(second.headers["retry-after"]) + 60 == pytest.approx(911, abs=3)


@pytest.mark.parametrize("stated", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("wanted", ["max_tokens", "max_completion_tokens"])
def test_limits_are_sent_by_the_name_that_the_server_knows(stated: str, wanted: str) -> None:
    asked = [json.dumps(chat(content, **{stated: 60})).encode() for content in ("Hello", LONG)]
    with (
        RawUpstream(upstream_reads) as upstream,
        before(upstream, {"limit_field": wanted}) as server,
    ):
        for body in asked:
            assert post(server, body).status_code == 200
    relayed, *read = upstream.chats
    assert relayed == asked[0]
    limits = [{name: json.loads(body).get(name) for name in (stated, wanted)} for body in read]
    assert all(found[wanted] for found in limits)
    assert limits[-1][wanted] == 60
    assert stated == wanted or all(found[stated] is None for found in limits)
