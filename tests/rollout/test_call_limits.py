import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.errors import ConfigError, ModelError
from longloom.records import FinishReason, Reply, ReplyRequest, SamplingParams, TokenUsage
from longloom.rollout.call_limits import LimitedChat, OldestFirst


async def settle() -> None:
    """Let every task run as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


@dataclass
class Call:
    """A task that holds room until it is told to end."""

    age: int
    num_tokens: int
    end: asyncio.Event = field(default_factory=asyncio.Event)
    is_running: bool = False
    task: asyncio.Task[None] | None = None

    async def hold(self, limits: OldestFirst) -> None:
        async with limits.slot(self.age, self.num_tokens):
            self.is_running = True
            try:
                await self.end.wait()
            finally:
                self.is_running = False


async def started(limits: OldestFirst, *calls: Call) -> None:
    for call in calls:
        call.task = asyncio.create_task(call.hold(limits))
    await settle()


async def ended(*calls: Call) -> None:
    for call in calls:
        call.end.set()
        assert call.task is not None
        await asyncio.gather(call.task, return_exceptions=True)
    await settle()


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def test_oldest_trajectory_goes_first() -> None:
    async def scenario() -> None:
        limits = OldestFirst(max_calls=1)
        first, young, old = Call(5, 0), Call(9, 0), Call(2, 0)
        await started(limits, first, young, old)
        assert (first.is_running, young.is_running, old.is_running) == (True, False, False)
        await ended(first)
        assert (old.is_running, young.is_running) == (True, False)
        await ended(old)
        assert young.is_running
        await ended(young)

    run(scenario)


def test_calls_of_one_age_go_in_order_of_arrival() -> None:
    async def scenario() -> None:
        limits = OldestFirst(max_calls=1)
        calls = [Call(0, 0) for _ in range(4)]
        await started(limits, *calls)
        for call in calls:
            assert [other.is_running for other in calls].count(True) == 1
            assert call.is_running
            await ended(call)

    run(scenario)


def test_tokens_are_limited_and_nobody_overtakes() -> None:
    async def scenario() -> None:
        limits = OldestFirst(max_calls=10, max_tokens=100)
        first, large, small = Call(0, 60), Call(1, 50), Call(2, 10)
        await started(limits, first, large, small)
        assert (large.is_running, small.is_running) == (False, False)
        assert (limits.num_running_tokens, limits.num_waiting_calls) == (60, 2)
        await ended(first)
        assert (large.is_running, small.is_running) == (True, True)
        await ended(large, small)
        assert (limits.num_running_calls, limits.num_running_tokens) == (0, 0)

    run(scenario)


def test_call_larger_than_all_room_runs_alone() -> None:
    async def scenario() -> None:
        limits = OldestFirst(max_calls=10, max_tokens=100)
        before, huge, after = Call(0, 1), Call(1, 1_000), Call(2, 1)
        await started(limits, before, huge, after)
        assert (before.is_running, huge.is_running, after.is_running) == (True, False, False)
        await ended(before)
        assert (huge.is_running, after.is_running) == (True, False)
        await ended(huge)
        assert after.is_running
        await ended(after)

    run(scenario)


def test_cancelled_waiting_call_lets_those_behind_it_in() -> None:
    async def scenario() -> None:
        limits = OldestFirst(max_calls=10, max_tokens=100)
        first, large, small = Call(0, 60), Call(1, 50), Call(2, 10)
        await started(limits, first, large, small)
        assert large.task is not None
        large.task.cancel()
        await settle()
        assert small.is_running
        await ended(first, small)
        assert limits.num_running_calls == limits.num_running_tokens == 0

    run(scenario)


def test_call_cancelled_as_it_is_let_in_gives_its_room_back() -> None:
    async def scenario() -> None:
        limits = OldestFirst(max_calls=1)
        first, second, third = Call(0, 7), Call(1, 7), Call(2, 7)
        await started(limits, first, second, third)
        assert first.task is not None
        assert second.task is not None
        first.task.cancel()  # one turn of the loop frees the room and lets the second in
        while limits.num_waiting_calls == 2:
            await asyncio.sleep(0)
        assert not second.is_running
        second.task.cancel()
        await settle()
        assert (second.is_running, third.is_running) == (False, True)
        await ended(third)
        assert limits.num_running_calls == limits.num_running_tokens == 0

    run(scenario)


def test_error_inside_gives_the_room_back() -> None:
    async def scenario() -> None:
        limits = OldestFirst(max_calls=1)
        with pytest.raises(ModelError):
            async with limits.slot(0, 5):
                raise ModelError("failed")
        async with limits.slot(0, 5):
            assert limits.num_running_calls == 1

    run(scenario)


@pytest.mark.parametrize("limits", [(0, None), (-1, None), (1, 0)])
def test_limits_below_one_are_refused(limits: tuple[int, int | None]) -> None:
    with pytest.raises(ConfigError, match="expected at least 1"):
        OldestFirst(*limits)


_MAX_CALLS, _MAX_TOKENS = 3, 10

_step = st.one_of(
    st.tuples(st.just("start"), st.integers(0, 4), st.integers(0, 14)),
    st.tuples(st.just("end"), st.integers(0, 30), st.just(0)),
    st.tuples(st.just("cancel"), st.integers(0, 30), st.just(0)),
)


def expected_running(running: list[int], waiting: list[int], calls: list[Call]) -> None:
    """Move calls from waiting to running by the rule, told slowly."""
    while waiting:
        first = min(waiting, key=lambda index: (calls[index].age, index))
        num_tokens = sum(calls[index].num_tokens for index in running)
        fits = len(running) < _MAX_CALLS and num_tokens + calls[first].num_tokens <= _MAX_TOKENS
        if running and not fits:
            return
        waiting.remove(first)
        running.append(first)


@given(st.lists(_step, max_size=40))
def test_any_order_of_arrivals_ends_and_cancellations_follows_the_rule(
    steps: list[tuple[str, int, int]],
) -> None:
    async def scenario() -> None:
        limits = OldestFirst(_MAX_CALLS, _MAX_TOKENS)
        calls: list[Call] = []
        running: list[int] = []
        waiting: list[int] = []
        for kind, number, num_tokens in steps:
            if kind == "start":
                calls.append(Call(number, num_tokens))
                waiting.append(len(calls) - 1)
                await started(limits, calls[-1])
            elif calls:
                index = number % len(calls)
                task = calls[index].task
                assert task is not None
                if kind == "end":
                    calls[index].end.set()
                    if index in running:
                        running.remove(index)
                else:
                    task.cancel()
                    for group in (running, waiting):
                        if index in group:
                            group.remove(index)
                await settle()
            expected_running(running, waiting, calls)
            ended_already = [index for index in running if calls[index].end.is_set()]
            while ended_already:  # a call told to end while it waited ends as soon as it is in
                for index in ended_already:
                    running.remove(index)
                expected_running(running, waiting, calls)
                ended_already = [index for index in running if calls[index].end.is_set()]
            for _ in range(len(calls) + 1):
                await settle()
            assert {index for index, call in enumerate(calls) if call.is_running} == set(running)
            assert limits.num_running_calls == len(running)
            assert limits.num_running_tokens == sum(calls[index].num_tokens for index in running)
            assert limits.num_waiting_calls == len(waiting)
        for call in calls:
            call.end.set()
        await asyncio.gather(*(call.task for call in calls if call.task), return_exceptions=True)
        assert limits.num_running_calls == limits.num_running_tokens == 0

    run(scenario)


@pytest.mark.slow  # a measurement; the best of three, for the machine may be busy
def test_a_call_costs_little_while_200_wait() -> None:
    async def trajectory(limits: OldestFirst, age: int) -> None:
        for _ in range(50):
            async with limits.slot(age, 10):
                await asyncio.sleep(0)

    async def scenario() -> None:
        limits = OldestFirst(max_calls=8, max_tokens=1_000)
        await asyncio.gather(*(trajectory(limits, age) for age in range(208)))

    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        run(scenario)
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) / (208 * 50) < 100e-6


class EchoChat:
    """Replies with the message; counts the calls that are under way."""

    name = "echo"
    window_tokens = 100
    tokens = None

    def __init__(self) -> None:
        self.num_counted = 0
        self.running: list[str] = []
        self.most_running = 0

    def num_prompt_tokens(self, message: str) -> int:
        self.num_counted += 1
        return len(message)

    async def reply(self, request: ReplyRequest) -> Reply:
        self.running.append(request.message)
        self.most_running = max(self.most_running, len(self.running))
        await asyncio.sleep(0)
        self.running.remove(request.message)
        return Reply(
            text=request.message, finish_reason=FinishReason.STOP, usage=TokenUsage(num_calls=1)
        )


def request_for(message: str, **changes: Any) -> ReplyRequest:
    params = SamplingParams(max_new_tokens=10, temperature=1.0, top_p=1.0)
    return ReplyRequest(message=message, params=params, key="k", **changes)


def test_limited_chat_keeps_the_limit_and_replies_the_same() -> None:
    async def scenario() -> None:
        sampler, limits = EchoChat(), OldestFirst(max_calls=8, max_tokens=40)
        chats = [LimitedChat(sampler, limits, limits.next_age()) for _ in range(6)]
        messages = [f"message {number}" for number in range(6)]  # 9 + 10 tokens each
        replies = await asyncio.gather(
            *(
                chat.reply(request_for(message))
                for chat, message in zip(chats, messages, strict=True)
            )
        )
        assert [reply.text for reply in replies] == messages
        assert sampler.most_running == 2
        assert (chats[0].name, chats[0].window_tokens) == ("echo", 100)
        assert chats[0].num_prompt_tokens("four") == 4
        assert limits.num_running_calls == 0

    run(scenario)


def test_tokens_are_counted_only_where_they_are_limited() -> None:
    async def scenario() -> None:
        sampler = EchoChat()
        await LimitedChat(sampler, OldestFirst(1), 0).reply(request_for("a"))
        await LimitedChat(sampler, OldestFirst(1, 50), 0).reply(
            request_for("a", prompt_ids=(1, 2, 3))
        )
        assert sampler.num_counted == 0
        await LimitedChat(sampler, OldestFirst(1, 50), 0).reply(request_for("a"))
        assert sampler.num_counted == 1

    run(scenario)
