"""The learning rate of each step: linear warm-up, then constant or a half cosine to zero."""

import math
from typing import Literal, assert_never

ScheduleKind = Literal["constant", "cosine"]


def learning_rate_at(
    step: int,
    *,
    peak: float,
    num_steps: int,
    warmup_steps: int = 0,
    kind: ScheduleKind = "constant",
) -> float:
    """Return the learning rate of one step.

    Args:
        step: Steps taken before it, 0 .. num_steps - 1.
        peak: The rate that the warm-up ends in.
        num_steps: All steps of the stage; a cosine would reach 0 one step after the last.
        warmup_steps: Steps below the peak: step s of w has (s + 1) / (w + 1) of it.
        kind: What follows the warm-up.
    """
    if step < warmup_steps:
        return peak * (step + 1) / (warmup_steps + 1)
    match kind:
        case "constant":
            return peak
        case "cosine":
            done_fraction = (step - warmup_steps) / max(1, num_steps - warmup_steps)
            return peak * 0.5 * (1 + math.cos(math.pi * done_fraction))
        case _:
            assert_never(kind)
