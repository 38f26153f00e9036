"""Read a document of any length with a memory that is rewritten after every section."""

from dataclasses import replace
from typing import Literal

from pydantic import PositiveInt

from longloom.config import FrozenConfig
from longloom.errors import ModelError
from longloom.memory.parsing import MemoryState, parse_update
from longloom.models.protocols import ChatSampler
from longloom.records import Purpose, Reply, ReplyRequest, Rollout, Turn
from longloom.rollout.agent import Attempt, Emit, Event, EventKind
from longloom.rollout.single_pass import failed_rollout, finished_rollout
from longloom.text.chunking import Chunk, cut_sections
from longloom.text.prompts import fill_template
from longloom.text.token_starts import TextTokens

ANSWER_FORM = 'Format your response as follows: "Therefore, the answer is (insert answer here)".'


class MemoryConfig(FrozenConfig):
    """How the memory agent reads (QwenLong-L1.5, section 4.1, Fig. 6: chunk 32K, memory 15K)."""

    chunk_tokens: PositiveInt = 32_000
    """Tokens of a section."""
    memory_tokens: PositiveInt = 15_000
    """Most tokens one update may write: thinking, memory and plan (the paper: 15K; its meaning
    as a cap on the update's output is inferred)."""
    wording: Literal["full", "compact"] = "full"
    """`compact` leaves out the instructions, for models too small to read them."""


class MemoryAgent:
    """The agent of QwenLong-L1.5, section 2.3; see `rollout.agent.Agent`.

    What it leaves out: splitting the question from its format instructions by a model call; the
    format instruction is a fixed sentence added to the final prompt.
    """

    def __init__(self, config: MemoryConfig) -> None:
        """Read with the sizes and the wording of `config`."""
        self._config = config

    async def __call__(self, attempt: Attempt, *, sampler: ChatSampler, emit: Emit) -> Rollout:
        """Read all sections in order, then answer from the memory alone."""
        text = attempt.context.text
        chunks = self.split(text, sampler.tokens)
        emit(Event(kind=EventKind.STARTED, num_sections=len(chunks)))
        state = MemoryState()
        turns: list[Turn] = []
        try:
            for chunk in chunks:
                section = text[chunk.start : chunk.end].strip("\n")
                reply = await self._update(attempt, state, section, chunk.index, sampler)
                turns += [reply.turn] if reply.turn else []
                parsed = parse_update(reply.text, previous=state, finish_reason=reply.finish_reason)
                state = parsed or state  # an unusable update leaves the memory as it was
                emit(
                    Event(
                        kind=EventKind.SECTION_READ if parsed else EventKind.SECTION_FAILED,
                        section_index=chunk.index + 1,
                        num_sections=len(chunks),
                        memory=state.memory,
                        plan=state.plan,
                    )
                )
            reply = await self._answer(attempt, state, len(chunks), sampler)
            turns += [reply.turn] if reply.turn else []
        except ModelError as error:
            emit(Event(kind=EventKind.FAILED, message=str(error)))
            return failed_rollout(attempt, tuple(turns), str(error))
        emit(Event(kind=EventKind.ANSWERED, message=reply.text))
        return finished_rollout(attempt, tuple(turns), reply.text)

    def split(self, text: str, tokens: TextTokens) -> tuple[Chunk, ...]:
        """Cut `text` into sections of at most `chunk_tokens` on one tokenisation."""
        return cut_sections(text, tokens, self._config.chunk_tokens)

    async def _update(
        self, attempt: Attempt, state: MemoryState, section: str, turn: int, sampler: ChatSampler
    ) -> Reply:
        message = fill_template(
            self._template("memory_update"),
            question=attempt.example.question,
            memory=state.memory,
            plan=state.plan,
            section=section,
        )
        params = replace(attempt.params, max_new_tokens=self._config.memory_tokens)
        return await sampler.reply(
            ReplyRequest(
                message=message,
                params=params,
                key=f"{attempt.key}/turn-{turn}",
                purpose=Purpose.UPDATE,
            )
        )

    async def _answer(
        self, attempt: Attempt, state: MemoryState, turn: int, sampler: ChatSampler
    ) -> Reply:
        slots = {"question": attempt.example.question, "memory": state.memory}
        if self._config.wording == "full":
            slots["instructions"] = ANSWER_FORM
        message = fill_template(self._template("memory_answer"), **slots)
        return await sampler.reply(
            ReplyRequest(message=message, params=attempt.params, key=f"{attempt.key}/turn-{turn}")
        )

    def _template(self, name: str) -> str:
        return f"{name}_compact" if self._config.wording == "compact" else name
