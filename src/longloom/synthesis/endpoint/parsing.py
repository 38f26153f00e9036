"""Read what a model wrote: JSON of a known shape, or a verdict.

A reply is a stranger's text. It is bounded, its reasoning is left aside, the last JSON in it
counts, every field is checked, and whatever does not fit raises `ReplyFormatError`.
"""

import re
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from longloom.errors import ModelError
from longloom.models.endpoint.messages import ChatReply

MAX_REPLY_CHARACTERS = 200_000
_THINK_END = "</think>"
_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)


class ReplyFormatError(ModelError):
    """A reply is not of the form that was asked for."""


class ReplyShape(BaseModel):
    """Base of the shapes of replies: unknown fields are ignored, types are not converted."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", strict=True, str_strip_whitespace=True, str_max_length=20_000
    )


ShapeT = TypeVar("ShapeT", bound=ReplyShape)


def visible_reply(reply: ChatReply) -> str:
    """Return what a reply says after its reasoning.

    Raises:
        ReplyFormatError: the reply was cut or is too long.
    """
    if not reply.is_complete:
        ending = reply.finish_reason or "no stated cause"
        raise ReplyFormatError(f"the reply ended by {ending!r}; expected a whole reply")
    if len(reply.text) > MAX_REPLY_CHARACTERS:
        raise ReplyFormatError(f"the reply has {len(reply.text)} characters")
    return reply.text.rpartition(_THINK_END)[2].strip()


def parse_json(reply: ChatReply, shape: type[ShapeT]) -> ShapeT:
    """Return the last JSON object of a reply as `shape`.

    Raises:
        ReplyFormatError: there is none, or it has another shape.
    """
    text = _json_text(visible_reply(reply))
    try:
        return shape.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"]) or "the reply"
        raise ReplyFormatError(f"{place}: {first['msg']}") from None


def parse_yes_no(reply: ChatReply) -> bool:
    """Return whether a reply ends in a clear yes: `[[YES]]` present, `[[NO]]` absent.

    Raises:
        ReplyFormatError: the reply was cut.
    """
    visible = visible_reply(reply)
    return "[[YES]]" in visible and "[[NO]]" not in visible


def _json_text(visible: str) -> str:
    blocks: list[str] = _FENCED.findall(visible)
    if blocks:
        return blocks[-1]
    start, end = visible.find("{"), visible.rfind("}")
    if start < 0 or end < start:
        raise ReplyFormatError(f"no JSON object in {visible[:80]!r}")
    return visible[start : end + 1]
