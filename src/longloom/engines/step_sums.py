"""Sums over the micro-batches of an update, kept on the device until the update is done.

Reading a number from an accelerator waits for it, so that is done once per update.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

_GAP = "gap/"


class StepSums:
    """Adds up metrics, and how far the sampler's log-probabilities are from the trainer's."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._largest_gap_nats: Tensor | None = None
        self._num_gap_tokens = 0

    def add(self, metrics: Mapping[str, Float[Tensor, ""]]) -> None:
        """Add the part of one micro-batch."""
        for name, part in metrics.items():
            value = part.detach().double()
            self._sums[name] = self._sums[name] + value if name in self._sums else value

    def add_sampler_gap(
        self, logprobs: Float[Tensor, " N"], rollout_logprobs: Float[Tensor, " N"]
    ) -> None:
        """Compare what trainer and sampler give the same tokens under the same policy."""
        difference = (logprobs.detach() - rollout_logprobs).double()
        self._num_gap_tokens += difference.shape[0]
        self.add(
            {
                f"{_GAP}nats": difference.abs().sum(),
                f"{_GAP}ratio": difference.exp().sum(),
            }
        )
        largest = difference.abs().max()
        known = self._largest_gap_nats
        self._largest_gap_nats = largest if known is None else torch.maximum(known, largest)

    def metrics(self) -> dict[str, float]:
        """Return all sums, and the gap: 0 nats and ratio 1 but for rounding."""
        sums = {name: float(value) for name, value in self._sums.items()}
        if self._largest_gap_nats is None:
            return sums
        return {
            **{name: value for name, value in sums.items() if not name.startswith(_GAP)},
            "training/sampler_gap_nats": sums[f"{_GAP}nats"] / self._num_gap_tokens,
            "training/sampler_gap_max_nats": float(self._largest_gap_nats),
            "training/sampler_ratio_mean": sums[f"{_GAP}ratio"] / self._num_gap_tokens,
        }
