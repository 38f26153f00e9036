"""Elect a direction at each position and average the changes that agree with it.

Shared by SCE and TIES. Written without comparisons and `torch.where`: on CPU they cost ten times
as much as the arithmetic used in their place.
"""

import torch
from jaxtyping import Float
from torch import Tensor

_SMALLEST = torch.finfo(torch.float32).tiny


def average_agreeing(
    deltas: Float[Tensor, "M E"], votes: Float[Tensor, " E"], weights: Float[Tensor, " M"]
) -> tuple[Float[Tensor, " E"], int]:
    """Return the mean of the agreeing changes and the number of positions with a conflict.

    Args:
        deltas: changes of the M models at E positions, fp32.
        votes: the direction at a position is that of its vote; a vote of 0 counts as positive.
        weights: weight of each model, none negative.

    Normalised by the weights of the models that agree at a position; 0 where none does. A
    position is a conflict if a change there is against the elected direction.
    """
    direction = torch.copysign(torch.ones_like(votes), votes)
    along = deltas * direction
    agreeing = along.clamp(min=0)
    # Positive floats are positive as integers too, so this is 1 where agreeing > 0, else 0.
    is_agreeing = agreeing.view(torch.int32).clamp(min=0, max=1).float()
    weight = weights @ is_agreeing
    # Where no change agrees both are 0; the bound turns 0/0 into 0 and touches nothing else.
    mean = (weights @ agreeing) / weight.clamp(min=_SMALLEST)
    num_conflicts = int(torch.count_nonzero(along.amin(dim=0).clamp(max=0)))
    return mean * direction, num_conflicts
