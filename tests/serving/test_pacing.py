"""Progress is shown at a pace: the first and a new phase at once, the rest joined, none lost."""

import asyncio
import selectors
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.serving.answer_parts import Part
from longloom.serving.pacing import ProgressPace, paced
from longloom.serving.progress import Progress


class HandClock:
    """Tells the time it was set to."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while it waits, and then at once."""

    def __init__(self) -> None:
        super().__init__(_JumpingSelector(self))
        self.seconds = 0.0

    def time(self) -> float:
        return self.seconds


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "nothing is left to wait for"
        self._loop.seconds += max(0.0, timeout)
        return super().select(0)


def progress(line: str, *, is_turn: bool = False) -> Progress:
    status = {"type": "status", "data": {"description": line}}
    return Progress(text=f"{line}\n", status=status, is_turn=is_turn)


def shown(part: Part) -> str:
    """What a page shows: the thinking and the status, or the answer."""
    if "content" in part.delta:
        return f"answer {part.delta['content']}"
    assert part.event is not None
    text = part.delta["reasoning_content"].replace("\n", "+").rstrip("+")
    return f"{text} [{part.event['data']['description']}]"


def test_first_is_shown_at_once_and_what_follows_is_joined() -> None:
    clock = HandClock()
    pace = ProgressPace(1.0, clock=clock)
    assert [shown(part) for part in pace.add(progress("a", is_turn=True))] == ["a [a]"]
    clock.seconds += 0.4
    assert pace.add(progress("b")) == []
    clock.seconds += 0.4
    assert pace.add(progress("c")) == []
    clock.seconds += 0.4
    assert [shown(part) for part in pace.add(progress("d"))] == ["b+c+d [d]"]
    clock.seconds += 0.9
    assert pace.add(progress("e")) == []


def test_change_of_phase_and_answer_are_shown_at_once_after_what_was_held() -> None:
    pace = ProgressPace(1.0, clock=HandClock())
    pace.add(progress("a", is_turn=True))
    assert pace.add(progress("b")) == []
    turned = pace.add(progress("now answering", is_turn=True))
    assert [shown(part) for part in turned] == ["b+now answering [now answering]"]
    assert pace.add(progress("c")) == []
    answered = pace.add(Part(delta={"content": "yes"}))
    assert [shown(part) for part in answered] == ["c [c]", "answer yes"]


def test_no_seconds_show_every_piece_by_itself() -> None:
    pace = ProgressPace(0.0, clock=HandClock())
    pieces = [pace.add(progress(line)) for line in "abc"]
    assert [[shown(part) for part in piece] for piece in pieces] == [
        ["a [a]"],
        ["b [b]"],
        ["c [c]"],
    ]


@given(
    gaps=st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=60),
    seconds=st.floats(0.5, 2),
)
def test_nothing_is_lost_and_only_turns_are_sooner(gaps, seconds) -> None:
    clock = HandClock()
    pace = ProgressPace(seconds, clock=clock)
    times: list[float] = []
    text = ""
    for number, (gap, is_turn) in enumerate(gaps):
        clock.seconds += gap
        pieces = pace.add(progress(f"line {number}", is_turn=is_turn))
        text += "".join(piece.delta["reasoning_content"] for piece in pieces)
        if pieces:
            assert is_turn or not times or clock.seconds - times[-1] >= seconds * (1 - 1e-9)
            times.append(clock.seconds)
    text += "".join(piece.delta["reasoning_content"] for piece in pace.release())
    assert text == "".join(f"line {number}\n" for number in range(len(gaps)))


def test_much_text_is_shown_in_several_pieces_under_one_status() -> None:
    pace = ProgressPace(1.0, clock=HandClock())
    pace.add(progress("a"))
    lines = [f"line {number} " + "\u00e4" * 100 for number in range(1_000)]
    assert all(pace.add(progress(line)) == [] for line in lines)
    pieces = pace.release()
    assert "".join(p.delta["reasoning_content"] for p in pieces) == "\n".join([*lines, ""])
    assert all(len(p.delta["reasoning_content"].encode()) < 65_536 for p in pieces)
    assert [p.event is not None for p in pieces] == [False] * (len(pieces) - 1) + [True]
    assert [part.delta for part in Progress(text="", status={"type": "status"}).as_parts()] == [{}]


Arrived = asyncio.Queue[Part | Progress | None]


def run_with(arriving: Callable[[Arrived], AsyncGenerator[None, None]]) -> list[tuple[float, str]]:
    """Return what is shown of what arrives, and when, on a loop whose waits take no time."""

    async def run() -> list[tuple[float, str]]:
        arrived: Arrived = asyncio.Queue()
        loop = asyncio.get_running_loop()

        async def feed() -> None:
            async for _ in arriving(arrived):
                pass

        feeding = asyncio.create_task(feed())
        pace = ProgressPace(1.0, clock=loop.time)
        seen = [(loop.time(), shown(part)) async for part in paced(arrived, pace)]
        await feeding
        return seen

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(run())


def test_what_is_held_is_shown_when_it_is_due_although_nothing_more_comes() -> None:
    async def arriving(arrived: Arrived) -> AsyncGenerator[None, None]:
        for line in "abcd":
            arrived.put_nowait(progress(line))
            yield
        await asyncio.sleep(600)
        arrived.put_nowait(progress("e"))
        arrived.put_nowait(Part(delta={"content": "yes"}))
        arrived.put_nowait(None)

    seen = run_with(arriving)
    assert [text for _, text in seen] == ["a [a]", "b+c+d [d]", "e [e]", "answer yes"]
    assert [when for when, _ in seen] == pytest.approx([0, 1, 600, 600], abs=0.01)


def test_what_is_held_is_shown_before_the_end() -> None:
    async def arriving(arrived: Arrived) -> AsyncGenerator[None, None]:
        arrived.put_nowait(progress("a"))
        arrived.put_nowait(progress("b"))
        arrived.put_nowait(None)
        yield

    assert run_with(arriving) == [(0, "a [a]"), (0, "b [b]")]


def test_nothing_goes_on_once_the_iterator_is_closed() -> None:
    async def run() -> int:
        arrived: Arrived = asyncio.Queue()
        arrived.put_nowait(progress("a"))
        arrived.put_nowait(progress("b"))
        clock = asyncio.get_running_loop().time
        parts = paced(arrived, ProgressPace(3_600, clock=clock))
        assert shown(await anext(parts)) == "a [a]"
        waiting = asyncio.ensure_future(anext(parts))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await parts.aclose()
        return len(asyncio.all_tasks())

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        assert runner.run(run()) == 1
        loop = runner.get_loop()
        assert isinstance(loop, JumpingLoop)
        assert loop.seconds == 0
