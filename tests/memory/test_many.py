import asyncio

import pytest

from longloom.errors import ConfigError
from longloom.memory import MemoryAgent, MemoryConfig
from longloom.memory.many import read_many
from longloom.rollout import EventKind
from longloom.rollout.call_limits import OldestFirst
from questions import make_attempt
from scripted_chat import ScriptedChat, collecting

CONFIG = MemoryConfig(chunk_tokens=3, memory_tokens=40, decomposition="off")
DOCUMENTS = ["a1 a2 a3\n\nb1 b2 b3", "c1 c2 c3\n\nd1 d2 d3", "e1 e2 e3"]


def attempts():
    return [make_attempt(text, key=f"k{number}") for number, text in enumerate(DOCUMENTS)]


def test_every_document_gets_its_answer_and_the_oldest_goes_first():
    chat, events = ScriptedChat(collecting), []
    rollouts = asyncio.run(
        read_many(
            MemoryAgent(CONFIG),
            attempts(),
            sampler=chat,
            limits=OldestFirst(max_calls=1),
            emit=lambda position, event: events.append((position, event.kind)),
        )
    )
    assert [rollout.final_text for rollout in rollouts] == ["a1 b1", "c1 d1", "e1"]
    answered = [position for position, kind in events if kind is EventKind.ANSWERED]
    assert answered == [0, 1, 2]


def test_no_more_calls_run_than_allowed_and_no_reading_runs_alone():
    running, most = 0, 0

    class Counting(ScriptedChat):
        async def reply(self, request):
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1
            return await super().reply(request)

    limits = OldestFirst(max_calls=2)
    asyncio.run(
        read_many(MemoryAgent(CONFIG), attempts(), sampler=Counting(collecting), limits=limits)
    )
    assert most == 2
    assert limits.num_running_calls == limits.num_waiting_calls == 0


def test_an_error_of_the_caller_stops_all_readings():
    async def agent(attempt, *, sampler, emit):
        if attempt.key == "k1":
            raise ConfigError("refused")
        await asyncio.Event().wait()

    async def read():
        with pytest.raises(ConfigError, match="refused"):
            await read_many(
                agent, attempts(), sampler=ScriptedChat(collecting), limits=OldestFirst(3)
            )
        await asyncio.sleep(0)
        return len(asyncio.all_tasks())

    assert asyncio.run(read()) == 1
