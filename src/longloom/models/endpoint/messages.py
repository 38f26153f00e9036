"""What is asked of a chat model and what it replies, whoever serves it.

Runners, judges and evaluation are written against `ChatModel`; `EndpointClient` is the one that
speaks HTTP. Nothing here imports a network library.
"""

from dataclasses import dataclass
from typing import Protocol

from longloom.records import ChatMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One reply to draw. Equal requests have equal replies: they are cached by content."""

    messages: tuple[ChatMessage, ...]
    """The chat so far; it ends with what the model is to answer."""
    temperature: float = 0.0
    """Divides the logits; 0 takes the most probable token."""
    top_p: float = 1.0
    """Nucleus mass; 1.0 keeps every token."""
    max_new_tokens: int = 4_096
    """Replies are cut here, reasoning included."""
    seed: int = 0
    """Sent to the server, plus `sample_index`; not every server obeys it."""
    sample_index: int = 0
    """Tells the samples of one prompt apart; part of the cache key."""
    stop: tuple[str, ...] = ()
    """Texts that end a reply."""
    is_json: bool = False
    """Whether the server is asked for a JSON object, where it can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatReply:
    """What a model replied."""

    text: str
    """The visible reply, without reasoning that the server keeps apart."""
    reasoning: str
    """Reasoning, as far as the server shows it apart (`reasoning_content`, `reasoning`)."""
    finish_reason: str
    """`stop`, `length`, `content_filter`, ...; empty if the server gave none."""
    num_prompt_tokens: int
    """As the server counts; 0 if it does not."""
    num_completion_tokens: int
    """As the server counts; 0 if it does not."""
    num_cached_tokens: int = 0
    """Tokens of the prompt that the server had kept from before; 0 if it does not say."""
    is_cached: bool = False
    """Whether it came from the cache, at no cost."""

    @property
    def is_complete(self) -> bool:
        """Whether the model ended by itself; a cut reply is never used as an answer."""
        return self.finish_reason == "stop"


class ChatModel(Protocol):
    """Something that replies to chats."""

    @property
    def name(self) -> str:
        """How the model is called in records."""

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Return the reply to one request.

        Raises:
            EndpointRefusedError: this very request cannot be answered, now or later.
            ModelError: the model cannot be reached or used at all.
        """


def user_request(prompt: str, *, system: str = "", **settings: object) -> ChatRequest:
    """Return the request of one user message, `settings` being fields of `ChatRequest`."""
    opening = (ChatMessage(role="system", content=system),) if system else ()
    messages = (*opening, ChatMessage(role="user", content=prompt))
    return ChatRequest(messages=messages, **settings)  # type: ignore[arg-type]
