"""Replies, as OpenAI's API writes them; what /openapi.json says about them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class ReplyModel(BaseModel):
    """A JSON object of a reply."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)


class ReplyMessage(ReplyModel):
    """What the model says."""

    role: Literal["assistant"]
    """Who speaks."""
    content: str | None
    """The answer."""
    reasoning_content: str | None = None
    """The model's thinking, and the progress of a reading."""
    annotations: list[dict[str, Any]] | None = None
    """Where the answer stands in what was read: `url_citation` objects."""
    tool_calls: list[dict[str, Any]] | None = None
    """Functions that the model calls."""


class Choice(ReplyModel):
    """One answer."""

    index: int
    """Its number, from 0."""
    message: ReplyMessage
    """What the model says."""
    finish_reason: str | None
    """`stop`, `length`, `tool_calls`, ..."""
    logprobs: dict[str, Any] | None = None
    """Log-probabilities of its tokens."""


class Usage(ReplyModel):
    """Tokens. A reading counts the request once, and all that was written while reading."""

    prompt_tokens: int
    """Tokens of the request."""
    completion_tokens: int
    """Tokens that were written."""
    total_tokens: int
    """Both."""


class ChatCompletion(ReplyModel):
    """The body of an answer that is no stream."""

    id: str
    """Names the answer."""
    object: Literal["chat.completion"]
    """What this is."""
    created: int
    """Seconds since 1970."""
    model: str
    """The model."""
    choices: list[Choice]
    """The answers."""
    usage: Usage | None = None
    """Tokens."""


class ModelCard(ReplyModel):
    """A model that is served."""

    id: str
    """Its name in requests."""
    object: Literal["model"] = "model"
    """What this is."""
    created: int
    """Seconds since 1970."""
    owned_by: str = "longloom"
    """Who serves it."""
    max_model_len: int
    """Tokens of the longest request."""
    window_tokens: int
    """Tokens of the model's own window; longer requests are read section by section."""


class ModelList(ReplyModel):
    """The models that are served."""

    object: Literal["list"] = "list"
    """What this is."""
    data: list[ModelCard]  # breaks a rule: the API's name
    """The models."""


class Health(ReplyModel):
    """Whether the server takes requests."""

    status: Literal["ok", "stopping"]
    """`stopping` once it has been told to stop."""
    model: str
    """The model."""


class TokenCount(ReplyModel):
    """The reply of `POST /tokenize`."""

    count: int
    """Tokens."""
    is_exact: bool
    """Whether the model's own tokenizer counted."""
    max_model_len: int
    """Tokens of the longest request."""
    tokens: list[int] | None = None
    """The tokens, where the model's own tokenizer counted."""


class ErrorDetails(ReplyModel):
    """What was wrong."""

    message: str
    """In words."""
    type: str
    """The kind of error."""
    param: str | None
    """The field that is to blame."""
    code: str | int | None
    """A word for programs."""


class ErrorBody(ReplyModel):
    """The body of every error."""

    error: ErrorDetails
    """What was wrong."""
