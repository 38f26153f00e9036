"""Answers piece by piece, and how the pieces are written: as a stream of events, or as one object.

backend or reading -> Part, Part, ... -> chunk lines ... [DONE]
                                     `-> one chat.completion
"""

import json
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one answer goes on with."""

    index: int = 0
    """Which answer, where several were asked for."""
    delta: Mapping[str, Any] = field(default_factory=dict)
    """What is added, as OpenAI's chunks say it: `content`, `reasoning_content`, `tool_calls`."""
    finish_reason: str | None = None
    """Why the answer ended, once it has."""
    logprobs: Mapping[str, Any] | None = None
    """Log-probabilities of the tokens of the piece."""
    event: Mapping[str, Any] | None = None
    """What Open WebUI shows as status."""
    usage: Mapping[str, Any] | None = None
    """Tokens of the whole request; with the last piece, which holds nothing else."""
    is_pause: bool = False
    """Nothing to say yet; only keeps the connection alive."""


def usage_of(num_prompt: int, num_completion: int, **details: Any) -> dict[str, Any]:
    """Return the counts of a request; `details` are further fields."""
    return {
        "prompt_tokens": num_prompt,
        "completion_tokens": num_completion,
        "total_tokens": num_prompt + num_completion,
        **details,
    }


def error_line(body: Mapping[str, Any]) -> bytes:
    """Return an error inside a stream."""
    return _line(body)


def _line(content: Mapping[str, Any]) -> bytes:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return b"data: " + text.encode("utf-8", "replace") + b"\n\n"


class AnswerWriter:
    """Writes the parts of one request."""

    def __init__(self, model: str, *, num_choices: int, wants_usage: bool) -> None:
        """Take what stands in every chunk, and whether a stream ends with counts."""
        self._num_choices = num_choices
        self._wants_usage = wants_usage
        self._frame = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }

    async def lines(self, parts: AsyncGenerator[Part, None]) -> AsyncGenerator[bytes, None]:
        """Yield the lines of a stream: roles, pieces, counts if asked for, the end mark.

        Choices are never empty but in the chunk of counts, as clients take the first.
        """
        for index in range(self._num_choices):
            yield self._chunk(Part(index=index, delta={"role": "assistant", "content": ""}))
        async with aclosing(parts):
            async for part in parts:
                if part.is_pause:
                    yield KEEP_ALIVE
                elif part.usage is None:
                    yield self._chunk(part)
                elif self._wants_usage:
                    yield _line({**self._frame, "choices": [], "usage": part.usage})
        yield DONE

    async def whole(self, parts: AsyncGenerator[Part, None]) -> bytes:
        """Return the object of all parts."""
        messages: list[dict[str, Any]] = [
            {"role": "assistant", "content": None} for _ in range(self._num_choices)
        ]
        finishes: list[str | None] = [None] * self._num_choices
        logprobs: list[dict[str, Any] | None] = [None] * self._num_choices
        usage: Mapping[str, Any] | None = None
        async with aclosing(parts):
            async for part in parts:
                usage = part.usage or usage
                if not part.index < self._num_choices:
                    continue
                _add_delta(messages[part.index], part.delta)
                finishes[part.index] = part.finish_reason or finishes[part.index]
                if part.logprobs:
                    logprobs[part.index] = _joined_logprobs(logprobs[part.index], part.logprobs)
        choices = [
            {
                "index": index,
                "message": messages[index],
                "finish_reason": finishes[index],
                "logprobs": logprobs[index],
            }
            for index in range(self._num_choices)
        ]
        answer = {**self._frame, "object": "chat.completion", "choices": choices, "usage": usage}
        return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")

    def _chunk(self, part: Part) -> bytes:
        choice: dict[str, Any] = {
            "index": part.index,
            "delta": part.delta,
            "finish_reason": part.finish_reason,
        }
        if part.logprobs is not None:
            choice["logprobs"] = part.logprobs
        chunk = {**self._frame, "choices": [choice]}
        if part.event is not None:
            chunk["event"] = part.event
        return _line(chunk)


def _add_delta(message: dict[str, Any], delta: Mapping[str, Any]) -> None:
    for name, value in delta.items():
        if name == "tool_calls" and isinstance(value, list):
            _add_tool_calls(message.setdefault("tool_calls", []), value)
        elif name == "annotations" and isinstance(value, list):
            message.setdefault("annotations", []).extend(value)
        elif name != "role" and isinstance(value, str):
            message[name] = (message.get(name) or "") + value


def _add_tool_calls(calls: list[dict[str, Any]], pieces: list[Any]) -> None:
    """Join the pieces of tool calls: names come once, arguments bit by bit."""
    for piece in pieces:
        if not isinstance(piece, dict):
            continue
        number = piece.get("index")
        number = number if isinstance(number, int) and 0 <= number <= len(calls) else len(calls)
        if number == len(calls):
            calls.append({"type": "function", "function": {"name": "", "arguments": ""}})
        call = calls[number]
        call |= {name: piece[name] for name in ("id", "type") if piece.get(name)}
        function = piece.get("function")
        if isinstance(function, dict):
            for name in ("name", "arguments"):
                if isinstance(function.get(name), str):
                    call["function"][name] += function[name]


def _joined_logprobs(earlier: dict[str, Any] | None, further: Mapping[str, Any]) -> dict[str, Any]:
    content = [*((earlier or {}).get("content") or []), *(further.get("content") or [])]
    return {"content": content}
