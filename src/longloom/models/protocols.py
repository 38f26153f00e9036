"""What agents need of a model, whoever runs it."""

from typing import Protocol

from longloom.records import Completion, SampleRequest
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
