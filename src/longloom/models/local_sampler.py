"""A sampler that runs the network in this process and batches concurrent requests."""

import asyncio
from collections.abc import Callable

from longloom.errors import ContextLengthError, ModelError
from longloom.models.generate import Progress, generate
from longloom.models.network import SampledNetwork
from longloom.records import Completion, SampleRequest
from longloom.text.tokenizer import Tokenizer


class LocalSampler:
    """Collects the requests of all waiting agents and computes them as one batch.

    A batch starts when every agent of the event loop waits for a completion. The order of requests
    does not change what any of them draws.
    """

    def __init__(
        self,
        network: SampledNetwork,
        tokenizer: Tokenizer,
        *,
        max_batch_tokens: int = 65_536,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        """Sample from a network.

        Args:
            network: what is sampled, with the weights it has at that time.
            tokenizer: its tokenizer.
            max_batch_tokens: bounds the memory of the caches (see `generate`).
            on_progress: called whenever requests of a batch have finished.
        """
        self._network = network
        self._tokenizer = tokenizer
        self._max_batch_tokens = max_batch_tokens
        self._on_progress = on_progress
        self._waiting: list[tuple[SampleRequest, asyncio.Future[Completion]]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        """The event loop that will run the waiting requests; None if none waits."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model."""
        return self._tokenizer

    @property
    def window_tokens(self) -> int:
        """Prompt and completion together must fit in this many tokens."""
        return self._network.sizes.window_tokens

    async def sample(self, request: SampleRequest) -> Completion:
        """Return one completion; see `models.protocols.Sampler`."""
        num_prompt, num_new = len(request.prompt_ids), request.params.max_new_tokens
        if num_prompt < 1 or num_new < 1:
            raise ModelError(
                f"prompt of {num_prompt} tokens and answer of up to {num_new}; expected at least 1 "
                "of each"
            )
        if num_prompt + num_new > self.window_tokens:
            raise ContextLengthError(
                f"prompt of {num_prompt} tokens and answer of up to {num_new} do not fit the "
                f"window of {self.window_tokens}; shorten the context or the answer limit"
            )
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Completion] = loop.create_future()
        if self._loop is not loop:  # an earlier event loop may have ended before it ran its batch
            self._waiting, self._loop = [], loop
            loop.call_soon(self._run_when_idle, loop, 1)
        self._waiting.append((request, future))
        return await future

    def _run_when_idle(self, loop: asyncio.AbstractEventLoop, num_seen: int) -> None:
        if len(self._waiting) > num_seen:  # agents are still arriving
            loop.call_soon(self._run_when_idle, loop, len(self._waiting))
            return
        batch = [waiting for waiting in self._waiting if not waiting[1].done()]
        self._waiting, self._loop = [], None
        if not batch:
            return
        try:
            completions = generate(
                self._network,
                [request for request, _ in batch],
                end_ids=self._tokenizer.end_ids,
                max_batch_tokens=self._max_batch_tokens,
                on_progress=self._on_progress,
            )
        except Exception as error:  # the boundary to the network: every waiting agent is told
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), completion in zip(batch, completions, strict=True):
            if not future.done():
                future.set_result(completion)
