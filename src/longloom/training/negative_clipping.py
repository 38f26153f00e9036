"""Drop the gradient of negative tokens or sequences by their entropy.

QwenLong-L1.5, section 4.3, Eq. 8-10: the indicator I(i, t) is 0 where the advantage is negative
and the entropy lies beyond a threshold: H(t|i) of the token, or its mean over the response. The
paper prints no threshold, so the default is a quantile among the batch's negatives. The "low" side
is the paper's control arm, which collapses entropy.

The mask multiplies the advantages; the loss still divides by all tokens (Eq. 8). Quantiles are of
the whole batch: compute the mask once, before the batch is cut into micro-batches.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from longloom.training.negative_clipping_config import NegativeClippingConfig


def negative_keep_mask(
    entropies: Float[Tensor, " N"],
    advantages: Float[Tensor, " N"],
    sequence_ids: Int[Tensor, " N"],
    config: NegativeClippingConfig,
) -> Bool[Tensor, " N"]:
    """Return I(i, t) for the packed tokens of a batch: True where the token counts.

    Args:
        entropies: Full-vocabulary entropy in nats at each token.
        advantages: Advantage of each token.
        sequence_ids: Equal for tokens of the same sequence.
        config: What is dropped.
    """
    is_negative = advantages < 0
    if config.mode == "off" or not bool(is_negative.any()):
        return torch.ones_like(is_negative)
    if config.mode == "token":
        judged = entropies
        population = entropies[is_negative]
    else:
        _, sequence_of = torch.unique(sequence_ids, return_inverse=True)
        mean_by_sequence = _mean_by_class(entropies, sequence_of)
        judged = mean_by_sequence[sequence_of]
        population = mean_by_sequence[torch.unique(sequence_of[is_negative])]
    threshold = _threshold_nats(population, config)
    is_beyond = judged > threshold if config.side == "high" else judged < threshold
    return ~(is_negative & is_beyond)


def _threshold_nats(population: Float[Tensor, " N"], config: NegativeClippingConfig) -> Tensor:
    if config.threshold_kind == "absolute_nats":
        return population.new_tensor(config.threshold)
    # torch.quantile refuses more than 16M values, fewer than one batch of the paper holds.
    ordered = population.sort().values
    return ordered[int(config.threshold * (len(ordered) - 1) + 1e-9)]


def _mean_by_class(values: Tensor, class_of: Tensor) -> Tensor:
    counts = torch.bincount(class_of)
    return values.new_zeros(len(counts)).index_add(0, class_of, values) / counts
