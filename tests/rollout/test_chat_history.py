"""Earlier messages of a chat reach the model, in process and behind an endpoint."""

import asyncio

import pytest

from longloom.models.endpoint.chat import open_endpoint_chat
from longloom.models.endpoint.config import EndpointConfig
from longloom.records import ChatMessage, ReplyRequest, SamplingParams
from scripted_endpoint import ScriptedEndpoint

PARAMS = SamplingParams(temperature=0.0, top_p=1.0, max_new_tokens=8)
HISTORY = (
    ChatMessage(role="system", content="Be brief."),
    ChatMessage(role="user", content="One?"),
    ChatMessage(role="assistant", content="1"),
)


@pytest.mark.enable_socket
def test_a_server_is_sent_the_whole_chat_in_order() -> None:
    request = ReplyRequest(message="Two?", history=HISTORY, params=PARAMS, key="k")

    async def ask(url: str) -> str:
        async with open_endpoint_chat(
            EndpointConfig(url=url, model="scripted"), window_tokens=1_000
        ) as chat:
            return (await chat.reply(request)).text

    def answer(body: dict[str, object]) -> str:
        return "|".join(f"{turn['role']}:{turn['content']}" for turn in body["messages"])  # type: ignore[union-attr,attr-defined]

    with ScriptedEndpoint(answer) as endpoint:
        said = asyncio.run(ask(endpoint.url))

    assert said == "system:Be brief.|user:One?|assistant:1|user:Two?"


def test_the_text_of_a_chat_is_all_that_is_said() -> None:
    request = ReplyRequest(message="Two?", history=HISTORY, params=PARAMS, key="k")
    assert request.text == "Be brief.\nOne?\n1\nTwo?"
