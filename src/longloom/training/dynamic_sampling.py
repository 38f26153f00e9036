"""Fill a batch with groups that have something to teach (DAPO; QwenLong-L1, section 2.3).

    draw -> roll out -> drop groups of equal rewards -> draw what lacks -> roll out -> ...

It is not oversampling: each round draws only as many prompts as the batch lacks, of the tasks that
lack them. No example is rolled out twice in one step, so random streams stay apart; tasks that have
no further example leave their places to the others. Every group rolled out is returned, for the
task statistics see all of them; the group filter leaves the dropped ones out of the update.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from longloom.errors import DataError
from longloom.records import RolloutGroup
from longloom.training.filters import GroupFilterConfig, filter_groups
from longloom.training.sampling import DrawsPrompts

RollOut = Callable[[Sequence[int]], Sequence[RolloutGroup]]
"""Rolls out the examples at some positions and scores them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedGroups:
    """All groups that were rolled out for one step."""

    groups: tuple[RolloutGroup, ...]
    """In the order in which they were drawn."""
    metrics: Mapping[str, float]
    """`training/...` figures of the filling."""


def collect_groups(
    config: GroupFilterConfig, sampler: DrawsPrompts, roll_out: RollOut
) -> CollectedGroups:
    """Draw and roll out the prompts of one step.

    Args:
        config: Which groups count, how often the batch is filled up, and what if that fails.
        sampler: Where prompts come from; its state moves on.
        roll_out: Makes the groups.

    Raises:
        DataError: the batch is not full and `config.when_short` is `error`.
    """
    drawn = sampler.draw()
    batch_size = len(drawn)
    groups = list(roll_out(drawn))
    num_refills = 0
    while config.drop_zero_variance and num_refills < config.max_refills:
        further = sampler.draw_further(kept=_kept(config, drawn, groups), drawn=drawn)
        if not further:
            break
        drawn += further
        groups += roll_out(further)
        num_refills += 1
    num_kept = len(_kept(config, drawn, groups))
    if num_kept < batch_size and config.when_short == "error":
        raise DataError(
            f"{num_kept} of {len(groups)} groups have rewards that differ, after {num_refills + 1} "
            f"generation rounds; expected {batch_size}; raise group_filter.max_refills, set "
            "group_filter.when_short=train, or take examples of other difficulty"
        )
    return CollectedGroups(
        groups=tuple(groups),
        metrics={
            "training/refill_rounds": float(num_refills),
            "training/rolled_out_groups": float(len(groups)),
            "training/dropped_groups": float(len(groups) - num_kept),
        },
    )


def _kept(
    config: GroupFilterConfig, drawn: Sequence[int], groups: Sequence[RolloutGroup]
) -> list[int]:
    """Return the positions whose groups the filter keeps."""
    kept = {id(group) for group in filter_groups(config, groups).kept}
    return [position for position, group in zip(drawn, groups, strict=True) if id(group) in kept]
