"""What agents need of a model, whoever runs it.

`ChatSampler` is what an agent sees: text in, text out. `Sampler` is a model in this process, which
draws tokens; `longloom.rollout.TokenChat` makes a chat sampler of it, and
`longloom.models.endpoint.chat` one of a server.
"""

from typing import Protocol

from longloom.records import Completion, Reply, ReplyRequest, SampleRequest
from longloom.text.token_starts import TextTokens
from longloom.text.tokenizer import Tokenizer


class Sampler(Protocol):
    """Draws completions. Concurrent requests are batched; equal prompts are computed once."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model that is sampled."""

    @property
    def window_tokens(self) -> int:
        """Prompt and completion together must fit in this many tokens."""

    async def sample(self, request: SampleRequest) -> Completion:
        """Return one completion.

        Raises:
            ModelError: prompt and answer do not fit the window, or the model failed.
        """


class ChatSampler(Protocol):
    """Replies to one message. Safe for any number of concurrent tasks of one event loop."""

    @property
    def name(self) -> str:
        """Names the model and its version in records and journal keys."""

    @property
    def tokens(self) -> TextTokens:
        """How texts are measured and cut."""

    @property
    def window_tokens(self) -> int:
        """Prompt and reply together must fit in this many tokens."""

    def num_prompt_tokens(self, message: str) -> int:
        """Return the tokens of the prompt of one message, chat template included.

        At least as many as there are where the model's tokenizer is not at hand.
        """

    async def reply(self, request: ReplyRequest) -> Reply:
        """Return the reply to one request.

        Raises:
            ContextLengthError: prompt and reply do not fit the window.
            ModelError: the model failed.
        """
