"""One section: ask for the new memory, repair what cannot be used, hold it within its limit.

The ladder: a usable reply; the same section asked again, with what was wrong; the memory as it was,
recorded as a failed section. Nothing but a memory that a model wrote as one ever replaces one.
"""

import time

from longloom.errors import ContextLengthError
from longloom.memory.budget import TokenCounts
from longloom.memory.calls import Calls
from longloom.memory.config import MemoryConfig
from longloom.memory.journal import StepRecord
from longloom.memory.messages import Messages
from longloom.memory.overflow import hold_within
from longloom.memory.parsing import MemoryState, parse_update
from longloom.memory.recall import with_recall
from longloom.records import FinishReason, Purpose, Reply


class Updates:
    """Takes a reader's memory from section to section."""

    def __init__(
        self, config: MemoryConfig, *, calls: Calls, messages: Messages, counts: TokenCounts
    ) -> None:
        """Ask by `messages` through `calls`."""
        self._config = config
        self._calls = calls
        self._messages = messages
        self._counts = counts

    async def step(
        self, state: MemoryState, message: str, *, key: str, section_index: int
    ) -> StepRecord:
        """Return the state after the section that `message` shows.

        Args:
            state: the state before it.
            message: the whole update prompt.
            key: names the call within the attempt; repairs are named after it.
            section_index: the section, from 1.

        Raises:
            ContextLengthError: the prompt does not fit the model's window.
            ModelError: the model failed.
        """
        started = time.monotonic()
        parsed, trouble = await self.ask_for_memory(
            message, state, key=key, purpose=Purpose.UPDATE, section_index=section_index
        )
        changes = ""
        if parsed is not None:
            parsed, changes = await self.hold(parsed, key=key)
        after = parsed or state
        return StepRecord(
            memory=after.memory,
            plan=after.plan,
            is_usable=parsed is not None,
            usage=self._calls.take_usage(),
            seconds=time.monotonic() - started,
            message="; ".join(note for note in (trouble, changes) if note),
        )

    async def hold(self, state: MemoryState, *, key: str) -> tuple[MemoryState, str]:
        """Return `state` held within its limit, and what was done to it."""
        return await hold_within(
            state,
            self._config,
            calls=self._calls,
            messages=self._messages,
            counts=self._counts,
            key=f"{key}/compress",
        )

    async def ask_for_memory(
        self,
        message: str,
        state: MemoryState,
        *,
        key: str,
        purpose: Purpose,
        section_index: int = 0,
    ) -> tuple[MemoryState | None, str]:
        """Return the state that a reply holds, if any does, and what went wrong on the way."""
        reply = await self._calls.ask(
            message,
            key=key,
            purpose=purpose,
            max_new_tokens=self._config.update_tokens,
            section_index=section_index,
        )
        parsed = self._parsed(reply, state)
        trouble = "" if parsed else _what_was_wrong(reply)
        for repair in range(self._config.num_repairs):
            if parsed is not None:
                break
            was_cut = reply.finish_reason is FinishReason.LENGTH
            try:
                reply = await self._calls.ask(
                    self._messages.repair(message, was_cut=was_cut),
                    key=f"{key}/repair" if repair == 0 else f"{key}/repair-{repair + 1}",
                    purpose=Purpose.REPAIR,
                    max_new_tokens=self._config.update_tokens,
                    section_index=section_index,
                )
            except ContextLengthError:
                return None, f"{trouble}; there is no room to ask again"
            parsed = self._parsed(reply, state)
            trouble += "; asked again" if parsed else f"; asked again: {_what_was_wrong(reply)}"
        return parsed, trouble

    def _parsed(self, reply: Reply, state: MemoryState) -> MemoryState | None:
        parsed = parse_update(
            reply.text,
            previous=state,
            finish_reason=reply.finish_reason,
            must_think=self._config.thinking_tokens > 0 and not reply.reasoning,
        )
        return with_recall(parsed, reply.text) if parsed and self._config.recall else parsed


def _what_was_wrong(reply: Reply) -> str:
    if reply.finish_reason is FinishReason.LENGTH:
        return "the reply was cut off before its memory was complete"
    return "the reply held no memory" if reply.text.strip() else "the reply was empty"
