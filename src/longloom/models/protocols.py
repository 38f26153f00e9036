"""What agents and training need of a model, whoever runs it."""

from collections.abc import Sequence
from typing import Protocol

from jaxtyping import Float
from torch import Tensor

from longloom.records import Completion, SampleRequest, TrainingSequence
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


class Policy(Protocol):
    """A model whose log-probabilities can be differentiated."""

    def score(
        self, sequences: Sequence[TrainingSequence], *, temperature: float
    ) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
        """Return log-probabilities and entropies of all response tokens, concatenated.

        Logits are divided by `temperature` before both. Entropies are over the full vocabulary,
        in nats. N is the number of response tokens of all sequences, in order.
        """
