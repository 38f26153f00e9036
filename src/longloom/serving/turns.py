"""The messages of a chat request as text; what is no text is refused with a reason."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longloom.errors import DataError

SYSTEM_ROLES = ("developer", "system")
_TEXT_PARTS = ("input_text", "output_text", "refusal", "text")
_BETWEEN_PARTS = "\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTurn:
    """One message of a request."""

    role: str
    """`system`, `developer`, `user`, `assistant` or `tool`."""
    text: str
    """Its text parts, joined by a blank line."""
    parts: tuple[tuple[int, int], ...]
    """Where each part stands in `text`."""
    message: Mapping[str, object]
    """As it came."""

    @property
    def is_system(self) -> bool:
        """Whether it is the operator's, not of the conversation."""
        return self.role in SYSTEM_ROLES

    @property
    def spoken(self) -> str:
        """The text, or the tool calls of a turn that has no text."""
        calls = self.message.get("tool_calls")
        return self.text if self.text or not calls else json.dumps(calls, ensure_ascii=False)


def chat_turns(messages: Sequence[Mapping[str, object]]) -> tuple[ChatTurn, ...]:
    """Return the turns of `messages`.

    Raises:
        DataError: a message is malformed or holds a part that is no text.
    """
    return tuple(_turn(number, message) for number, message in enumerate(messages))


def rendered(turns: Sequence[ChatTurn]) -> str:
    """Return turns as one text, each under its role."""
    return "\n\n".join(f"[{turn.role}]\n{turn.spoken}" for turn in turns)


def _turn(number: int, message: Mapping[str, object]) -> ChatTurn:
    role = message.get("role")
    if not isinstance(role, str):
        raise DataError(f"messages[{number}].role is {role!r:.80}; a string was expected.")
    texts = _texts(number, message.get("content"))
    parts = []
    start = 0
    for text in texts:
        parts.append((start, start + len(text)))
        start += len(text) + len(_BETWEEN_PARTS)
    return ChatTurn(role=role, text=_BETWEEN_PARTS.join(texts), parts=tuple(parts), message=message)


def _texts(number: int, content: object) -> list[str]:
    if content is None:
        return []
    if isinstance(content, str):
        return [content]
    if not isinstance(content, Sequence):
        raise DataError(
            f"messages[{number}].content is of type {type(content).__name__}; "
            "a string or a list of parts was expected."
        )
    return [_part_text(number, part) for part in content]


def _part_text(number: int, part: object) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping):
        raise DataError(f"messages[{number}].content holds {part!r:.80}; a part was expected.")
    kind = part.get("type")
    text = part.get("refusal" if kind == "refusal" else "text")
    if kind not in _TEXT_PARTS:
        raise DataError(
            f"messages[{number}].content holds a part of type {kind!r:.80}; a request that is "
            "longer than the model's window can be read only as text. Remove the part, or send "
            "the text of what it shows."
        )
    if not isinstance(text, str):
        raise DataError(f"messages[{number}].content holds a {kind!r} part without a text.")
    return text
