"""Play a conversation in which a model calls the functions of a memory.

    system message, user message -> reply -> calls? -> results as the next user message -> reply ...

A turn ends with the first reply that is no calls. bfcl_eval's loop gives a turn up after the
results of 21 replies with calls (its limit is 20), and the conversation with it; so does this one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from longloom.errors import ModelError
from longloom.evaluation.benchmarks.bfcl_memory.calls import parse_calls
from longloom.evaluation.benchmarks.bfcl_memory.functions import describe_functions, run_call
from longloom.evaluation.benchmarks.bfcl_memory.store import MemoryStore
from longloom.evaluation.benchmarks.bfcl_memory.summary import SummaryStore
from longloom.models.protocols import ChatSampler
from longloom.records import ChatMessage, ReplyRequest, Rollout, SamplingParams, Turn
from longloom.rewards.extraction import visible_text
from longloom.rollout import Agent, Attempt, Event
from longloom.rollout.agent import Emit, EventKind
from longloom.rollout.single_pass import failed_rollout, finished_rollout
from longloom.text.prompts import fill_template

MAX_STEPS = 20
"""A turn is given up when more replies than this were calls."""


@dataclass(kw_only=True)
class Conversation:
    """One chat of a model that has a memory."""

    store: MemoryStore
    """The memory."""
    sampler: ChatSampler
    """The model."""
    params: SamplingParams
    """How its replies are drawn."""
    key: str
    """Prefix of the random streams."""
    messages: list[ChatMessage]
    """The chat so far, from the system message on."""
    turns: list[Turn] = field(default_factory=list)
    """The calls of the model, where it runs in this process."""
    num_replies: int = 0
    """Replies so far."""

    async def play_turn(self, said: Sequence[ChatMessage]) -> str | None:
        """Say something; return the reply that ended the turn, None if it was given up.

        Raises:
            ModelError: the model failed.
        """
        self.messages += said
        for _ in range(MAX_STEPS + 1):
            text = await self._reply()
            calls = parse_calls(visible_text(text, requires_thinking=False) or "")
            if not calls:
                return text
            results = [
                {
                    "role": "tool",
                    "name": str(call),
                    "content": run_call(self.store.functions, call),
                }
                for call in calls
            ]
            self.messages.append(ChatMessage(role="user", content=repr(results)))
        return None

    async def _reply(self) -> str:
        request = ReplyRequest(
            message=self.messages[-1].content,
            history=tuple(self.messages[:-1]),
            params=self.params,
            key=f"{self.key}/turn-{self.num_replies}",
        )
        reply = await self.sampler.reply(request)
        self.num_replies += 1
        if reply.turn is not None:
            self.turns.append(reply.turn)
        # Thinking is not sent back: chat templates drop it, and it would fill the window.
        shown = visible_text(reply.text, requires_thinking=False) or ""
        self.messages.append(ChatMessage(role="assistant", content=shown))
        return reply.text


def system_message(store: MemoryStore, scenario: str, *, is_question: bool) -> ChatMessage:
    """Return how a conversation opens: functions, role, memory, and the form of a final answer."""
    parts = [
        fill_template("bfcl_functions", functions=describe_functions(store.functions)),
        fill_template(
            "bfcl_whole" if isinstance(store, SummaryStore) else "bfcl_core_archival",
            scenario=fill_template(f"bfcl_scenario_{scenario}"),
            memory=store.visible(),
        ),
    ]
    if is_question:
        parts.append(fill_template("bfcl_answer"))
    return ChatMessage(role="system", content="\n\n".join(parts))


async def play_conversations(
    store: MemoryStore,
    scenario: str,
    conversations: Sequence[Sequence[Sequence[ChatMessage]]],
    *,
    sampler: ChatSampler,
    params: SamplingParams,
    key: str,
) -> None:
    """Play what a user said earlier, conversation after conversation; only `store` remembers.

    Raises:
        ModelError: the model failed.
    """
    for number, turns in enumerate(conversations):
        conversation = Conversation(
            store=store,
            sampler=sampler,
            params=params,
            key=f"{key}/conversation-{number}",
            messages=[system_message(store, scenario, is_question=False)],
        )
        for said in turns:
            if await conversation.play_turn(said) is None:
                break


def memory_agent(open_store: Callable[[], MemoryStore], scenario: str, question: str) -> Agent:
    """Return an agent that answers `question`; each attempt opens a store of its own."""

    async def answer(attempt: Attempt, *, sampler: ChatSampler, emit: Emit) -> Rollout:
        store = open_store()
        conversation = Conversation(
            store=store,
            sampler=sampler,
            params=attempt.params,
            key=attempt.key,
            messages=[system_message(store, scenario, is_question=True)],
        )
        emit(Event(kind=EventKind.STARTED))
        try:
            text = await conversation.play_turn([ChatMessage(role="user", content=question)])
        except ModelError as error:
            emit(Event(kind=EventKind.FAILED, message=str(error)))
            return failed_rollout(attempt, tuple(conversation.turns), str(error))
        if text is None:
            message = f"{MAX_STEPS + 1} replies with calls and no answer; {MAX_STEPS} are allowed"
            emit(Event(kind=EventKind.FAILED, message=message))
            return failed_rollout(attempt, tuple(conversation.turns), message)
        emit(Event(kind=EventKind.ANSWERED, message=text))
        return finished_rollout(attempt, tuple(conversation.turns), text)

    return answer
