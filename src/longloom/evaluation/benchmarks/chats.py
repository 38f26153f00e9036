"""Chats that rows of official files hold, as messages and as one text."""

import json
from collections.abc import Iterable
from typing import Any

from longloom.errors import DataError
from longloom.evaluation.benchmarks.l1_template import Spans
from longloom.evaluation.rows import Row, RowPlace, describe
from longloom.records import ChatMessage

_BETWEEN = "\n\n"


def chat_of(row: Row, name: str, place: RowPlace) -> tuple[ChatMessage, ...]:
    """Return a field that must be a list of messages, or such a list as JSON.

    Raises:
        DataError: it is something else, or empty.
    """
    value = row.get(name)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{describe(place)}: field {name!r} is no JSON: {error}; download the file again"
            ) from None
    if not isinstance(value, list) or not value:
        raise DataError(
            f"{describe(place)}: field {name!r} is {_kind(row, name, value)}; expected a list of "
            "messages; give the official file"
        )
    return tuple(_message(entry, name, place) for entry in value)


def chat_text(messages: Iterable[ChatMessage]) -> tuple[str, Spans]:
    """Return a chat as text with a tag ahead of every turn, and where each turn's content is."""
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    size = 0
    for message in messages:
        tag = f"{message.role.capitalize()}: "
        parts.append(tag + message.content)
        start = size + len(tag)
        spans.append((start, start + len(message.content)))
        size = start + len(message.content) + len(_BETWEEN)
    return _BETWEEN.join(parts), tuple(spans)


def _message(entry: Any, name: str, place: RowPlace) -> ChatMessage:
    if isinstance(entry, dict) and isinstance(entry.get("content"), str):
        content = entry["content"]
        match entry.get("role"):
            case "system":
                return ChatMessage(role="system", content=content)
            case "user":
                return ChatMessage(role="user", content=content)
            case "assistant":
                return ChatMessage(role="assistant", content=content)
    raise DataError(
        f"{describe(place)}: a message of {name!r} is no object with `content` and a `role` of "
        "system, user or assistant; give the official file"
    )


def _kind(row: Row, name: str, value: Any) -> str:
    if name not in row:
        return "missing"
    return "empty" if value == [] else f"of type {type(value).__name__}"
