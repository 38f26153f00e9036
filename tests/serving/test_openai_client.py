"""What the `openai` client makes of the server, over a real socket."""

import asyncio

import openai
import pytest

from scripted_server import (
    FACT,
    MODEL,
    ScriptedTokens,
    Served,
    long_request,
    make_service,
    short_request,
)

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]


@pytest.fixture(scope="module")
def server():
    model = ScriptedTokens(
        lambda prompt: (
            "<think>\nHm, eight.\n</think>\n\nThe answer is 8. END more"
            if "4+4" in prompt
            else FACT
        )
    )
    with Served(make_service(model)) as served:
        yield served


@pytest.fixture
def client(server):
    with openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as made:
        yield made


def test_models_are_listed_and_looked_up(client) -> None:
    [card] = client.models.list().data
    assert (card.id, card.owned_by) == (MODEL, "longloom")
    assert client.models.retrieve(MODEL).model_extra["window_tokens"] == 8_000
    with pytest.raises(openai.NotFoundError) as error:
        client.models.retrieve("other")
    assert error.value.code == "model_not_found"


def test_an_answer_comes_as_a_whole(client) -> None:
    reply = client.chat.completions.create(**short_request(max_tokens=200))
    [choice] = reply.choices
    assert (choice.message.content, choice.finish_reason) == (FACT, "stop")
    assert reply.usage.completion_tokens == len(FACT) + 1  # a byte each, and the end
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_thinking_is_apart_and_stop_texts_end_the_answer(client) -> None:
    reply = client.chat.completions.create(**short_request("4+4?", stop=["END", "8. EN!"]))
    message = reply.choices[0].message
    assert message.content == "The answer is 8. "
    assert message.model_extra["reasoning_content"].strip() == "Hm, eight."
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.completion_tokens_details.reasoning_tokens > 0


def test_the_limit_of_tokens_cuts_and_says_so(client) -> None:
    reply = client.chat.completions.create(**short_request(max_completion_tokens=3))
    assert reply.choices[0].message.content == FACT[:3]
    assert reply.choices[0].finish_reason == "length"


def test_a_stream_joins_to_the_whole_answer_and_ends_with_counts(client) -> None:
    asked = short_request("4+4?", stop="END")
    whole = client.chat.completions.create(**asked)
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options=options))
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert all(chunk.choices for chunk in chunks[:-1])
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    assert text == whole.choices[0].message.content
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert len(chunks) > 10


def test_several_choices_and_log_probabilities(client) -> None:
    reply = client.chat.completions.create(**short_request(n=3, logprobs=True, max_tokens=4))
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    for choice in reply.choices:
        assert choice.message.content == FACT[:4]
        tokens = choice.logprobs.content
        assert "".join(token.token for token in tokens) == FACT[:4]
        assert {token.logprob for token in tokens} == {-0.5}
    assert reply.usage.completion_tokens == 12


def test_a_long_request_is_read_with_progress_in_the_stream(client) -> None:
    chunks = list(client.chat.completions.create(**long_request(stream=True)))
    deltas = [chunk.choices[0].delta for chunk in chunks]
    reasoning = "".join((delta.model_extra or {}).get("reasoning_content", "") for delta in deltas)
    assert "Section 1 of " in reasoning
    assert "".join(delta.content or "" for delta in deltas) == FACT
    statuses = [chunk.model_extra["event"] for chunk in chunks if "event" in chunk.model_extra]
    assert {status["type"] for status in statuses} == {"status"}


def test_the_async_client_streams_many_at_a_time(server) -> None:
    async def ask(client: openai.AsyncOpenAI) -> str:
        stream = await client.chat.completions.create(**short_request(stream=True))
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def ask_all() -> list[str]:
        async with openai.AsyncOpenAI(base_url=server.url, api_key="none") as client:
            return await asyncio.gather(*(ask(client) for _ in range(20)))

    assert asyncio.run(ask_all()) == [FACT] * 20


@pytest.mark.parametrize(
    ("changes", "expected", "code"),
    [
        ({"temperature": 3}, openai.BadRequestError, None),
        ({"model": "other"}, openai.NotFoundError, "model_not_found"),
        ({"response_format": {"type": "json_object"}}, openai.BadRequestError,
         "unsupported_parameter"),
        ({"tool_choice": "required", "tools": []}, openai.BadRequestError,
         "unsupported_parameter"),
        ({"max_tokens": 100_000}, openai.BadRequestError, "context_length_exceeded"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
def test_errors_become_typed_exceptions(client, changes, expected, code, stream) -> None:
    with pytest.raises(expected) as error:
        client.chat.completions.create(**short_request(**{**changes, "stream": stream}))
    assert error.value.code == code
    assert error.value.body["message"]


def test_a_long_request_is_refused_where_reading_is_not_wanted(client) -> None:
    for how in ({"extra_headers": {"X-Longloom-Read": "never"}},
                {"extra_body": {"longloom": {"read": "never"}}}):  # fmt: skip
        with pytest.raises(openai.BadRequestError) as error:
            client.chat.completions.create(**long_request(), **how)
        assert error.value.code == "context_length_exceeded"
        assert "maximum context length is 8000 tokens" in str(error.value)


def test_tools_that_need_not_be_called_are_taken(client) -> None:
    function = {"name": "look_up", "parameters": {"type": "object", "properties": {}}}
    tools = [{"type": "function", "function": function}]
    reply = client.chat.completions.create(**short_request(tools=tools, tool_choice="auto"))
    assert reply.choices[0].message.content == FACT


def test_a_wrong_key_and_too_many_requests_are_typed() -> None:
    with Served(make_service(keys=("right-key-1", "right-key-2"), requests_per_minute=2)) as served:
        for key in ("wrong-key", "right-key", "right-key-11"):
            with (
                openai.OpenAI(base_url=served.url, api_key=key, max_retries=0) as client,
                pytest.raises(openai.AuthenticationError),
            ):
                client.models.list()
        with openai.OpenAI(base_url=served.url, api_key="right-key-2", max_retries=0) as client:
            for _ in range(2):
                client.chat.completions.create(**short_request())
            with pytest.raises(openai.RateLimitError) as error:
                client.chat.completions.create(**short_request())
        assert int(error.value.response.headers["retry-after"]) >= 1
        with openai.OpenAI(base_url=served.url, api_key="right-key-1", max_retries=0) as client:
            client.chat.completions.create(**short_request())  # each key has its own
