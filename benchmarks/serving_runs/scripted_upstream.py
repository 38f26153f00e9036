"""An OpenAI-compatible server that answers at once and keeps the sections it was shown.

Its memory changes at every step, so that no step can be taken for another; the answer quotes the
last memory. It runs in a thread of the benchmark's process: what it takes is not the server's.
"""

import asyncio
import json
import threading
from dataclasses import dataclass, field
from typing import Any, Self

MODEL = "scripted"
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)


@dataclass
class ScriptedUpstream:
    """Listens at a free port while its `with` block lasts."""

    window_tokens: int
    """What its list of models says."""
    memory_text: str
    """What a memory is made of."""
    sections: list[str] = field(default_factory=list)
    """The sections of all updates, in order of arrival."""
    num_answers: int = 0
    """Calls that showed no section."""
    port: int = 0

    @property
    def url(self) -> str:
        """The address for `--endpoint`."""
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        is_ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(is_ready)))
        self._thread.start()
        is_ready.wait()
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    async def _serve(self, is_ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        serving: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            serving.add(task)
            try:
                while True:
                    await self._answer_one(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                pass
            finally:
                serving.discard(task)
                writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=1 << 26)
        self.port = server.sockets[0].getsockname()[1]
        is_ready.set()
        await self._stopping.wait()
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        num_bytes = head.partition("content-length:")[2].partition("\r\n")[0].strip()
        if not num_bytes:
            card = {"id": MODEL, "object": "model", "max_model_len": self.window_tokens}
            _write(writer, {"object": "list", "data": [card]})
        else:
            body = json.loads(await reader.readexactly(int(num_bytes)))
            reply = self._reply(str(body["messages"][-1]["content"]))
            if body.get("stream"):
                _write_stream(writer, reply)
            else:
                message = {"role": "assistant", "content": reply}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                _write(writer, {"choices": [choice], "usage": _USAGE})
        await writer.drain()

    def _reply(self, prompt: str) -> str:
        _, mark, section = prompt.rpartition("\n<section>\n")
        if not mark:
            self.num_answers += 1
            return f"All {len(self.sections)} sections were read."
        self.sections.append(section.rpartition("\n</section>")[0])
        memory = f"Step {len(self.sections)}. {self.memory_text}"
        return f"<memory>{memory}</memory><plan>Read on.</plan>"


_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


def _write(writer: asyncio.StreamWriter, content: dict[str, Any]) -> None:
    encoded = json.dumps(content).encode()
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
    writer.write(f"{head}{len(encoded)}\r\n\r\n".encode() + encoded)


def _write_stream(writer: asyncio.StreamWriter, reply: str) -> None:
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": reply}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": _USAGE},
    ]
    lines = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    encoded = lines.encode()
    writer.write(_STREAM_HEAD + f"{len(encoded):x}\r\n".encode() + encoded + b"\r\n0\r\n\r\n")
