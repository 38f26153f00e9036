"""Run many attempts at once and return their rollouts in order."""

import asyncio
from collections.abc import Sequence

from longloom.models.protocols import ChatSampler
from longloom.records import Rollout
from longloom.rollout.agent import Agent, Attempt, Emit


def run_attempts(
    agent: Agent, attempts: Sequence[Attempt], *, sampler: ChatSampler, emit: Emit | None = None
) -> list[Rollout]:
    """Return one rollout per attempt, in order.

    All attempts run concurrently, so the sampler can batch their calls.
    """

    async def run_all() -> list[Rollout]:
        return list(
            await asyncio.gather(
                *(agent(attempt, sampler=sampler, emit=emit or _ignore) for attempt in attempts)
            )
        )

    return asyncio.run(run_all())


def _ignore(event: object) -> None:
    """Receive an event that nobody shows."""
