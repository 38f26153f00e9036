"""An OpenAI-compatible server that keeps the bytes it got and sends the bytes it was told to."""

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local_server import LocalServer


@dataclass(frozen=True)
class Sent:
    """What is sent back, piece by piece."""

    pieces: tuple[bytes, ...]
    status: int = 200
    kind: str = "application/json"
    headers: tuple[str, ...] = ()
    ends: str = "in order"
    """`in order`, `broken` off, or `held` until the client goes away."""


def reply(content: str, **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **more}
    return {
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }


def events(*deltas: dict[str, Any], finish: str | None = "stop", index: int = 0) -> Sent:
    """A stream of deltas that ends as vLLM's does."""
    chunks = [{"choices": [{"index": index, "delta": delta}]} for delta in deltas]
    if finish:
        chunks.append({"choices": [{"index": index, "delta": {}, "finish_reason": finish}]})
    chunks.append({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7}})
    lines = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks]
    return Sent((*lines, b"data: [DONE]\n\n"), kind="text/event-stream")


@dataclass
class RawUpstream(LocalServer):
    """The server; `answer` takes path, headers and body of a request."""

    answer: Callable[[str, dict[str, str], bytes], Sent]
    window_tokens: int | None = 2_000
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    was_left: threading.Event = field(default_factory=threading.Event)
    is_held: threading.Event = field(default_factory=threading.Event)

    @property
    def chats(self) -> list[bytes]:
        return [body for path, _, body in self.requests if path.endswith("/chat/completions")]

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, _, v in (x.partition(":") for x in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = first.split(" ")[1]
        self.requests.append((path, headers, body))
        if path == "/v1/models":
            sent = Sent((json.dumps({"data": [self._card()]}).encode(),))
        else:
            sent = self.answer(path, headers, body)
        more = "".join(f"{line}\r\n" for line in sent.headers)
        writer.write(
            f"HTTP/1.1 {sent.status} X\r\nContent-Type: {sent.kind}\r\n{more}"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        for piece in sent.pieces:
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
        if sent.ends == "held":
            self.is_held.set()
            await reader.read()
            self.was_left.set()
            return False
        if sent.ends == "broken":
            writer.transport.abort()
            return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    def _card(self) -> dict[str, Any]:
        card: dict[str, Any] = {"id": "upstream", "object": "model"}
        return card if self.window_tokens is None else {**card, "max_model_len": self.window_tokens}
