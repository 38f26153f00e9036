"""The policy that a KL term compares with: another network, or the same one without adapters."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from longloom.models.local_policy import score_sequences
from longloom.models.network import Network
from longloom.records import TrainingSequence


class ReferencePolicy:
    """Scores sequences under a network that is loaded when it is first needed."""

    def __init__(self, load: Callable[[], Network]) -> None:
        """Take the function that loads it."""
        self._load = load
        self._network: Network | None = None

    @torch.no_grad()
    def logprobs(
        self, sequences: Sequence[TrainingSequence], *, temperature: float
    ) -> Float[Tensor, " N"]:
        """Return the log-probability of each response token."""
        if self._network is None:
            self._network = self._load()
        logprobs, _ = score_sequences(self._network, sequences, temperature=temperature)
        return logprobs


class AdapterlessPolicy:
    """Scores sequences under a network with its adapters off; nothing is loaded."""

    def __init__(self, network: Network) -> None:
        """Take the network that is trained."""
        self._network = network

    @torch.no_grad()
    def logprobs(
        self, sequences: Sequence[TrainingSequence], *, temperature: float
    ) -> Float[Tensor, " N"]:
        """Return the log-probability of each response token."""
        with without_adapters(self._network):
            logprobs, _ = score_sequences(self._network, sequences, temperature=temperature)
        return logprobs


@contextmanager
def without_adapters(network: Network) -> Iterator[None]:
    """Let a network compute as if it had no adapters."""
    assert isinstance(network, nn.Module)
    adapted = [module for module in network.modules() if hasattr(module, "enable_adapters")]
    trained = [weight for _, weight in network.named_parameters() if weight.requires_grad]
    for module in adapted:
        module.enable_adapters(False)  # type: ignore[operator]
    try:
        yield
    finally:
        for module in adapted:
            module.enable_adapters(True)  # type: ignore[operator]
        for weight in trained:  # peft decides anew what is trained
            weight.requires_grad_(True)
