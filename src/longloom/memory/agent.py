"""Read a document of any length with a memory that is rewritten after every section."""

import json
import time
from collections.abc import Callable

from longloom.errors import ConfigError, ModelError
from longloom.memory.budget import SectionBudget, TokenCounts
from longloom.memory.calls import Calls
from longloom.memory.config import MemoryConfig
from longloom.memory.decompose import decompose
from longloom.memory.evidence import Notes
from longloom.memory.journal import Journal, NoJournal, next_key
from longloom.memory.messages import Messages
from longloom.memory.progress import Progress
from longloom.memory.query import Query
from longloom.memory.reading import Reading, SectionReader
from longloom.memory.segments import equal_ranges, merged_state, read_all
from longloom.memory.work import Work, at_once
from longloom.models.protocols import ChatSampler
from longloom.records import Citation, Example, Purpose, Rollout, Turn
from longloom.rollout.agent import Attempt, Emit, Event, EventKind
from longloom.rollout.single_pass import failed_rollout, finished_rollout
from longloom.text.sections import section_cutter

_SHAPES_THE_ANSWER_ALONE = {"answer_form", "citations", "decomposition"}
"""Settings that are no part of journal keys: sections are read the same whatever they are."""


class MemoryAgent:
    """The agent of QwenLong-L1.5, section 2.3; see `rollout.agent.Agent`.

    It splits the question, reads section after section with `SectionReader`, and answers from the
    memory, the question and its instructions, without the plan. With a journal it goes on where an
    earlier reading of the same document stopped; the answer is always asked for again.
    """

    def __init__(
        self,
        config: MemoryConfig,
        *,
        journal: Journal | None = None,
        split: Callable[[Example], Query] | None = None,
        salt: str = "",
        shows_updates: bool = False,
        work: Work = at_once,
    ) -> None:
        """Read with the sizes and the wording of `config`.

        Args:
            config: how to read.
            journal: keeps what was read; nothing is kept if not given.
            split: tells the parts of a question, in the place of rules and model.
            salt: readings with different salts share no steps of the journal.
            shows_updates: emit what the model writes while it reads, as reasoning.
            work: does what takes the processor for long; `in_thread` beside other tasks.
        """
        self._config = config
        self._journal = NoJournal() if journal is None else journal
        self._split = split
        self._salt = salt
        self._shows_updates = shows_updates
        self._work = work

    async def __call__(self, attempt: Attempt, *, sampler: ChatSampler, emit: Emit) -> Rollout:
        """Read all sections in order, then answer from the memory alone."""
        trip = _Trip(attempt, sampler=sampler, emit=emit, shows_updates=self._shows_updates)
        try:
            text = await self._read_and_answer(trip)
        except ModelError as error:
            emit(Event(kind=EventKind.FAILED, message=str(error), seconds=trip.seconds))
            return failed_rollout(attempt, trip.turns, str(error))
        return finished_rollout(attempt, trip.turns, text)

    async def _read_and_answer(self, trip: "_Trip") -> str:
        attempt, sampler, emit = trip.attempt, trip.sampler, trip.emit
        calls = trip.calls()
        key = self._first_key(attempt, sampler)
        query = await self._query(attempt, calls, sampler, key)
        messages = Messages(self._config, query)
        ranges = equal_ranges(attempt.context.text, self._config.segments)
        reading = Reading(
            config=self._config,
            messages=messages,
            budget=await self._work(
                SectionBudget, self._config, sampler=sampler, messages=messages
            ),
            counts=TokenCounts(sampler.tokens),
            journal=self._journal,
            progress=Progress(len(ranges)),
            emit=emit,
            window_tokens=sampler.window_tokens,
            work=self._work,
        )
        reading.progress.usage += calls.take_usage()
        key = next_key(key, query.core)
        readers = await self._work(self._readers, trip, reading, ranges, key)
        emit(_started(readers, reading.progress, query))
        await read_all(readers)
        merging = trip.calls()
        state, note = await merged_state(readers, reading, calls=merging, sampler=sampler)
        emit(
            Event(
                kind=EventKind.ANSWER_STARTED,
                num_sections=reading.progress.num_sections,
                memory=state.memory,
                num_memory_tokens=reading.counts.of(state.memory),
                message=note,
            )
        )
        answering = trip.calls()
        reply = await answering.ask(
            messages.answer(state.memory),
            key=f"turn-{sum(len(reader.read_sections) for reader in readers)}",
            purpose=Purpose.ANSWER,
        )
        citations = await self._work(self._citations, reply.text, readers, attempt)
        emit(
            Event(
                kind=EventKind.ANSWERED,
                num_sections=reading.progress.num_sections,
                message=reply.text,
                usage=reading.progress.usage + answering.take_usage(),
                seconds=trip.seconds,
                citations=citations,
            )
        )
        return reply.text

    async def _query(self, attempt: Attempt, calls: Calls, sampler: ChatSampler, key: str) -> Query:
        if self._split is not None:
            return self._split(attempt.example)
        return await decompose(
            attempt.example.question,
            self._config,
            calls=calls,
            sampler=sampler,
            journal=self._journal,
            key=key,
        )

    def _first_key(self, attempt: Attempt, sampler: ChatSampler) -> str:
        """Return the journal's key before anything was read: all that shapes every step.

        Raises:
            ConfigError: the model has no name, so that another one might take its steps over.
        """
        if not sampler.name and not isinstance(self._journal, NoJournal):
            raise ConfigError(
                "the model has no name, and a journal is kept by names; expected one that tells "
                "its weights apart from others, as in TokenChat(sampler, name=...)"
            )
        settings = self._config.model_dump(mode="json", exclude=_SHAPES_THE_ANSWER_ALONE)
        shaping = {
            "model": sampler.name,
            "policy_version": attempt.policy_version,
            "tokens": sampler.tokens.name,
            "prompts": self._config.prompt_variant,
            "temperature": attempt.params.temperature,
            "top_p": attempt.params.top_p,
            "rollout_index": attempt.rollout_index,
            "settings": settings,
        }
        return next_key("", json.dumps(shaping, sort_keys=True), self._salt)

    def _readers(
        self, trip: "_Trip", reading: Reading, ranges: list[tuple[int, int]], key: str
    ) -> list[SectionReader]:
        text = trip.attempt.context.text
        readers = []
        for number, (start, end) in enumerate(ranges):
            own = text[start:end]
            readers.append(
                SectionReader(
                    reading,
                    own,
                    section_cutter(own, trip.sampler.tokens),
                    calls=trip.calls(f"segment-{number}" if len(ranges) > 1 else ""),
                    key=next_key(key, f"segment-{number}") if len(ranges) > 1 else key,
                    number=number,
                    offset=start,
                )
            )
        return readers

    def _citations(
        self, answer: str, readers: list[SectionReader], attempt: Attempt
    ) -> tuple[Citation, ...]:
        """Return where the answer stands; sections are numbered in the document's order.

        The notes of earlier segments stay beside those of later ones; a merge is not followed, for
        it words notes anew far from the sections they came from.
        """
        if not self._config.citations:
            return ()
        notes = Notes()
        index, earlier = 0, ""
        for reader in readers:
            for read in reader.read_sections:
                notes.update(f"{earlier}{read.memory}", index)
                index += 1
            earlier += f"{reader.state.memory}\n"
        sections = [read.section for reader in readers for read in reader.read_sections]
        visible = answer.rpartition("</think>")[2]
        return notes.cite(visible, sections, attempt.context)


class _Trip:
    """One attempt on its way, with the turns of everybody who asks in its name."""

    def __init__(
        self, attempt: Attempt, *, sampler: ChatSampler, emit: Emit, shows_updates: bool
    ) -> None:
        self.attempt = attempt
        self.sampler = sampler
        self.emit = emit
        self._shows_updates = shows_updates
        self._started = time.monotonic()
        self._callers: list[Calls] = []

    def calls(self, path: str = "") -> Calls:
        """Return a caller whose turns follow those of the callers before it."""
        caller = Calls(
            self.attempt,
            sampler=self.sampler,
            emit=self.emit,
            path=path,
            shows_updates=self._shows_updates,
        )
        self._callers.append(caller)
        return caller

    @property
    def turns(self) -> tuple[Turn, ...]:
        """All turns so far."""
        return tuple(turn for caller in self._callers for turn in caller.turns)

    @property
    def seconds(self) -> float:
        """Time since the attempt began."""
        return time.monotonic() - self._started


def _started(readers: list[SectionReader], progress: Progress, query: Query) -> Event:
    split = ""
    if query.instructions:
        split = f"question: {query.core}\nform of the answer: {query.instructions}"
    return Event(
        kind=EventKind.STARTED,
        num_tokens=sum(reader.num_tokens for reader in readers),
        num_sections=progress.num_sections,
        message=split,
    )
