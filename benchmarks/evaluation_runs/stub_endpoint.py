"""An OpenAI-compatible server that replies at once and does nothing else.

It reads no JSON: a body is counted and forgotten, every reply is the same. Tokens of the prompt are
told as bytes by four, as a server would count about.

    python -m evaluation_runs.stub_endpoint REPLY      (prints its address; ends with its input)
"""

import asyncio
import json
import sys

MODEL = "stub"
WINDOW_TOKENS = 4_000_000
_BYTES_PER_TOKEN = 4
_END_OF_HEAD = b"\r\n\r\n"


class StubConnection(asyncio.Protocol):
    """One kept connection; requests come one after another."""

    def __init__(self, reply: str) -> None:
        """Answer all with `reply`."""
        self._reply = reply
        self._head = b""
        self._num_body_bytes = 0
        self._num_missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Count a body, and answer at its end."""
        if self._num_missing:
            self._num_missing -= len(data)
            if self._num_missing <= 0:
                self._answer()
            return
        self._head += data
        head, end, body = self._head.partition(_END_OF_HEAD)
        if not end:
            return
        self._head = b""
        if head.startswith(b"GET"):
            card = {"id": MODEL, "object": "model", "max_model_len": WINDOW_TOKENS}
            self._write({"object": "list", "data": [card]})
            return
        self._num_body_bytes = int(
            head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        )
        self._num_missing = self._num_body_bytes - len(body)
        if self._num_missing <= 0:
            self._answer()

    def _answer(self) -> None:
        self._num_missing = 0
        num_tokens = self._num_body_bytes // _BYTES_PER_TOKEN
        message = {"role": "assistant", "content": self._reply}
        self._write(
            {
                "id": "stub",
                "object": "chat.completion",
                "created": 0,
                "model": MODEL,
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {
                    "prompt_tokens": num_tokens,
                    "completion_tokens": 4,
                    "total_tokens": num_tokens + 4,
                },
            }
        )

    def _write(self, content: object) -> None:
        encoded = json.dumps(content).encode()
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
        self._transport.write(f"{head}{len(encoded)}\r\n\r\n".encode() + encoded)


async def serve(reply: str) -> None:
    """Listen at a free port, print the address, and end when the input does."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: StubConnection(reply), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}/v1", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
