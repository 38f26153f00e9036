"""The seam between the training loop and the place where it runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from longloom.models.protocols import Sampler
from longloom.records import TrainingSequence
from longloom.training.loss_config import LossConfig, LossDenominators, SupervisedLossConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One optimizer step to take."""

    sequences: Sequence[TrainingSequence]
    """What to learn from; sequences whose advantages are all zero may be left out."""
    denominators: LossDenominators
    """Sizes of the whole batch, masked tokens included."""
    temperature: float
    """The sampling temperature; logits are divided by it."""
    learning_rate: float
    """Step size of this update."""
    max_grad_norm: float
    """Gradients are scaled down to this norm."""


class TrainEngine(Protocol):
    """A policy that can be sampled, updated and saved."""

    @property
    def sampler(self) -> Sampler:
        """Samples from the policy as it is after the last update."""

    def update(
        self, update: Update, *, loss: LossConfig | SupervisedLossConfig
    ) -> Mapping[str, float]:
        """Take one optimizer step and return its metrics.

        Raises:
            EngineError: the loss or the gradient is not finite.
        """

    def score(
        self, sequences: Sequence[TrainingSequence], *, temperature: float
    ) -> list[tuple[float, ...]]:
        """Return the log-probability of each response token under the present policy.

        What a step with several updates needs as `TrainingSequence.old_logprobs`.
        """

    def save_policy(self, folder: Path) -> None:
        """Write the policy alone, as a model folder that others load."""

    def save(self, folder: Path) -> None:
        """Write the policy as a model folder, with the optimizer's state beside it."""

    def load(self, folder: Path) -> None:
        """Restore what `save` wrote.

        Raises:
            CheckpointError: the folder is incomplete or damaged.
        """
