"""Count the tokens of an answer that is handed on unread, from the bytes that pass.

bytes -> events of a stream, or one JSON object -> its `usage`, else its texts -> tokens

What it leaves out: answers that a backend compresses although it was asked not to; they are counted
by their bytes.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from longloom.models.endpoint.stream import EventLines
from longloom.models.endpoint.wire import UnusableBodyError, reply_counts
from longloom.text.lone_surrogates import without_lone_surrogates
from longloom.text.token_starts import TextTokens

_MOST_HELD_BYTES = 4 * 1024 * 1024
"""Larger answers and events are counted by their bytes."""
_BYTES_PER_TOKEN = 4
_COUNTED_CHARS = 4_096
"""Texts of a stream are counted in pieces of so many characters, 1 ms each."""
_SAMPLE_CHARS = 1 << 16
"""Of longer texts, which come whole, the beginning is counted and the rest goes by its share."""
_TEXTS = ("content", "reasoning_content", "reasoning", "refusal")


class AnswerTokens:
    """Reads along while an answer passes; nothing that it meets is an error."""

    def __init__(self, headers: Mapping[str, str], tokens: TextTokens) -> None:
        """Take the headers of the answer, and what estimates where no counts are told."""
        self._tokens = tokens
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        self._events = EventLines(_MOST_HELD_BYTES) if kind == "text/event-stream" else None
        self._is_readable = headers.get("content-encoding", "identity") == "identity"
        self._held = bytearray()
        self._num_unread_bytes = 0
        self._texts: list[str] = []
        self._num_chars = 0
        self._num_estimated = 0
        self._counts = reply_counts(None)

    def add(self, piece: bytes) -> None:
        """Take the next bytes."""
        if not self._is_readable:
            self._num_unread_bytes += len(piece)
        elif self._events is None:
            self._held += piece
            if len(self._held) > _MOST_HELD_BYTES:
                self._give_up(len(self._held))
        else:
            try:
                for chunk in self._events.add(piece):
                    self._take(chunk)
            except UnusableBodyError:
                self._give_up(len(piece))

    def totals(self) -> tuple[int, int]:
        """Return the tokens of prompt and answer; 0 of a prompt that the backend did not count.

        Whatever came before an answer broke off counts.
        """
        if self._held:
            try:
                self._take(json.loads(self._held))
            except (ValueError, RecursionError):
                self._num_unread_bytes += len(self._held)
            self._held.clear()
        self._count_texts()
        estimated = self._num_estimated + self._num_unread_bytes // _BYTES_PER_TOKEN
        return self._counts["num_prompt_tokens"], self._counts["num_completion_tokens"] or estimated

    def _give_up(self, num_bytes: int) -> None:
        self._is_readable = False
        self._num_unread_bytes += num_bytes
        self._held.clear()

    def _take(self, chunk: Any) -> None:
        if not isinstance(chunk, dict):
            return
        if isinstance(chunk.get("usage"), dict):
            self._counts = reply_counts(chunk["usage"])
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, dict):
                for text in _texts(choice.get("delta") or choice.get("message")):
                    self._texts.append(without_lone_surrogates(text))
                    self._num_chars += len(self._texts[-1])
        if self._num_chars >= _COUNTED_CHARS:
            self._count_texts()

    def _count_texts(self) -> None:
        if self._texts:
            text = "".join(self._texts)
            sample = text[:_SAMPLE_CHARS]
            self._num_estimated += self._tokens.count(sample) * len(text) // len(sample)
        self._texts.clear()
        self._num_chars = 0


def _texts(said: object) -> Iterator[str]:
    """Yield what a message or a piece of one says: text, thinking, names and arguments of calls."""
    if not isinstance(said, dict):
        return
    yield from (text for name in _TEXTS if isinstance(text := said.get(name), str) and text)
    calls = said.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            yield from (text for text in function.values() if isinstance(text, str) and text)
