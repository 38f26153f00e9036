"""What the server needs of whoever computes the model."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from longloom.models.protocols import ChatSampler
from longloom.serving.answer_parts import Part
from longloom.serving.wire import ChatCompletionRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatCall:
    """A request as it came."""

    request: ChatCompletionRequest
    """Its fields."""
    body: bytes
    """Its bytes."""
    fields: Mapping[str, Any]
    """Its JSON, unknown fields included."""
    holder: str = ""
    """Whose key it was sent with; empty where no key is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSize:
    """How long a request is."""

    num_tokens: int
    """Tokens of the chat; where `fits` is false and counting ended early, at least so many."""
    num_answer_tokens: int
    """Tokens to keep free for the answer."""
    fits: bool
    """Whether both fit the window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relayed:
    """The backend's own answer to a request that was passed on."""

    status: int
    """HTTP status."""
    headers: Mapping[str, str]
    """Headers to hand on."""
    body: AsyncGenerator[bytes, None]
    """The body, piece by piece; closing it ends the backend's work."""


class TooLongError(Exception):
    """The backend says that a request which seemed to fit does not."""


class Backend(Protocol):
    """A model in this process, or a server of one. For the tasks of one event loop."""

    @property
    def name(self) -> str:
        """The model's name in requests and replies."""

    @property
    def chat(self) -> ChatSampler:
        """What agents read with. Cancelling a call ends the backend's work on it."""

    def chat_for(self, holder: str) -> ChatSampler:
        """Return what agents read with for the holder of a key; what is kept is kept for it alone.

        Args:
            holder: as in `ChatCall`.
        """

    async def open(self) -> None:
        """Find out about the model; called once before anything else."""

    async def close(self) -> None:
        """Give up what is held."""

    async def measure(self, call: ChatCall) -> PromptSize:
        """Return how long a request is; no further than to tell that it does not fit."""

    def check(self, call: ChatCall) -> None:
        """Refuse what this backend cannot do.

        Raises:
            RefusedError: says which field.
        """

    async def relay(self, call: ChatCall) -> Relayed:
        """Answer a request that fits.

        Raises:
            TooLongError: it does not fit after all; nothing was sent.
            ModelError: the backend failed.
        """

    def answer(
        self, call: ChatCall, messages: Sequence[Mapping[str, Any]]
    ) -> AsyncGenerator[Part, None]:
        """Answer other messages with the settings of a request: the last call of a reading.

        Closing the iterator ends the backend's work.

        Raises:
            ContextLengthError: prompt and answer do not fit the window.
            ModelError: the backend failed.
        """

    async def tokenize(
        self, text: str | None, messages: Sequence[Mapping[str, Any]]
    ) -> tuple[int, list[int] | None]:
        """Return how many tokens a text or a chat has, and which, where that is known."""

    def figures(self) -> Mapping[str, float]:
        """Return what /metrics shows of the backend; none need be known."""
