"""A chat endpoint on this machine that answers from a script and fails on purpose.

    with ScriptedEndpoint(answer, faults=every_prompt_fails_first(Fault.RATE_LIMITED)) as endpoint:
        EndpointConfig(url=endpoint.url, model="scripted")

It is a real HTTP server in a thread of its own, so it also serves other processes. Tests that use
it are marked `enable_socket`.
"""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from longloom.models.endpoint import EndpointClient
from longloom.models.endpoint_cache import EndpointCache
from longloom.models.endpoint_config import EndpointConfig

KEY = "secret-key-of-the-test"
Answer = Callable[[dict[str, Any]], str]
"""From the posted body to the text of the reply."""


class Fault(StrEnum):
    """What goes wrong with one attempt."""

    BAD_STATUS_200 = "an error body with status 200"
    CONNECTION_RESET = "the connection is reset"
    GARBAGE_JSON = "a body that is no JSON"
    NO_CHOICES = "JSON without choices"
    RATE_LIMITED = "429 with Retry-After"
    REFUSED = "400"
    SERVER_ERROR = "500"
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


@dataclass(frozen=True)
class Scripted:
    """A reply with more than a text."""

    text: str
    reasoning: str = ""
    finish_reason: str = "stop"


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
class ScriptedEndpoint:
    """The server; `bodies` and `headers` hold every request that reached it."""

    answer: Callable[[dict[str, Any]], str | Scripted]
    faults: FaultPlan = never_fails
    wrong_answer: str = "Therefore, the answer is (something else)."
    retry_after: str = "0"
    port: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    most_at_once: int = 0

    def __enter__(self) -> Self:
        self._attempts: Counter[str] = Counter()
        self._num_open = 0
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        is_ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(is_ready,), daemon=True)
        self._thread.start()
        assert is_ready.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def num_answered(self) -> int:
        """Requests that were not met by a fault of transport or status."""
        return self._num_answered

    def _serve(self, is_ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve_until_stopped(is_ready))
        finally:
            self._loop.close()

    async def _serve_until_stopped(self, is_ready: threading.Event) -> None:
        self._stopping = asyncio.Event()
        self._num_answered = 0
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        is_ready.set()
        await self._stopping.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._answer_one(reader, writer):
                pass
        except (asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; return whether the connection stays open."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request_line, *lines = head.strip().split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
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
            return await self._reply(writer, body, headers, fault)
        finally:
            self._num_open -= 1

    async def _reply(
        self,
        writer: asyncio.StreamWriter,
        body: dict[str, Any],
        headers: dict[str, str],
        fault: Fault | None,
    ) -> bool:
        if fault is Fault.SLOW:
            await self._stopping.wait()
            return False
        if fault is Fault.CONNECTION_RESET:
            writer.transport.abort()
            return False
        status, content = self._content(body, headers, fault)
        extra = f"Retry-After: {self.retry_after}\r\n" if status == 429 else ""
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{extra}"
        writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode())
        writer.write(content[: len(content) // 2] if fault is Fault.TRUNCATED_BODY else content)
        await writer.drain()
        return fault is not Fault.TRUNCATED_BODY

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
        completion = {
            "id": "scripted",
            "object": "chat.completion",
            "model": body.get("model", ""),
            "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason}],
            "usage": {
                "prompt_tokens": len(prompt_of(body).split()),
                "completion_tokens": len(reply.text.split()),
            },
        }
        return 200, json.dumps(completion).encode()


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
