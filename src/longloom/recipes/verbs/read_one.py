"""One question of `longloom read`: which way it is read, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from longloom.errors import ConfigError, ContextLengthError
from longloom.memory import MemoryAgent, MemoryConfig
from longloom.memory.evidence import Notes
from longloom.memory.journal import Journal
from longloom.models.endpoint.thinking import split_thinking
from longloom.models.protocols import ChatSampler
from longloom.recipes.run_config import RunConfig
from longloom.recipes.verbs.read_documents import LoadedDocuments
from longloom.recipes.verbs.read_records import Reading, ReadingMode, SectionNote
from longloom.records import (
    Citation,
    Context,
    Reply,
    ReplyRequest,
    Rollout,
    SamplingParams,
    TokenUsage,
)
from longloom.rewards.extraction import extract_answer
from longloom.rollout import Agent, Attempt, Emit, Event, EventKind, SinglePassAgent
from longloom.rollout.asking import asked_example
from longloom.rollout.call_limits import LimitedChat, OldestFirst
from longloom.text.prompts import single_pass_prompt
from longloom.text.sections import Section

MODES = ("auto", "single", "memory")
_MOST_CHARACTERS_PER_TOKEN = 64
"""A text of more characters than so many for each token of the window is not counted: it does not
fit."""
_READ_KINDS = (EventKind.SECTION_READ, EventKind.SECTION_FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPlan:
    """How all questions are read."""

    config: RunConfig
    """The recipe's settings."""
    memory: MemoryConfig
    """How the memory agent reads."""
    answer_tokens: int
    """Most tokens of an answer."""
    mode: str
    """`auto`, `single` or `memory`."""
    documents: LoadedDocuments
    """What is read."""
    journal: Journal
    """What was read before."""


class ReadingChat(LimitedChat):
    """The calls of one question: within a window, and with a note of what was too long."""

    def __init__(
        self, sampler: ChatSampler, limits: OldestFirst, age: int, window_tokens: int | None
    ) -> None:
        """Speak to `sampler` and use no more than `window_tokens` of its window."""
        super().__init__(sampler, limits, age)
        self._window_tokens = window_tokens
        self.was_too_long = False
        """Whether the model refused a prompt as too long."""

    @property
    def window_tokens(self) -> int:
        """Prompt and reply together must fit in this many tokens."""
        own = super().window_tokens
        return own if self._window_tokens is None else min(own, self._window_tokens)

    async def reply(self, request: ReplyRequest) -> Reply:
        """Return the reply to one request; see `ChatSampler`."""
        try:
            return await super().reply(request)
        except ContextLengthError:
            self.was_too_long = True
            raise


async def read_one(plan: ReadPlan, question: str, *, chat: ReadingChat, emit: Emit) -> Reading:
    """Read the documents for one question; a failure is told in `Reading.error`.

    With mode `auto` a single pass that the model refuses as too long is read section by section.

    Raises:
        ConfigError: a single pass is asked for and does not fit.
    """
    mode = choose_mode(plan, question, chat)
    rollout, events = await _attempt(plan, mode, question, chat, emit)
    if rollout.error and mode == "single" and plan.mode == "auto" and chat.was_too_long:
        mode = "memory"
        rollout, events = await _attempt(plan, mode, question, chat, emit)
    sections = _sections(events)
    answered = next((one for one in events if one.kind is EventKind.ANSWERED), None)
    citations = answered.citations if answered else ()
    if mode == "single" and plan.memory.citations:
        citations = _cited(rollout.final_text, plan.documents.context)
    read_tokens = sum(note.num_tokens for note in sections)
    return Reading(
        question=question,
        documents=plan.documents.titles,
        model=chat.name.partition("@")[0],
        mode=mode,
        num_document_tokens=read_tokens or chat.tokens.count(plan.documents.context.text),
        sections=sections,
        answer=extract_answer(rollout.final_text, requires_thinking=False) or "",
        response_text=rollout.final_text,
        citations=citations,
        places=tuple(plan.documents.place(citation) for citation in citations),
        usage=(answered.usage if answered else None) or TokenUsage(),
        error=rollout.error,
    )


def choose_mode(plan: ReadPlan, question: str, chat: ChatSampler) -> ReadingMode:
    """Return how a question is read: in one pass if prompt and answer fit the window.

    Raises:
        ConfigError: a single pass is asked for and does not fit.
    """
    if plan.mode == "memory":
        return "memory"
    text = plan.documents.context.text
    is_far_beyond = len(text) > _MOST_CHARACTERS_PER_TOKEN * chat.window_tokens
    if plan.mode == "auto" and is_far_beyond:
        return "memory"
    message = single_pass_prompt(plan.config.template, context=text, question=question)
    needed = chat.num_prompt_tokens(message) + plan.answer_tokens
    if needed <= chat.window_tokens:
        return "single"
    if plan.mode == "auto":
        return "memory"
    raise ConfigError(
        f"prompt and answer take {needed} tokens, but the window is {chat.window_tokens}; read "
        "with mode memory or auto, or use a larger window"
    )


async def _attempt(
    plan: ReadPlan, mode: ReadingMode, question: str, chat: ChatSampler, emit: Emit
) -> tuple[Rollout, list[Event]]:
    agent: Agent = (
        SinglePassAgent(plan.config.template)
        if mode == "single"
        else MemoryAgent(plan.memory, journal=plan.journal)
    )
    events: list[Event] = []

    def keep_and_emit(event: Event) -> None:
        if event.kind is not EventKind.TEXT:
            events.append(event)
        emit(event)

    attempt = Attempt(
        example=asked_example(question, context_id=plan.documents.context.context_id),
        context=plan.documents.context,
        rollout_index=0,
        policy_version=0,
        params=SamplingParams(
            temperature=plan.config.evaluation.temperature,
            top_p=plan.config.evaluation.top_p,
            max_new_tokens=plan.answer_tokens,
        ),
        key=f"{plan.config.seed}/read",
    )
    return await agent(attempt, sampler=chat, emit=keep_and_emit), events


def _cited(final_text: str, context: Context) -> tuple[Citation, ...]:
    """Return where an answer stands that was given in one pass: it is its own only note."""
    answer = split_thinking(final_text)[1]
    notes = Notes()
    notes.update(answer, 0)
    whole = Section(start=0, end=len(context.text), num_tokens=0)
    return notes.cite(answer, (whole,), context)


def _sections(events: Sequence[Event]) -> tuple[SectionNote, ...]:
    return tuple(
        SectionNote(
            section_index=event.section_index,
            memory=event.memory,
            plan=event.plan,
            is_usable=event.kind is EventKind.SECTION_READ,
            num_tokens=event.num_tokens,
            is_resumed=event.is_resumed,
            message=event.message,
        )
        for event in events
        if event.kind in _READ_KINDS
    )
