"""Score many rollouts at once, so that judge calls overlap."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from longloom.records import Example, Reward, Rollout

ScoreFunction = Callable[[Rollout, Example], Awaitable[Reward]]
"""Scores one rollout; a judge may be asked, so it is awaited."""


def score_all(
    score: ScoreFunction, rollouts: Sequence[Rollout], examples: Sequence[Example]
) -> list[Reward]:
    """Return one reward per rollout, in order; `examples` holds the example of each.

    Raises:
        RewardError: the judge was needed and could not be asked.
    """

    async def run_all() -> list[Reward]:
        pairs = zip(rollouts, examples, strict=True)
        return list(await asyncio.gather(*(score(rollout, example) for rollout, example in pairs)))

    return asyncio.run(run_all())
