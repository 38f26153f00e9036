import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from longloom.errors import ConfigError, ContextLengthError, ModelError
from longloom.models.endpoint.chat import EndpointChat, open_endpoint_chat, seed_of
from longloom.models.endpoint.config import EndpointConfig
from longloom.models.endpoint.errors import (
    EndpointRefusedError,
    EndpointSetupError,
    EndpointUnavailableError,
)
from longloom.records import Delta, FinishReason, Reply, ReplyRequest, SamplingParams, TokenUsage
from longloom.text.tokenizer import FolderTokenizer
from scripted_endpoint import (
    KEY,
    PASSING_FAULTS,
    Fault,
    Scripted,
    ScriptedEndpoint,
    always_fails,
    first_attempts_fail,
    prompt_of,
)

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

PARAMS = SamplingParams(temperature=0.5, top_p=0.9, max_new_tokens=7)


def echo(body: dict[str, Any]) -> str:
    return f"reply to  {prompt_of(body)}\n"


async def _no_wait(seconds: float) -> None:
    await asyncio.sleep(0)


def chat_with(
    endpoint: ScriptedEndpoint,
    use: Callable[[EndpointChat], Awaitable[Any]],
    window_tokens: int | None = 1_000,
    tokenizer: FolderTokenizer | None = None,
    **settings: Any,
) -> Any:
    settings = {"request_timeout_seconds": 5.0, "model": "scripted", **settings}
    config = EndpointConfig(url=endpoint.url, **settings)

    async def main() -> Any:
        opened = open_endpoint_chat(
            config, window_tokens=window_tokens, tokenizer=tokenizer, api_key=KEY, sleep=_no_wait
        )
        async with opened as chat:
            return await use(chat)

    return asyncio.run(main())


def ask(message: str = "a b c", on_delta: Callable[[Delta], None] | None = None) -> Any:
    request = ReplyRequest(message=message, params=PARAMS, key="0/read/turn-1", on_delta=on_delta)
    return lambda chat: chat.reply(request)


def test_request_is_one_message_with_the_seed_of_its_key() -> None:
    with ScriptedEndpoint(echo) as endpoint:
        reply = chat_with(endpoint, ask())
    assert endpoint.bodies == [
        {
            "model": "scripted",
            "messages": [{"role": "user", "content": "a b c"}],
            "temperature": 0.5,
            "top_p": 0.9,
            "max_tokens": 7,
            "seed": seed_of("0/read/turn-1"),
        }
    ]
    assert reply == Reply(
        text="reply to  a b c\n",
        finish_reason=FinishReason.STOP,
        usage=TokenUsage(num_prompt_tokens=3, num_response_tokens=5, num_calls=1),
    )


def test_seeds_are_those_of_their_keys() -> None:
    seeds = [seed_of(f"0/read/turn-{turn}") for turn in range(100)]
    assert len(set(seeds)) == 100
    assert all(0 <= seed < 2**31 for seed in seeds)


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize(
    "scripted",
    [
        Scripted("the  answer\n", "thought of it", "length"),
        Scripted("<think>thought of it</think>\n\nthe  answer\n", "", "length"),
        Scripted("thought of it\n</think>\nthe  answer\n", "", "length"),
    ],
)
def test_thinking_is_kept_apart(is_streamed: bool, scripted: Scripted) -> None:
    deltas: list[Delta] = []
    on_delta = deltas.append if is_streamed else None

    async def twice(chat: EndpointChat) -> Reply:
        await ask("first")(chat)
        reply: Reply = await ask("second", on_delta)(chat)
        return reply

    with ScriptedEndpoint(lambda body: scripted) as endpoint:
        reply = chat_with(endpoint, twice)
    assert (reply.text, reply.reasoning) == ("the  answer\n", "thought of it")
    assert reply.finish_reason is FinishReason.LENGTH
    if is_streamed:
        assert "".join(delta.text for delta in deltas if not delta.is_reasoning) == "the  answer\n"
        thinking = "".join(delta.text for delta in deltas if delta.is_reasoning)
        assert thinking.strip() == "thought of it"


def test_stream_shows_pieces_and_counts() -> None:
    deltas: list[Delta] = []
    with ScriptedEndpoint(echo) as endpoint:
        reply = chat_with(endpoint, ask("one two", deltas.append))
    assert endpoint.bodies[0]["stream"] is True
    assert endpoint.bodies[0]["stream_options"] == {"include_usage": True}
    assert len(deltas) > 3
    assert "".join(delta.text for delta in deltas) == reply.text == "reply to  one two\n"
    assert (reply.usage.num_prompt_tokens, reply.usage.num_response_tokens) == (2, 4)


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("fault", [*PASSING_FAULTS, Fault.STREAM_BROKEN, Fault.STREAM_ERROR])
def test_faults_are_overcome_and_pieces_shown_once(fault: Fault, is_streamed: bool) -> None:
    deltas: list[Delta] = []
    timeout = 0.2 if fault is Fault.SLOW else 5.0
    with ScriptedEndpoint(echo, faults=first_attempts_fail(fault, fault)) as endpoint:
        reply = chat_with(
            endpoint,
            ask("one two three four", deltas.append if is_streamed else None),
            request_timeout_seconds=timeout,
        )
    assert reply.text == "reply to  one two three four\n"
    is_stream_fault = fault in (Fault.STREAM_BROKEN, Fault.STREAM_ERROR)
    assert len(endpoint.bodies) == (1 if is_stream_fault and not is_streamed else 3)
    if is_streamed:
        assert "".join(delta.text for delta in deltas) == reply.text


def test_server_that_does_not_stream_is_understood() -> None:
    class Deaf(ScriptedEndpoint):
        async def _stream(self, writer: Any, completion: Any, fault: Any) -> bool:
            content = self._content({"messages": [{"content": "q"}]}, {}, None)[1]
            writer.write(b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\n")
            writer.write(f"Content-Length: {len(content)}\r\n\r\n".encode() + content)
            await writer.drain()
            return True

    deltas: list[Delta] = []
    with Deaf(lambda body: Scripted("said", "thought")) as endpoint:
        reply = chat_with(endpoint, ask("q", deltas.append))
    assert (reply.text, reply.reasoning) == ("said", "thought")
    assert deltas == [Delta(text="thought", is_reasoning=True), Delta(text="said")]


@pytest.mark.parametrize("is_streamed", [False, True])
def test_prompt_that_is_too_long_teaches_the_window(is_streamed: bool) -> None:
    async def use(chat: EndpointChat) -> int:
        with pytest.raises(ContextLengthError, match="maximum context length is 100 tokens"):
            await ask("long", (lambda delta: None) if is_streamed else None)(chat)
        return chat.window_tokens

    with ScriptedEndpoint(echo, faults=always_fails(Fault.CONTEXT_LENGTH)) as endpoint:
        assert chat_with(endpoint, use) == 100
    assert len(endpoint.bodies) == 1


def test_filtered_reply_is_a_typed_error() -> None:
    with (
        ScriptedEndpoint(lambda body: Scripted("", "", "content_filter")) as endpoint,
        pytest.raises(EndpointRefusedError, match="content_filter"),
    ):
        chat_with(endpoint, ask())


def test_reply_that_was_given_up_is_asked_for_again() -> None:
    replies = iter([Scripted("half", "", "abort"), Scripted("whole")])
    with ScriptedEndpoint(lambda body: next(replies)) as endpoint:
        assert chat_with(endpoint, ask()).text == "whole"


def test_retries_are_limited() -> None:
    with (
        ScriptedEndpoint(echo, faults=always_fails(Fault.STREAM_BROKEN)) as endpoint,
        pytest.raises(EndpointUnavailableError, match=r"3 attempts.*ended before the reply"),
    ):
        chat_with(endpoint, ask("q", lambda delta: None), max_retries=2)


@pytest.mark.parametrize("is_streamed", [False, True])
def test_cancelled_reply_closes_its_connection(is_streamed: bool) -> None:
    async def use(chat: EndpointChat) -> None:
        asked = asyncio.create_task(ask("q", (lambda delta: None) if is_streamed else None)(chat))
        while not endpoint.bodies:
            await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        async with asyncio.timeout(5):
            while not endpoint.num_left:
                await asyncio.sleep(0)

    with ScriptedEndpoint(echo, faults=always_fails(Fault.SLOW)) as endpoint:
        chat_with(endpoint, use, request_timeout_seconds=60.0)
        assert endpoint.num_left == 1


def test_server_is_asked_for_its_window() -> None:
    async def window(chat: EndpointChat) -> int:
        return chat.window_tokens

    card = {"id": "other-name", "max_model_len": 4_096}
    with ScriptedEndpoint(echo, card=card) as endpoint:
        assert chat_with(endpoint, window, window_tokens=None) == 4_096
    with ScriptedEndpoint(echo) as endpoint, pytest.raises(ConfigError, match="--window"):
        chat_with(endpoint, window, window_tokens=None)


class _Locked(ScriptedEndpoint):
    async def _list_models(self, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        return True


def test_window_that_cannot_be_asked_for_is_told_soon() -> None:
    async def window(chat: EndpointChat) -> int:
        return chat.window_tokens

    with _Locked(echo) as endpoint, pytest.raises(EndpointSetupError, match=r"401.*the key in"):
        chat_with(endpoint, window, window_tokens=None)
    with pytest.raises(EndpointUnavailableError, match=r"no reply in 3 attempts.*server runs"):
        chat_with(endpoint, window, window_tokens=None)  # nobody listens there any more


def test_tokens_are_those_of_a_tokenizer_or_more(tiny_folder) -> None:
    tokenizer = FolderTokenizer(tiny_folder)
    message = "The heap is sorted. " * 20
    exact = len(tokenizer.encode(tokenizer.render_chat([{"role": "user", "content": message}])))

    async def count(chat: EndpointChat) -> tuple[int, bool]:
        return chat.num_prompt_tokens(message), chat.tokens.is_exact

    with ScriptedEndpoint(echo) as endpoint:
        assert chat_with(endpoint, count, tokenizer=tokenizer) == (exact, True)
        estimated, is_exact = chat_with(endpoint, count)
    assert not is_exact
    assert estimated >= 5 * 20  # five words or marks a sentence, each at least one token


def test_counts_that_a_server_leaves_out_are_estimated() -> None:
    scripted = Scripted("", num_prompt_tokens=0)
    with ScriptedEndpoint(lambda body: scripted) as endpoint:
        reply = chat_with(endpoint, ask("five words in a message"))
    assert reply.usage.num_prompt_tokens >= 5


def test_prompt_cut_silently_is_said_once(caplog) -> None:
    async def twice(chat: EndpointChat) -> None:
        for _ in range(2):
            await ask("many words of a long prompt " * 500)(chat)

    scripted = Scripted("answer", num_prompt_tokens=400)
    with ScriptedEndpoint(lambda body: scripted) as endpoint:
        chat_with(endpoint, twice)
    (message,) = [record.getMessage() for record in caplog.records]
    assert "counted 400 tokens of a prompt of about" in message


def test_prompt_of_tokens_is_refused() -> None:
    request = ReplyRequest(message="q", params=PARAMS, key="k", prompt_ids=(1, 2))
    with ScriptedEndpoint(echo) as endpoint, pytest.raises(ModelError, match="no prompt of tokens"):
        chat_with(endpoint, lambda chat: chat.reply(request))


def test_models_of_one_name_are_told_apart_as_far_as_the_server_tells() -> None:
    async def name(chat: EndpointChat) -> str:
        return chat.name

    def named(card: dict[str, Any] | None, **settings: Any) -> str:
        with ScriptedEndpoint(echo, card=card) as endpoint:
            return chat_with(endpoint, name, **settings)

    card = {"id": "scripted", "created": 5, "max_model_len": 4_096}
    assert named(None) == named(card) == named({**card, "created": 6}) == "scripted"
    first, second = named({**card, "root": "a/b"}), named({**card, "root": "a/c"})
    assert first.startswith("scripted@")
    assert first == named({**card, "root": "a/b"}, window_tokens=None)
    settings = {"extra_body": {"chat_template_kwargs": {"enable_thinking": False}}}
    other = named({**card, "root": "a/b"}, **settings)
    llama = named({**card, "meta": {"n_params": 5, "size": 9}})
    assert len({first, second, other, llama}) == 4
