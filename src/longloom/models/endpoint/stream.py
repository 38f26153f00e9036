"""Read a chat completion that a server sends piece by piece (server-sent events).

    bytes -> EventLines (JSON of each event) -> StreamedReply (deltas, then the whole reply)

Servers differ: comments and blank lines anywhere, events without a blank line between them, JSON
over several lines, errors inside the stream, counts in a chunk of their own, no final `[DONE]`. A
stream that ends before its reply raises `UnusableBodyError`, so that the call is made again.
"""

import json
from collections.abc import Iterator
from typing import Any

from longloom.models.endpoint.messages import ChatReply
from longloom.models.endpoint.wire import UnusableBodyError, reply_counts, stated_code
from longloom.records import Delta
from longloom.text.lone_surrogates import without_lone_surrogates

_DONE = b"[DONE]"


class EventLines:
    """Cuts a stream of bytes into the payloads of its events, tolerantly."""

    def __init__(self, max_event_bytes: int) -> None:
        """Refuse events of more bytes."""
        self._max_event_bytes = max_event_bytes
        self._rest = b""
        self._payload = b""
        self.is_done = False

    def add(self, piece: bytes) -> Iterator[Any]:
        """Yield the JSON of every event that `piece` completes.

        Raises:
            UnusableBodyError: an event is no JSON, or larger than allowed.
        """
        # JSON holds no raw line breaks; U+2028 and its kind end no line here.
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) + len(self._payload) > self._max_event_bytes:
            raise UnusableBodyError(f"an event of over {self._max_event_bytes} bytes")
        for line in lines:
            yield from self._add_line(line.rstrip(b"\r"))

    def end(self) -> Iterator[Any]:
        """Yield the event that the end of the stream completes, if there is one."""
        rest, self._rest = self._rest, b""
        yield from self._add_line(rest.rstrip(b"\r"))
        yield from self._add_line(b"")

    def _add_line(self, line: bytes) -> Iterator[Any]:
        if self.is_done:
            return
        if not line:
            if self._payload:
                raise UnusableBodyError(f"an event of {len(self._payload)} bytes is not JSON")
            return
        if not line.startswith(b"data:"):
            return  # a comment, or a field without a meaning here
        value = line.removeprefix(b"data:").strip()
        if value == _DONE:
            self.is_done = True
            return
        self._payload += value
        try:
            parsed = json.loads(self._payload)
        except (ValueError, RecursionError):
            return  # the rest may be on the next line
        self._payload = b""
        yield parsed


class StreamError(Exception):
    """An error that a server sent inside a stream, as `code` and `message`."""

    def __init__(self, content: bytes) -> None:
        """Take the JSON of the error, as a body would hold it."""
        super().__init__("error inside the stream")
        self.content = content


class StreamedReply:
    """Collects the chunks of one reply."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._finish_reason = ""
        self._counts = reply_counts(None)

    def add(self, chunk: Any) -> list[Delta]:
        """Return the pieces of the reply in a chunk.

        Raises:
            StreamError: the chunk is an error.
            UnusableBodyError: the chunk is no part of a chat completion.
        """
        if not isinstance(chunk, dict):
            raise UnusableBodyError(f"a chunk is of type {type(chunk).__name__}")
        if chunk.get("error"):
            raise StreamError(json.dumps({"error": chunk["error"]}).encode())
        if isinstance(chunk.get("usage"), dict):
            self._counts = reply_counts(chunk["usage"])
        choices = chunk.get("choices")
        first = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(first, dict):
            return []
        self._finish_reason = stated_code(first.get("finish_reason")) or self._finish_reason
        delta = first.get("delta")
        return self._pieces(delta) if isinstance(delta, dict) else []

    def end(self, *, is_done: bool) -> ChatReply:
        """Return the whole reply.

        Args:
            is_done: whether the server said that it had sent everything.

        Raises:
            UnusableBodyError: the stream broke off.
        """
        if not self._finish_reason and not is_done:
            raise UnusableBodyError("the stream ended before the reply did")
        return ChatReply(
            text="".join(self._text),
            reasoning="".join(self._reasoning),
            finish_reason=self._finish_reason,
            **self._counts,
        )

    def _pieces(self, delta: dict[str, Any]) -> list[Delta]:
        found: list[Delta] = []
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(reasoning, str) and reasoning:
            self._reasoning.append(without_lone_surrogates(reasoning))
            found.append(Delta(text=self._reasoning[-1], is_reasoning=True))
        content = delta.get("content")
        if isinstance(content, str) and content:
            self._text.append(without_lone_surrogates(content))
            found.append(Delta(text=self._text[-1]))
        return found
