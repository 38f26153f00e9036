"""Several documents and several questions at once, under one limit, the oldest first."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from longloom.models.protocols import ChatSampler
from longloom.records import Rollout
from longloom.rollout.agent import Agent, Attempt, Event
from longloom.rollout.call_limits import LimitedChat, OldestFirst


async def read_many(
    agent: Agent,
    attempts: Sequence[Attempt],
    *,
    sampler: ChatSampler,
    limits: OldestFirst,
    emit: Callable[[int, Event], None] | None = None,
) -> list[Rollout]:
    """Return one rollout per attempt, in order; those that stand first are served first.

    The steps of one reading wait for each other, so that several fill the model's room; attempts
    about one document share its tokenisation.

    Args:
        agent: reads and answers.
        attempts: what is asked; whoever shares `limits` and began earlier is served before them.
        sampler: the model.
        limits: how many calls, and of how many tokens, run at a time.
        emit: receives the position of an attempt and what happened in it; must not block.
    """
    tasks = [
        asyncio.create_task(
            agent(
                attempt,
                sampler=LimitedChat(sampler, limits, limits.next_age()),
                emit=partial(emit, position) if emit else _ignore,
            )
        )
        for position, attempt in enumerate(attempts)
    ]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:  # only where one of them failed, or this was cancelled
            task.cancel()


def _ignore(event: Event) -> None:
    """Receive an event that nobody shows."""
