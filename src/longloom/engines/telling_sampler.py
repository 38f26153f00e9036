"""A sampler that says what to do when the memory does not suffice for rollouts."""

from longloom.engines.machine import told_when_memory_ends
from longloom.models.protocols import Sampler
from longloom.records import Completion, SampleRequest
from longloom.text.tokenizer import Tokenizer


class TellingSampler:
    """Passes requests on; see `models.protocols.Sampler`."""

    def __init__(self, sampler: Sampler, *, max_cache_tokens: int) -> None:
        """Take a sampler of this process and the tokens its caches may hold."""
        self._sampler = sampler
        self._max_cache_tokens = max_cache_tokens

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model."""
        return self._sampler.tokenizer

    @property
    def window_tokens(self) -> int:
        """Prompt and completion together must fit in this many tokens."""
        return self._sampler.window_tokens

    async def sample(self, request: SampleRequest) -> Completion:
        """Return one completion.

        Raises:
            EngineError: the memory did not suffice; not a failed rollout, for all would fail.
            ModelError: prompt and answer do not fit the window, or the model failed.
        """
        with told_when_memory_ends(self._advice):
            return await self._sampler.sample(request)

    def _advice(self) -> str:
        return (
            f"rollouts hold up to {self._max_cache_tokens} tokens in their caches; lower "
            "engine.max_cache_tokens and run the same command again, it resumes"
        )
