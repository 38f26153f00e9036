"""Read a document in parts at the same time, and merge what the readers noted. Not in the paper.

A document takes a part of the time, and no reader knows what the earlier parts hold: a fact that
makes sense only after another one may be missed. A document that has grown is cut elsewhere, so the
journal serves it only if it is unchanged.
"""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

from longloom.errors import ContextLengthError, ModelError
from longloom.memory.calls import Calls
from longloom.memory.journal import StepRecord, next_key
from longloom.memory.overflow import first_entries
from longloom.memory.parsing import MemoryState
from longloom.memory.reading import Reading, SectionReader
from longloom.memory.updates import Updates
from longloom.models.protocols import ChatSampler
from longloom.records import Purpose
from longloom.text.prompts import EMPTY_MEMORY

_SEARCHED_SHARE = 8
"""A part ends within one part in so many of its length around its equal share."""


def equal_ranges(text: str, num_ranges: int) -> list[tuple[int, int]]:
    """Return contiguous ranges of about equal length that cover `text`; none is empty.

    They meet at the paragraph break nearest to the equal share, else at a line break, else at a
    space. Characters are measured: tokens would have to be counted before anything is read.
    """
    ends = []
    reach = len(text) // (num_ranges * _SEARCHED_SHARE)
    for number in range(1, num_ranges):
        share = len(text) * number // num_ranges
        ends.append(_break_near(text, share, reach))
    bounds = [0, *ends, len(text)]
    return [(start, end) for start, end in pairwise(bounds) if start < end]


def _break_near(text: str, share: int, reach: int) -> int:
    for mark in ("\n\n", "\n", " "):
        before = text.rfind(mark, share - reach, share)
        after = text.find(mark, share, share + reach)
        found = [position + len(mark) for position in (before, after) if position >= 0]
        if found:
            return min(found, key=lambda position: abs(position - share))
    return share


async def read_all(readers: Sequence[SectionReader]) -> None:
    """Let all readers read at the same time; if one fails, the others are stopped.

    Raises:
        ModelError: the model failed one of them.
    """
    if len(readers) == 1:
        return await readers[0].read()
    failures: list[ModelError] = []
    try:
        async with asyncio.TaskGroup() as group:
            for reader in readers:
                group.create_task(reader.read())
    except* ModelError as error:
        failures += [failure for failure in error.exceptions if isinstance(failure, ModelError)]
    if failures:
        raise failures[0]


async def merged_state(
    readers: Sequence[SectionReader], reading: Reading, *, calls: Calls, sampler: ChatSampler
) -> tuple[MemoryState, str]:
    """Return one state of all readers' memories, in the document's order, and what was done.

    One call merges them; more where one does not fit the window. If its reply cannot be used, the
    memories are joined, each held to its share.

    Raises:
        ModelError: the model failed.
    """
    memories = [r.state.memory for r in readers if r.state.memory != EMPTY_MEMORY]
    if len(memories) <= 1:
        return MemoryState(memory=memories[0] if memories else EMPTY_MEMORY), ""
    key = next_key("merge", *(reader.key for reader in readers))
    record = reading.journal.get(key)
    if record is not None:
        return MemoryState(memory=record.memory), record.message
    updates = Updates(reading.config, calls=calls, messages=reading.messages, counts=reading.counts)
    notes = [f"merged the memories of {len(memories)} parts"]
    for number in range(len(memories)):
        num_fitting = _num_fitting(memories, reading, sampler)
        merged, trouble = await _merge_once(memories[:num_fitting], reading, updates, number)
        notes += [trouble] if trouble else []
        memories = [merged, *memories[num_fitting:]]
        if len(memories) == 1:
            break
    state, changes = await updates.hold(MemoryState(memory=memories[0]), key="merge")
    message = "; ".join([*notes, changes] if changes else notes)
    usage = calls.take_usage()
    reading.progress.usage += usage
    reading.journal.put(
        key,
        StepRecord(
            memory=state.memory, plan=state.plan, is_usable=True, usage=usage, seconds=0.0,
            message=message,
        ),
    )  # fmt: skip
    return state, message


def _num_fitting(memories: Sequence[str], reading: Reading, sampler: ChatSampler) -> int:
    """Return how many of the first memories one call can merge; at least two are tried."""
    room = reading.window_tokens - reading.config.update_tokens
    for number in range(len(memories), 2, -1):
        if sampler.num_prompt_tokens(reading.messages.merge(memories[:number])) <= room:
            return number
    return 2


async def _merge_once(
    memories: Sequence[str], reading: Reading, updates: Updates, number: int
) -> tuple[str, str]:
    try:
        merged, trouble = await updates.ask_for_memory(
            reading.messages.merge(memories),
            MemoryState(),
            key=f"merge-{number}" if number else "merge",
            purpose=Purpose.MERGE,
        )
    except ContextLengthError as error:
        merged, trouble = None, str(error)
    if merged is not None:
        return merged.memory, trouble
    share = max(1, reading.config.memory_tokens // len(memories))
    kept = [first_entries(memory, reading.counts.tokens, share) for memory in memories]
    return "\n".join(kept), f"{trouble}; the memories were joined"
