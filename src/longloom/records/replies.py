"""What agents ask of a model and what it replies, as text.

Every call of a model by an agent is a `ReplyRequest` and ends in a `Reply`. Where the model runs in
this process the reply carries its `Turn`: the tokens that training learns from.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from longloom.records.rollouts import FinishReason, SamplingParams, Turn


class Purpose(StrEnum):
    """What a call is for; servers, logs and journals tell calls apart by it."""

    ANSWER = "answer"
    COMPRESS = "compress"
    DECOMPOSE = "decompose"
    MERGE = "merge"
    REPAIR = "repair"
    UPDATE = "update"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsage:
    """Tokens that calls of a model took."""

    num_prompt_tokens: int = 0
    """Tokens of the prompts."""
    num_cached_tokens: int = 0
    """Those of them that the model had kept from before."""
    num_response_tokens: int = 0
    """Tokens that were written, thinking included."""
    num_calls: int = 0
    """Calls."""

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        """Return the sum over both."""
        return TokenUsage(
            num_prompt_tokens=self.num_prompt_tokens + other.num_prompt_tokens,
            num_cached_tokens=self.num_cached_tokens + other.num_cached_tokens,
            num_response_tokens=self.num_response_tokens + other.num_response_tokens,
            num_calls=self.num_calls + other.num_calls,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A piece of a reply while it is written."""

    text: str
    """The piece."""
    is_reasoning: bool = False
    """Whether it is thinking, which is no part of the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    """Who speaks."""
    content: str
    """What is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRequest:
    """One reply to draw."""

    message: str
    """What the user says; the whole chat if there is no `history`."""
    params: SamplingParams
    """How tokens are drawn; `max_new_tokens` bounds thinking and answer together."""
    key: str
    """Names the random stream: seed, step, example, rollout and turn; never arrival order."""
    purpose: Purpose = Purpose.ANSWER
    """What the call is for."""
    history: tuple[ChatMessage, ...] = ()
    """The chat so far, ahead of `message`."""
    prompt_ids: tuple[int, ...] | None = None
    """Tokens that somebody made of the prompt already; then `message` is their text."""
    on_delta: Callable[[Delta], None] | None = field(default=None, compare=False)
    """Receives the reply while it is written, where the model can show it; must not block."""

    @property
    def messages(self) -> tuple[ChatMessage, ...]:
        """The whole chat, which ends with what the user says."""
        return (*self.history, ChatMessage(role="user", content=self.message))

    @property
    def text(self) -> str:
        """All that is said, for counts and estimates."""
        if not self.history:
            return self.message
        return "\n".join(message.content for message in self.messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a model replied."""

    text: str
    """The reply, without what a server keeps apart; a local model's thinking tags stay."""
    finish_reason: FinishReason
    """Why it ended."""
    usage: TokenUsage
    """What it took."""
    reasoning: str = ""
    """Reasoning, where a server keeps it apart."""
    turn: Turn | None = None
    """The call with its tokens, where the model runs in this process."""
