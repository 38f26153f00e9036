"""Answer a request that is longer than the window: an agent reads it, and the client watches.

    documents, question -> agent -> events -> progress as reasoning and status events
                                `-> last call -> answer, as it is written
                                             -> citations -> counts

Closing the parts cancels the agent, and with it the call of the backend; what was read by then is
in the agent's journal, if it keeps one.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from longloom.errors import ContextLengthError, ModelError
from longloom.models.protocols import ChatSampler
from longloom.records import (
    Citation,
    Context,
    ContextPart,
    SamplingParams,
    TokenUsage,
)
from longloom.rollout import Agent, Attempt, Event, EventKind
from longloom.rollout.asking import asked_example
from longloom.serving.answer_call import AnswerCall
from longloom.serving.answer_parts import Part, usage_of
from longloom.serving.backends import Backend, ChatCall
from longloom.serving.pacing import ProgressPace, paced
from longloom.serving.progress import Progress, describe
from longloom.serving.reading_request import ReadingRequest
from longloom.serving.turns import SYSTEM_ROLES

_MOST_CITATIONS = 50
_MOST_BESIDE_NOTES = 0.875
"""Share of the window that the last call may take beside the notes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingSettings:
    """How one request is read."""

    params: SamplingParams
    """How tokens are drawn; the limit is the answer's."""
    progress: str
    """`off`, `sections` or `plan`."""
    progress_seconds: float
    """Least time between two pieces of progress."""
    key: str
    """Names the random streams."""


class Reading:
    """One request that is read."""

    def __init__(
        self,
        call: ChatCall,
        wanted: ReadingRequest,
        settings: ReadingSettings,
        *,
        backend: Backend,
        agent: Agent,
        reader: ChatSampler,
        on_event: Callable[[Event], None],
    ) -> None:
        """Take the request and who does it.

        Args:
            call: the request as it came.
            wanted: its documents and its question.
            settings: how it is read.
            backend: draws the answer.
            agent: reads.
            reader: what the agent reads with.
            on_event: is told of every event, for metrics.
        """
        self._call = call
        self._wanted = wanted
        self._settings = settings
        self._backend = backend
        self._agent = agent
        self._reader = reader
        self._on_event = on_event
        self._context = joined_context(wanted.documents)
        self._arrived: asyncio.Queue[Part | Progress | None] = asyncio.Queue()
        self._counts = _Counts()
        self._system: list[dict[str, Any]] = [
            dict(m) for m in wanted.messages if m.get("role") in SYSTEM_ROLES
        ]
        self._num_asked_tokens = 0
        self._last_finishes: list[Part] = []

    async def parts(self) -> AsyncGenerator[Part, None]:
        """Yield progress, the answer, citations and counts.

        Raises:
            ModelError: the reading failed.
        """

        def answer(message: str) -> AsyncGenerator[Part, None]:
            messages: list[dict[str, Any]] = [*self._system, {"role": "user", "content": message}]
            return self._backend.answer(self._call, messages)

        sampler = AnswerCall(
            self._reader,
            answer=answer,
            show=self._show_answer,
        )
        clock = asyncio.get_running_loop().time
        pace = ProgressPace(self._settings.progress_seconds, clock=clock)
        working = asyncio.create_task(self._read(sampler))
        try:
            async with aclosing(paced(self._arrived, pace)) as parts:
                async for part in parts:
                    yield part
            await working
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def _read(self, sampler: AnswerCall) -> None:
        try:
            await asyncio.to_thread(self._check_room)
            rollout = await self._agent(self._attempt(), sampler=sampler, emit=self._emit)
            if rollout.error:
                raise ModelError(f"the request could not be read: {rollout.error}")
            for part in self._ending(sampler):
                self._arrived.put_nowait(part)
        finally:
            self._arrived.put_nowait(None)

    def _check_room(self) -> None:
        """Refuse, before anything is read, a last call that would have no room for notes."""
        window = self._reader.window_tokens
        num_asked = self._reader.tokens.count(self._wanted.question) + self._count_kept()
        self._num_asked_tokens = num_asked
        num_needed = num_asked + self._settings.params.max_new_tokens
        if num_needed > window * _MOST_BESIDE_NOTES:
            raise ContextLengthError(
                f"question, system prompt and tools take {num_asked} tokens and the answer up to "
                f"{self._settings.params.max_new_tokens}; expected at most "
                f"{int(window * _MOST_BESIDE_NOTES)} together, so that the notes of a reading fit "
                f"the window of {window}; send fewer tools or ask for a shorter answer"
            )

    def _emit(self, event: Event) -> None:
        self._on_event(event)
        self._counts.add(event)
        if event.kind is EventKind.TEXT:
            return  # the answer is shown as it is drawn, readings by their sections
        shown = describe(event, self._settings.progress)
        if shown is not None:
            self._arrived.put_nowait(shown)

    def _show_answer(self, part: Part) -> None:
        """Show a part of the answer; reasons why answers ended come after the citations."""
        if part.finish_reason is None:
            self._arrived.put_nowait(part)
            return
        self._last_finishes.append(Part(index=part.index, finish_reason=part.finish_reason))
        if part.delta or part.logprobs:
            self._arrived.put_nowait(
                Part(index=part.index, delta=part.delta, logprobs=part.logprobs)
            )

    def _ending(self, sampler: AnswerCall) -> Sequence[Part]:
        """Return citations, why the answers ended, and the counts."""
        found = [self._annotation(citation) for citation in self._counts.citations]
        cited = [Part(delta={"annotations": found})] if found else []
        finishes = self._last_finishes or [Part(finish_reason="stop")]
        counts = self._counts.usage(
            sampler.answer_usage,
            self._num_asked_tokens,
            self._wanted.as_json(),
        )
        return [*cited, *finishes, Part(usage=counts)]

    def _annotation(self, citation: Citation) -> dict[str, Any]:
        """Return a citation as clients know it: a place in a named document, with its text."""
        name = citation.doc_id or "request"
        return {
            "type": "url_citation",
            "url_citation": {
                "url": f"longloom:document#char={citation.start},{citation.end}",
                "title": f"{name}, characters {citation.start} to {citation.end}",
                "document": name,
                "start": citation.start,
                "end": citation.end,
                "section": citation.section_index,
                "quote": citation.quote,
                "is_verified": citation.is_verified,
            },
        }

    def _attempt(self) -> Attempt:
        example = asked_example(
            self._wanted.question_in_conversation, context_id=self._context.context_id
        )
        return Attempt(
            example=example,
            context=self._context,
            rollout_index=0,
            policy_version=0,
            params=self._settings.params,
            key=self._settings.key,
        )

    def _count_kept(self) -> int:
        """Return about how much the last prompt holds beside the agent's message."""
        kept = [str(message.get("content", "")) for message in self._system]
        tools = self._call.fields.get("tools")
        texts = [*kept, str(tools) if tools else ""]
        return sum(self._reader.tokens.count(text) + 8 for text in texts if text)


def joined_context(documents: Sequence[tuple[str, str]]) -> Context:
    """Return the documents as one text, each under its name where there are several."""
    pieces: list[str] = []
    parts: list[ContextPart] = []
    place = 0
    for number, (name, text) in enumerate(documents):
        heading = f"Document {number + 1}: {name}\n\n" if len(documents) > 1 else ""
        heading = f"\n\n{heading}" if number else heading
        place += len(heading)
        parts.append(ContextPart(doc_id=name, doc_start=0, doc_end=len(text), context_start=place))
        pieces += [heading, text]
        place += len(text)
    return Context(context_id="request", text="".join(pieces), parts=tuple(parts))


class _Counts:
    """What a reading took."""

    def __init__(self) -> None:
        self._tokens_by_section: dict[int, int] = {}
        self._num_document_tokens = 0
        self._num_resumed = 0
        self._num_resumed_tokens = 0
        self._spent = TokenUsage()
        self.citations: tuple[Citation, ...] = ()

    def add(self, event: Event) -> None:
        """Count what an event tells."""
        if event.kind in (EventKind.SECTION_READ, EventKind.SECTION_FAILED):
            self._tokens_by_section[event.section_index] = event.num_tokens
            if event.is_resumed:
                self._num_resumed += 1
                self._num_resumed_tokens += event.num_tokens
        elif event.kind is EventKind.STARTED:
            self._num_document_tokens = event.num_tokens
        elif event.kind is EventKind.ANSWERED:
            self._spent = event.usage or TokenUsage()
            self.citations = event.citations[:_MOST_CITATIONS]

    def usage(self, answer: TokenUsage, num_other_tokens: int, split: object) -> dict[str, Any]:
        """Return the counts: the request once, and all that was written for it.

        Args:
            answer: what the last call took.
            num_other_tokens: tokens of the request beside its documents.
            split: how the request was split.
        """
        num_read = sum(self._tokens_by_section.values()) or self._num_document_tokens
        num_written = max(self._spent.num_response_tokens, answer.num_response_tokens)
        return usage_of(
            num_read + num_other_tokens,
            num_written,
            prompt_tokens_details={"cached_tokens": self._num_resumed_tokens},
            completion_tokens_details={
                "reasoning_tokens": num_written - answer.num_response_tokens
            },
            longloom={
                "steps": len(self._tokens_by_section),
                "resumed_steps": self._num_resumed,
                "backend_prompt_tokens": max(
                    self._spent.num_prompt_tokens, answer.num_prompt_tokens
                ),
                "backend_completion_tokens": num_written,
                "split": split,
            },
        )
