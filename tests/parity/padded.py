"""One random batch twice: padded rows [B, T] as peers want them, packed tokens [N] as ours."""

from dataclasses import dataclass

import torch

from longloom.training.loss_config import LossDenominators
from longloom.training.losses import policy_gradient_loss

NEEDS = "needs its own environment: run `make test-parity`"


@dataclass(frozen=True)
class Padded:
    """Right-padded values of a batch."""

    mask: torch.Tensor
    logprobs: torch.Tensor
    old_logprobs: torch.Tensor
    rollout_logprobs: torch.Tensor
    ref_logprobs: torch.Tensor
    advantages: torch.Tensor

    def packed(self, name):
        """Return the values of tokens that count, row by row."""
        return getattr(self, name)[self.mask]

    @property
    def lengths(self):
        """Length of each token's response [N]."""
        lengths = self.mask.sum(1)
        return lengths.repeat_interleave(lengths)


def random_batch(seed, *, num_rows=6, num_columns=7, dtype=torch.float64):
    """Return a batch of ratios on both sides of the clip range, with garbage in the padding."""
    generator = torch.Generator().manual_seed(seed)

    def normal(scale):
        return scale * torch.randn(num_rows, num_columns, generator=generator, dtype=dtype)

    lengths = torch.randint(1, num_columns + 1, (num_rows,), generator=generator)
    logprobs = -normal(1.0).abs() - 0.1
    return Padded(
        mask=torch.arange(num_columns)[None] < lengths[:, None],
        logprobs=logprobs,
        old_logprobs=logprobs + normal(0.4),
        rollout_logprobs=logprobs + normal(0.4),
        ref_logprobs=logprobs + normal(0.4),
        advantages=normal(1.0)[:, :1].expand(-1, num_columns),
    )


def grouped_rewards(seed, *, num_groups=5, group_size=4):
    """Return rewards [B] and group numbers [B], one group of equal rewards among them."""
    generator = torch.Generator().manual_seed(seed)
    rewards = torch.rand(num_groups, group_size, generator=generator)
    rewards[1] = 0.5
    return rewards.flatten(), torch.arange(num_groups).repeat_interleave(group_size)


def our_loss(batch, config, **inputs):
    """Return our loss of a batch, and its metrics."""
    lengths = batch.mask.sum(1)
    return policy_gradient_loss(
        batch.packed("logprobs"),
        batch.packed("old_logprobs"),
        batch.packed("advantages"),
        config,
        LossDenominators(num_tokens=int(lengths.sum()), num_sequences=len(lengths)),
        sequence_tokens=batch.lengths,
        **inputs,
    )
