"""Read a text section by section: the loop between the budget, the updates and the journal."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from longloom.errors import ContextLengthError, ModelError
from longloom.memory.budget import SMALLEST_SECTION_TOKENS, SectionBudget, TokenCounts
from longloom.memory.calls import Calls
from longloom.memory.config import MemoryConfig
from longloom.memory.journal import Journal, StepRecord, next_key
from longloom.memory.messages import Messages
from longloom.memory.parsing import MemoryState, is_complete
from longloom.memory.progress import Progress
from longloom.memory.recall import PastMemories
from longloom.memory.updates import Updates
from longloom.memory.work import Work, at_once
from longloom.records import TokenUsage
from longloom.rollout.agent import Emit, Event, EventKind
from longloom.text.sections import Section, SectionCutter

_RECALLED_SHARE = 4
"""Recalled notes take at most one part in so many of `memory_tokens`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSection:
    """A section that was read, and the memory after it."""

    section: Section
    """Where it stands in the whole document."""
    memory: str
    """The memory after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the readers of one document share."""

    config: MemoryConfig
    """How it is read."""
    messages: Messages
    """What is asked."""
    budget: SectionBudget
    """How long sections may be."""
    counts: TokenCounts
    """What texts take."""
    journal: Journal
    """What was read before."""
    progress: Progress
    """How far it is."""
    emit: Emit
    """Who is told."""
    window_tokens: int
    """The model's window."""
    work: Work = at_once
    """Does what takes the processor for long."""


class SectionReader:
    """Reads one text, which is the document or one of its segments."""

    def __init__(
        self,
        reading: Reading,
        text: str,
        cutter: SectionCutter,
        *,
        calls: Calls,
        key: str,
        number: int = 0,
        offset: int = 0,
    ) -> None:
        """Read a text.

        Args:
            reading: what all readers share.
            text: what this one reads.
            cutter: cuts `text`.
            calls: asks the model for this reader.
            key: the journal's key before the first section.
            number: which of the readers this is, from 0.
            offset: first character of `text` in the whole document.
        """
        self._reading = reading
        self._text = text
        self._cutter = cutter
        self._number = number
        self._offset = offset
        self._updates = Updates(
            reading.config, calls=calls, messages=reading.messages, counts=reading.counts
        )
        self._past = PastMemories()
        self._limit_tokens = reading.config.chunk_tokens
        self.state = MemoryState()
        """The state after what was read so far."""
        self.key = key
        """The journal's key after what was read so far."""
        self.read_sections: list[ReadSection] = []
        """What was read so far, in order."""
        self.num_tokens = _about_num_tokens(text, cutter, self._limit_tokens)
        """Tokens of the text, by those of its beginning unless all of it is tokenised."""
        reading.progress.set_left(number, cutter.sections_left(0, self._limit_tokens))

    async def read(self) -> None:
        """Read all sections in order; `state` is what came of it.

        Raises:
            ModelError: the model failed, or not even a small section fits its window.
        """
        start = 0
        while start < len(self._text):
            start = (await self._read_next(start)).end
            if self._reading.config.early_stop and is_complete(self.state.plan):
                break

    async def _read_next(self, start: int) -> Section:
        """Read the section at `start`; a section that the model refuses as too long is halved.

        The shorter limit stays for the rest of the text: what was too long once was counted in
        tokens that are not the model's. Refusals are kept in the journal, so that a reading that
        is taken up again cuts the same sections without asking again.
        """
        reading = self._reading
        recalled = self._recalled()
        section = await reading.work(self._cut, start, recalled)
        index = reading.progress.begin_section()
        await reading.work(self._tell_left, section)
        self._emit_started(index, section)
        refusals: list[str] = []
        while True:
            passage = self._text[section.start : section.end]
            key = next_key(self.key, passage)
            refused_key = next_key(self.key, passage, "refused", str(reading.window_tokens))
            record = reading.journal.get(key)
            if record is not None:
                break
            refusal = reading.journal.get(refused_key)
            if refusal is None:
                try:
                    new_record = await self._updates.step(
                        self.state,
                        self._message(section, recalled),
                        key=f"turn-{len(self.read_sections)}",
                        section_index=index,
                    )
                except ContextLengthError as error:
                    refusal = self._refusal(error)
                    reading.journal.put(refused_key, refusal)
                else:
                    new_record = _with_refusals(new_record, refusals)
                    reading.journal.put(key, new_record)
                    self._finish(index, section, new_record, key, is_resumed=False)
                    return section
            refusals.append(f"{section.num_tokens} tokens were too many for the model")
            section = await reading.work(self._halved, section, recalled, refusal.message)
            await reading.work(self._tell_left, section)
        self._finish(index, section, record, key, is_resumed=True)
        return section

    def _finish(
        self, index: int, section: Section, record: StepRecord, key: str, *, is_resumed: bool
    ) -> None:
        """Take over the state of a step and tell of it."""
        reading = self._reading
        self.state, self.key = MemoryState(memory=record.memory, plan=record.plan), key
        placed = replace(
            section, start=section.start + self._offset, end=section.end + self._offset
        )
        self.read_sections.append(ReadSection(section=placed, memory=record.memory))
        if reading.config.recall:
            self._past.add(record.memory)
        if reading.config.early_stop and is_complete(record.plan):
            reading.progress.set_left(self._number, 0)
        if not is_resumed:
            reading.progress.add_step(record.seconds, record.usage)
        reading.emit(
            Event(
                kind=EventKind.SECTION_READ if record.is_usable else EventKind.SECTION_FAILED,
                section_index=index,
                num_sections=reading.progress.num_sections,
                num_tokens=section.num_tokens,
                memory=record.memory,
                plan=record.plan,
                num_memory_tokens=reading.counts.of(record.memory, record.plan),
                message=record.message,
                usage=TokenUsage() if is_resumed else record.usage,
                seconds=0.0 if is_resumed else record.seconds,
                seconds_left=reading.progress.seconds_left,
                is_resumed=is_resumed,
            )
        )

    def _cut(self, start: int, recalled: str) -> Section:
        counts = self._reading.counts
        state_tokens = counts.of(self.state.memory, self.state.plan)
        return self._reading.budget.section(
            self._cutter,
            start,
            limit_tokens=self._limit_tokens,
            state_tokens=state_tokens + (counts.of(recalled) if recalled else 0),
            message=self._messenger(recalled),
        )

    def _halved(self, section: Section, recalled: str, refusal: str) -> Section:
        smallest = min(SMALLEST_SECTION_TOKENS, self._reading.config.chunk_tokens)
        if section.num_tokens // 2 < smallest:
            raise ModelError(
                f"a section of {section.num_tokens} tokens is still too long for the model, and "
                f"smaller ones than {smallest} are not read: {refusal}"
            )
        self._limit_tokens = section.num_tokens // 2
        return self._cut(section.start, recalled)

    def _messenger(self, recalled: str) -> Callable[[Section], str]:
        return lambda section: self._message(section, recalled)

    def _message(self, section: Section, recalled: str) -> str:
        passage = self._text[section.start : section.end].strip("\n")
        return self._reading.messages.update(self.state, passage, recalled)

    def _recalled(self) -> str:
        if not self._reading.config.recall:
            return ""
        max_tokens = max(1, self._reading.config.memory_tokens // _RECALLED_SHARE)
        return self._past.recalled(self.state, self._reading.counts.tokens, max_tokens)

    def _refusal(self, error: ContextLengthError) -> StepRecord:
        return StepRecord(
            memory=self.state.memory,
            plan=self.state.plan,
            is_usable=False,
            usage=TokenUsage(),
            seconds=0.0,
            message=str(error),
        )

    def _tell_left(self, section: Section) -> None:
        num_left = self._cutter.sections_left(section.end, self._limit_tokens)
        self._reading.progress.set_left(self._number, num_left)

    def _emit_started(self, index: int, section: Section) -> None:
        reading = self._reading
        reading.emit(
            Event(
                kind=EventKind.SECTION_STARTED,
                section_index=index,
                num_sections=reading.progress.num_sections,
                num_tokens=section.num_tokens,
                seconds_left=reading.progress.seconds_left,
            )
        )


def _about_num_tokens(text: str, cutter: SectionCutter, max_tokens: int) -> int:
    if not text:
        return 0
    first = cutter.cut(0, max_tokens)
    known = cutter.num_tokens
    return known if known is not None else round(first.num_tokens / first.end * len(text))


def _with_refusals(record: StepRecord, refusals: list[str]) -> StepRecord:
    notes = [*refusals, record.message] if record.message else refusals
    return replace(record, message="; ".join(notes)) if refusals else record
