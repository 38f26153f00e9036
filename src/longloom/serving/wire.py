"""Requests, as OpenAI's API writes them.

Fields that are not listed are kept for the backend that a request is passed on to. Types are
strict: the text "5" is no number.
"""

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import from_json

from longloom.serving.refusals import RefusedError, refused
from longloom.text.lone_surrogates import json_without_lone_surrogates

_DOCUMENTS = ("document", "documents")
_MOST_CHOICES = 8
_Text = Annotated[str, Field(max_length=1_000)]


class RequestModel(BaseModel):
    """A JSON object of a request."""

    model_config = ConfigDict(
        extra="allow",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )


class ContentPart(RequestModel):
    """A part of a message: text, or something that only a backend understands."""

    type: Annotated[str, Field(max_length=100)]
    """`text`, `image_url`, ..."""
    text: str | None = None
    """The text, where `type` is `text`."""


class Message(RequestModel):
    """One message of a chat."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    """Who speaks."""
    content: str | list[ContentPart] | None = None
    """What is said."""


class StreamOptions(RequestModel):
    """What a stream holds beside the answer."""

    include_usage: bool | None = None
    """Whether the last chunk counts tokens."""


class ReadDocument(RequestModel):
    """A document with a name."""

    name: str = ""
    """What citations call it; `document` if it has none."""
    text: str
    """Its text."""


class ReadingOptions(RequestModel):
    """How a request is read; the field `longloom`.

    A request that says what its documents are is read whether or not it would fit the window. One
    of `document` and `documents` may be given.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "not": {
                "required": ["document", "documents"],
                "properties": {name: {"not": {"type": "null"}} for name in _DOCUMENTS},
            }
        }
    )

    document: str | None = None
    """The text to read; the question is then `question`, or the last message of the user."""
    documents: Annotated[list[str | ReadDocument], Field(min_length=1)] | None = None
    """The texts to read, in order; names that come again get a number."""
    question: str | None = None
    """What is asked. Alone, it is asked of the largest text of the messages."""
    read: Literal["auto", "never"] | None = None
    """`auto` reads what does not fit section by section; `never` refuses it as other servers do.
    The header `X-Longloom-Read` says the same."""
    progress: Literal["off", "sections", "plan"] | None = None
    """What a reading shows as reasoning while it reads."""

    @property
    def has_documents(self) -> bool:
        """Whether the request says what its documents are."""
        return self.document is not None or self.documents is not None

    @model_validator(mode="after")
    def _documents_are_one(self) -> Self:
        if self.document is not None and self.documents is not None:
            raise ValueError("both document and documents are given; expected one of them")
        return self


class ChatCompletionRequest(RequestModel):
    """The body of `POST /v1/chat/completions`."""

    messages: Annotated[list[Message], Field(min_length=1)]
    """The chat so far."""
    model: Annotated[str, Field(max_length=1_000)] | None = None
    """The model; the one served if it is not named."""
    stream: bool | None = None
    """Whether the answer is sent while it is written."""
    stream_options: StreamOptions | None = None
    """What the stream holds beside it."""
    max_tokens: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    """Most tokens of an answer."""
    max_completion_tokens: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    """The newer name of `max_tokens`; goes before it."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """Divides the logits; 0 takes the most probable token."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Nucleus mass; 1 keeps every token."""
    n: Annotated[int, Field(ge=1, le=_MOST_CHOICES)] | None = None
    """Answers to the same chat."""
    stop: _Text | Annotated[list[_Text], Field(max_length=16)] | None = None
    """Texts that end an answer."""
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    """Equal seeds draw equal answers."""
    logprobs: bool | None = None
    """Whether the log-probability of every token is returned."""
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    """Further candidates for every token."""
    tools: list[dict[str, Any]] | None = None
    """Functions the model may call."""
    tool_choice: str | dict[str, Any] | None = None
    """Whether it must."""
    response_format: dict[str, Any] | None = None
    """The form an answer must have."""
    longloom: ReadingOptions | None = None
    """How a request is treated that does not fit the window."""

    @property
    def answer_limit(self) -> int | None:
        """Most tokens of an answer; None where the request does not say."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def num_choices(self) -> int:
        """Answers asked for."""
        return self.n or 1

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts that end an answer, empty ones left out."""
        found = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(stop for stop in found if stop)

    @property
    def is_stream(self) -> bool:
        """Whether the answer is sent while it is written."""
        return bool(self.stream)

    @property
    def wants_usage(self) -> bool:
        """Whether the stream shall end with a chunk of counts."""
        return bool(self.stream_options and self.stream_options.include_usage)


class TokenizeRequest(RequestModel):
    """The body of `POST /tokenize`: a text, or the messages of a chat."""

    model: Annotated[str, Field(max_length=1_000)] | None = None
    """The model; the one served if it is not named."""
    prompt: str | None = None
    """A text."""
    messages: Annotated[list[Message], Field(min_length=1)] | None = None
    """A chat, which is counted with its template."""


RequestT = TypeVar("RequestT", bound=RequestModel)


def parse_request(request_class: type[RequestT], body: bytes) -> tuple[RequestT, dict[str, Any]]:
    """Return a request and its JSON, unknown fields included; without lone surrogates.

    Raises:
        RefusedError: the body is no JSON (NaN and JSON that is nested deeply are none), or a field
            is wrong.
    """
    try:
        parsed = _parsed(body)
    except ValueError as error:
        raise refused(
            400, f"the body of {len(body)} bytes is not JSON: {error}", code="invalid_json"
        ) from None
    if not isinstance(parsed, dict):
        raise refused(400, f"the body is of type {type(parsed).__name__}; expected an object")
    try:
        return request_class.model_validate(parsed), parsed
    except ValidationError as error:
        raise _wrong_field(error) from None


def text_of(message: Message) -> str:
    """Return the text of a message, its text parts joined.

    Raises:
        RefusedError: it holds something that is no text.
    """
    if not isinstance(message.content, list):
        return message.content or ""
    others = sorted({part.type for part in message.content if part.text is None})
    if others:
        raise refused(
            400,
            f"a message holds parts of type {', '.join(others)[:200]}; expected text alone here",
            code="unsupported_content",
            param="messages",
        )
    return "\n".join(part.text or "" for part in message.content)


def _parsed(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        mended = json_without_lone_surrogates(body)
        if mended == body:
            raise
        return from_json(mended, allow_inf_nan=False)


def _wrong_field(error: ValidationError) -> RefusedError:
    first = error.errors(include_input=False, include_url=False)[0]
    path = ".".join(str(step) for step in first["loc"])[:200]
    message = first["msg"].removeprefix("Value error, ")
    return refused(400, f"{path}: {message}" if path else message, param=path or None)
