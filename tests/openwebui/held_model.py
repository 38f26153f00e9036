"""A chat model on this machine that streams scripted replies and can be held in mid-reply.

It speaks as much of OpenAI's protocol as vLLM does: `/v1/models` with the window, completions with
and without a stream. The first reply with `is_held` stops after its text until the client goes
away; when that was is kept, so that a test knows how soon a stopped request reaches the model.
Later ones are complete.
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from local_server import LocalServer

_TOKEN_CHARS = 3
"""What this model counts as a token."""


@dataclass(frozen=True)
class Spoken:
    """A reply; streamed word by word."""

    text: str
    reasoning: str = ""
    is_held: bool = False


@dataclass
class HeldModel(LocalServer):
    """The server; `bodies` holds every chat request that reached it."""

    answer: Callable[[dict[str, Any]], Spoken]
    window_tokens: int = 4_096
    port: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    left_at: list[float] = field(default_factory=list)
    """`time.monotonic()` when a client left a held reply."""
    is_held: threading.Event = field(default_factory=threading.Event)
    """Set while a reply is held."""
    was_left: threading.Event = field(default_factory=threading.Event)
    """Set when a client has left a held reply."""

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        path = head.split(" ")[1]
        num_bytes = head.partition("content-length:")[2].partition("\r\n")[0].strip()
        body = json.loads(await reader.readexactly(int(num_bytes))) if num_bytes else {}
        if path.startswith("/v1/models"):
            model = {"id": "scripted", "object": "model", "max_model_len": self.window_tokens}
            return await _send(writer, 200, {"object": "list", "data": [model]})
        if path != "/v1/chat/completions":
            return await _send(writer, 404, {"error": {"message": f"no {path}", "code": 404}})
        self.bodies.append(body)
        spoken = self.answer(body)
        if self.was_left.is_set():
            spoken = replace(spoken, is_held=False)
        if not body.get("stream"):
            if spoken.is_held:
                await self._hold(reader)
            return await _send(writer, 200, _completion(body, spoken))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        writer.write(b"Connection: close\r\n\r\n")
        for chunk in _chunks(body, spoken):
            if "usage" in chunk and spoken.is_held:
                break
            writer.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            await writer.drain()
        if spoken.is_held:
            await self._hold(reader)
            return False
        writer.write(b"data: [DONE]\n\n")
        await writer.drain()
        return False

    async def _hold(self, reader: asyncio.StreamReader) -> None:
        """Say no more until the client leaves or the test is over."""
        self.is_held.set()
        await reader.read()
        self.left_at.append(time.monotonic())
        self.was_left.set()


async def _send(writer: asyncio.StreamWriter, status: int, content: dict[str, Any]) -> bool:
    encoded = json.dumps(content).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n"
    writer.write(f"{head}Content-Length: {len(encoded)}\r\n\r\n".encode() + encoded)
    await writer.drain()
    return False


def _usage(body: dict[str, Any], spoken: Spoken) -> dict[str, int]:
    num_prompt = sum(len(str(message["content"])) for message in body["messages"]) // _TOKEN_CHARS
    num_reply = (len(spoken.text) + len(spoken.reasoning)) // _TOKEN_CHARS
    return {
        "prompt_tokens": num_prompt,
        "completion_tokens": num_reply,
        "total_tokens": num_prompt + num_reply,
    }


def _completion(body: dict[str, Any], spoken: Spoken) -> dict[str, Any]:
    message = {"role": "assistant", "content": spoken.text}
    if spoken.reasoning:
        message["reasoning_content"] = spoken.reasoning
    return {
        "id": "scripted",
        "object": "chat.completion",
        "created": 0,
        "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": _usage(body, spoken),
    }


def _chunks(body: dict[str, Any], spoken: Spoken) -> list[dict[str, Any]]:
    def chunk(delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return {
            "id": "scripted",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": "scripted",
            "choices": [choice],
        }

    chunks = [chunk({"role": "assistant", "content": ""})]
    chunks += [chunk({"reasoning_content": word}) for word in _words(spoken.reasoning)]
    chunks += [chunk({"content": word}) for word in _words(spoken.text)]
    if not spoken.is_held:
        chunks.append(chunk({}, "stop"))
    if (body.get("stream_options") or {}).get("include_usage"):
        chunks.append({**chunk({}), "choices": [], "usage": _usage(body, spoken)})
    return chunks


def _words(text: str) -> list[str]:
    words = text.split(" ")
    return [f"{word} " for word in words[:-1]] + [words[-1]] if text else []
