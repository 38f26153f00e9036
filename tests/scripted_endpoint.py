"""A chat endpoint on this machine that answers from a script and fails on purpose.

    with ScriptedEndpoint(answer, faults=every_prompt_fails_first(Fault.RATE_LIMITED)) as endpoint:
        EndpointConfig(url=endpoint.url, model="scripted")

It is a real HTTP server in a thread of its own, so it also serves other processes. Tests that use
it are marked `enable_socket`.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from local_server import LocalServer
from longloom.models.endpoint.cache import EndpointCache
from longloom.models.endpoint.client import EndpointClient
from longloom.models.endpoint.config import EndpointConfig

KEY = "secret-key-of-the-test"
Answer = Callable[[dict[str, Any]], str]
"""From the posted body to the text of the reply."""


class Fault(StrEnum):
    """What goes wrong with one attempt."""

    BAD_STATUS_200 = "an error body with status 200"
    CONTEXT_LENGTH = "400 that names the window"
    CONNECTION_RESET = "the connection is reset"
    GARBAGE_JSON = "a body that is no JSON"
    NO_CHOICES = "JSON without choices"
    RATE_LIMITED = "429 with Retry-After"
    REFUSED = "400"
    SERVER_ERROR = "500"
    STREAM_BROKEN = "half of the pieces, then the end of the connection"
    STREAM_ERROR = "half of the pieces, then an error inside the stream"
    SLOW = "no reply until the client gives up"
    TRUNCATED_BODY = "the body ends early"
    UNAUTHORIZED = "401 that repeats the key"
    UNAVAILABLE = "503"
    WRONG_ANSWER = "another answer than the script's"


PASSING_FAULTS = (
    Fault.BAD_STATUS_200,
    Fault.CONNECTION_RESET,
    Fault.GARBAGE_JSON,
    Fault.NO_CHOICES,
    Fault.RATE_LIMITED,
    Fault.SERVER_ERROR,
    Fault.SLOW,
    Fault.TRUNCATED_BODY,
    Fault.UNAVAILABLE,
)
"""Faults after which the same call may succeed."""


_STREAMED = (None, Fault.STREAM_BROKEN, Fault.STREAM_ERROR, Fault.WRONG_ANSWER)
"""Faults that begin as a stream does."""


@dataclass(frozen=True)
class Scripted:
    """A reply with more than a text."""

    text: str
    reasoning: str = ""
    finish_reason: str = "stop"
    num_prompt_tokens: int | None = None
    """As the server counts; the words of the prompt if not given."""


FaultPlan = Callable[[dict[str, Any], int], Fault | None]
"""From the posted body and the number of earlier attempts at it to what goes wrong."""


def never_fails(body: dict[str, Any], num_earlier: int) -> Fault | None:
    return None


def first_attempts_fail(*faults: Fault) -> FaultPlan:
    """Every distinct request meets these faults in this order and is then answered."""
    return lambda body, num_earlier: faults[num_earlier] if num_earlier < len(faults) else None


def always_fails(fault: Fault) -> FaultPlan:
    return lambda body, num_earlier: fault


def faults_in_turn(faults: Sequence[Fault] = PASSING_FAULTS) -> FaultPlan:
    """Every distinct request first meets one fault, chosen by its content."""

    def plan(body: dict[str, Any], num_earlier: int) -> Fault | None:
        place = sum(json.dumps(body, sort_keys=True).encode()) % len(faults)
        return faults[place] if num_earlier == 0 else None

    return plan


def prompt_of(body: dict[str, Any]) -> str:
    """Return the last message."""
    content = body["messages"][-1]["content"]
    assert isinstance(content, str)
    return content


def answers_by_content(replies: Mapping[str, str], *, otherwise: str = "I do not know.") -> Answer:
    """Answer with the first entry whose key stands in the prompt."""

    def answer(body: dict[str, Any]) -> str:
        prompt = prompt_of(body)
        return next((reply for key, reply in replies.items() if key in prompt), otherwise)

    return answer


@dataclass
class ScriptedEndpoint(LocalServer):
    """The server; `bodies` and `headers` hold every request that reached it."""

    answer: Callable[[dict[str, Any]], str | Scripted]
    faults: FaultPlan = never_fails
    wrong_answer: str = "Therefore, the answer is (something else)."
    retry_after: str = "0"
    port: int = 0
    card: dict[str, Any] | None = None
    """What is listed about the model; without it there is no list."""
    too_long: dict[str, Any] = field(
        default_factory=lambda: {"message": "This model's maximum context length is 100 tokens."}
    )
    """The error of `Fault.CONTEXT_LENGTH`."""
    num_left: int = 0
    """Requests whose client went away before they were answered."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    most_at_once: int = 0

    def __enter__(self) -> Self:
        self._attempts: Counter[str] = Counter()
        self._num_open = 0
        self._num_answered = 0
        return super().__enter__()

    @property
    def num_answered(self) -> int:
        """Requests that were not met by a fault of transport or status."""
        return self._num_answered

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; return whether the connection stays open."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request_line, *lines = head.strip().split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        if request_line.startswith("GET"):
            return await self._list_models(writer)
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        self.bodies.append(body)
        self.headers.append(headers)
        self.paths.append(request_line.split(" ")[1])
        identity = json.dumps(body, sort_keys=True)
        fault = self.faults(body, self._attempts[identity])
        self._attempts[identity] += 1
        self._num_open += 1
        self.most_at_once = max(self.most_at_once, self._num_open)
        try:
            return await self._reply(reader, writer, body, headers, fault)
        finally:
            self._num_open -= 1

    async def _list_models(self, writer: asyncio.StreamWriter) -> bool:
        status = 404 if self.card is None else 200
        content = json.dumps({"object": "list", "data": [self.card]}).encode()
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\n\r\n".encode())
        writer.write(content)
        await writer.drain()
        return True

    async def _reply(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        body: dict[str, Any],
        headers: dict[str, str],
        fault: Fault | None,
    ) -> bool:
        if fault is Fault.SLOW:
            await self._wait_for_the_client_to_leave(reader)
            return False
        if fault is Fault.CONNECTION_RESET:
            writer.transport.abort()
            return False
        status, content = self._content(body, headers, fault)
        if status == 200 and body.get("stream") and fault in _STREAMED:
            return await self._stream(writer, json.loads(content), fault)
        extra = f"Retry-After: {self.retry_after}\r\n" if status == 429 else ""
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{extra}"
        writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode())
        writer.write(content[: len(content) // 2] if fault is Fault.TRUNCATED_BODY else content)
        await writer.drain()
        return fault is not Fault.TRUNCATED_BODY

    async def _wait_for_the_client_to_leave(self, reader: asyncio.StreamReader) -> None:
        leaving = asyncio.ensure_future(reader.read(1))
        stopping = asyncio.ensure_future(self._stopping.wait())
        done, _ = await asyncio.wait({leaving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        self.num_left += leaving in done
        for waiting in (leaving, stopping):
            waiting.cancel()

    async def _stream(
        self, writer: asyncio.StreamWriter, completion: dict[str, Any], fault: Fault | None
    ) -> bool:
        """Send a completion word by word, as servers do that are not too strict about it."""
        first = completion["choices"][0]
        message = first["message"]
        deltas = [{"role": "assistant", "content": ""}]
        deltas += [{"reasoning": word} for word in _words(message.get("reasoning_content", ""))]
        deltas += [{"content": word} for word in _words(message["content"])]
        chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": d}]} for d in deltas]
        chunks.append({"choices": [{"delta": {}, "finish_reason": first["finish_reason"]}]})
        chunks.append({"choices": [], "usage": completion["usage"]})
        if fault is not None:
            chunks = chunks[: len(chunks) // 2]
        if fault is Fault.STREAM_ERROR:
            chunks.append({"error": {"message": "the engine died", "code": 500}})
        writer.write(b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\n\r\n: hello\n\n")
        for chunk in chunks:
            writer.write(b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n: waiting\n")
            await writer.drain()
        writer.write(b"data: [DONE]\n\n" if fault is None else b"")
        await writer.drain()
        return False

    def _content(
        self, body: dict[str, Any], headers: dict[str, str], fault: Fault | None
    ) -> tuple[int, bytes]:
        match fault:
            case Fault.RATE_LIMITED:
                return 429, b'{"error": {"message": "too many requests"}}'
            case Fault.SERVER_ERROR:
                return 500, b"<html>Internal Server Error</html>"
            case Fault.UNAVAILABLE:
                return 503, b""
            case Fault.CONTEXT_LENGTH:
                return 400, json.dumps({"error": self.too_long}).encode()
            case Fault.REFUSED:
                return 400, b'{"error": {"message": "context too long", "code": "too_long"}}'
            case Fault.UNAUTHORIZED:
                key = headers.get("authorization", "").removeprefix("Bearer ")
                return 401, json.dumps({"error": {"message": f"bad key {key}"}}).encode()
            case Fault.BAD_STATUS_200:
                return 200, b'{"error": {"message": "upstream failed", "code": 502}}'
            case Fault.GARBAGE_JSON:
                return 200, b'{"choices": [{"message": {"content": "\xff half'
            case Fault.NO_CHOICES:
                return 200, b'{"choices": []}'
        self._num_answered += 1
        scripted = self.wrong_answer if fault is Fault.WRONG_ANSWER else self.answer(body)
        reply = scripted if isinstance(scripted, Scripted) else Scripted(scripted)
        message: dict[str, str] = {"role": "assistant", "content": reply.text}
        if reply.reasoning:
            message["reasoning_content"] = reply.reasoning
        num_prompt_tokens = reply.num_prompt_tokens
        if num_prompt_tokens is None:
            num_prompt_tokens = len(prompt_of(body).split())
        num_completion_tokens = len(reply.text.split())
        completion = {
            "id": "scripted",
            "object": "chat.completion",
            "created": 0,
            "model": body.get("model", ""),
            "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason}],
            "usage": {
                "prompt_tokens": num_prompt_tokens,
                "completion_tokens": num_completion_tokens,
                "total_tokens": num_prompt_tokens + num_completion_tokens,
            },
        }
        return 200, json.dumps(completion).encode()


def _words(text: str) -> list[str]:
    return re.findall(r"\s*\S+|\s+$", text)


def run_with(
    endpoint: ScriptedEndpoint,
    use: Callable[[EndpointClient], Coroutine[Any, Any, Any]],
    cache: EndpointCache | None = None,
    **settings: Any,
) -> Any:
    """Run `use` with a client whose waits take no time; return what it returns."""
    settings = {"request_timeout_seconds": 5.0, "model": "scripted", **settings}
    config = EndpointConfig(url=endpoint.url, **settings)

    async def main() -> Any:
        async with EndpointClient(config, cache=cache, api_key=KEY, sleep=_no_wait) as client:
            return await use(client)

    return asyncio.run(main())


async def _no_wait(seconds: float) -> None:
    await asyncio.sleep(0)
