"""Get one answer to one question, by whatever agent, and say how it went.

Asked -> single pass (cut to fit) | closed book | an agent that reads the context -> Answer
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from longloom.errors import ModelError
from longloom.evaluation.asking.answers import Answer, Failure, failure_of
from longloom.evaluation.asking.fitting import FittedPrompt, fit_prompt
from longloom.evaluation.asking.preparing import Preparations
from longloom.evaluation.questions import Asked, Question
from longloom.models.endpoint.errors import EndpointSetupError
from longloom.models.protocols import ChatSampler
from longloom.records import Context, Reply, ReplyRequest, Rollout, SamplingParams, TokenUsage
from longloom.rollout import Agent, Attempt, Event
from longloom.rollout.agent import EventKind
from longloom.rollout.asking import WrappedChat, asked_example
from longloom.rollout.single_pass import answer_request
from longloom.text.prompts import fill_template

CLOSED_BOOK = "closed_book"
SINGLE_PASS = "single_pass"


OwnAgent = Callable[[Question, Asked, str], Agent]
"""From a question, its text and the snapshot of its group to what answers it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How every question of a benchmark is put to the model."""

    benchmark: str
    """Name of the benchmark."""
    agent: Agent | None
    """Reads `Asked.context` and answers `Asked.query`; None for a single call, and for benchmarks
    with an agent of their own."""
    own_agent: OwnAgent | None = None
    """Makes the agent that the benchmark's questions are answered by, if it has its own."""
    preparations: Preparations | None = None
    """Gives the snapshots of the questions' groups, where there are any."""
    has_context: bool
    """Whether a single call shows the context; a closed book does not."""
    params: SamplingParams
    """How answers are drawn."""
    max_prompt_tokens: int
    """Longer prompts of a single call lose their middle."""
    cuts_prompts: bool
    """Whether they do; else they fail as too long, and no call is made."""
    accepts_outages: bool = False
    """Whether questions that get no reply fail, one after another; else they end the run."""
    has_own_limits: bool = False
    """Whether limits of single questions hold (`Question.max_new_tokens`)."""
    thinking_tokens: int = 0
    """Room for thinking beyond such a limit."""
    is_threaded: bool
    """Whether long texts are counted beside the event loop: for servers. A model in this process
    starts when all who ask wait for it, and those in threads would be missing."""
    key: str
    """Prefix of the random streams: seed, benchmark, agent."""


async def answer_question(
    question: Question,
    asked: Asked,
    sample_index: int,
    *,
    asking: Asking,
    chat: ChatSampler,
    fitted: FittedPrompt | None,
) -> Answer:
    """Return one answer; a failure of the model is an answer too.

    Args:
        question: the question.
        asked: its text.
        sample_index: which of several answers.
        asking: how it is put.
        chat: the model.
        fitted: the prompt of a single call, see `prompt_of`.

    Raises:
        EndpointSetupError: the server answers no question at all as things are set up.
    """
    counting, watched = _CountingChat(chat), _ReadTokens()
    params = asking.params
    if asking.has_own_limits and question.max_new_tokens is not None:
        limit = question.max_new_tokens + asking.thinking_tokens
        params = replace(params, max_new_tokens=min(params.max_new_tokens, limit))
    # A reader's journal finds its steps again by the digest; a single call needs none.
    context_id = question.question_id if fitted is not None else _digest(asked.context)
    attempt = Attempt(
        example=asked_example(asked.query, context_id=context_id),
        context=Context(context_id=context_id, text=asked.context, parts=()),
        rollout_index=sample_index,
        policy_version=0,
        params=params,
        key=f"{asking.key}/{question.question_id}/{sample_index}",
    )
    started = time.perf_counter()
    agent = asking.agent
    if asking.own_agent is not None:
        snapshot = await _snapshot(question, asking)
        if snapshot is not None and snapshot.failure:
            return replace(snapshot, question_id=question.question_id, sample_index=sample_index)
        agent = asking.own_agent(question, asked, snapshot.text if snapshot else "")
    rollout = await _rollout(attempt, agent, counting, fitted, watched)
    if isinstance(counting.error, EndpointSetupError):
        raise counting.error
    last = counting.last
    return Answer(
        benchmark=asking.benchmark,
        question_id=question.question_id,
        sample_index=sample_index,
        text=rollout.final_text,
        reasoning=last.reasoning if last is not None and not rollout.error else "",
        finish_reason="" if rollout.error or last is None else str(last.finish_reason),
        failure=_failure(rollout, counting.error),
        error=rollout.error,
        usage=counting.usage,
        num_prompt_tokens=(
            watched.num_tokens if fitted is None else _prompt_tokens(fitted, last, chat)
        ),
        is_prompt_cut=fitted is not None and fitted.is_cut,
        seconds=time.perf_counter() - started,
    )


def prompt_of(asked: Asked, asking: Asking, chat: ChatSampler) -> FittedPrompt | None:
    """Return the prompt of a single call; None for agents that read by themselves."""
    if asking.agent is not None or asking.own_agent is not None:
        return None
    if not asking.has_context:
        bare = fill_template("closed_book", question=asked.query)
        asked = Asked(context="", query=asked.query, before=bare)
    return fit_prompt(asked, chat, asking.max_prompt_tokens)


def too_long(question: Question, sample_index: int, asking: Asking, fitted: FittedPrompt) -> Answer:
    """Return the failure of a question whose prompt is too long and must not be cut."""
    return Answer(
        benchmark=asking.benchmark,
        question_id=question.question_id,
        sample_index=sample_index,
        text="",
        finish_reason="",
        failure=Failure.TOO_LONG,
        error=f"prompt of {fitted.num_tokens} tokens; at most {asking.max_prompt_tokens} are asked",
        num_prompt_tokens=fitted.num_tokens or 0,
    )


async def _snapshot(question: Question, asking: Asking) -> Answer | None:
    if asking.preparations is None or not question.group:
        return None
    return await asking.preparations.snapshot(question.group)


async def _rollout(
    attempt: Attempt,
    agent: Agent | None,
    chat: "_CountingChat",
    fitted: FittedPrompt | None,
    watched: "_ReadTokens",
) -> Rollout:
    if agent is not None:
        return await agent(attempt, sampler=chat, emit=watched.see)
    assert fitted is not None
    request = ReplyRequest(
        message=fitted.message,
        history=fitted.history,
        params=attempt.params,
        key=f"{attempt.key}/turn-0",
    )
    return await answer_request(attempt, request, sampler=chat, emit=watched.see)


def _prompt_tokens(fitted: FittedPrompt, reply: Reply | None, chat: ChatSampler) -> int:
    """Return the tokens of a whole prompt: as they were counted, or as the server counts them."""
    if fitted.num_tokens is not None:
        return fitted.num_tokens
    if reply is not None:
        return reply.usage.num_prompt_tokens
    return chat.num_prompt_tokens(
        "\n".join([*(turn.content for turn in fitted.history), fitted.message])
    )


def _failure(rollout: Rollout, error: BaseException | None) -> str:
    if not rollout.error:
        return ""
    return failure_of(error) if error is not None else Failure.AGENT


class _CountingChat(WrappedChat):
    """Sums up what the calls of one answer take, and keeps how the last one ended."""

    def __init__(self, sampler: ChatSampler) -> None:
        super().__init__(sampler)
        self.usage = TokenUsage()
        self.last: Reply | None = None
        self.error: ModelError | None = None

    async def reply(self, request: ReplyRequest) -> Reply:
        try:
            # Nobody watches: whole replies take less work than streams.
            reply = await self._sampler.reply(replace(request, on_delta=None))
        except ModelError as error:
            self.error = error
            raise
        self.usage += reply.usage
        self.last, self.error = reply, None
        return reply


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class _ReadTokens:
    """Adds up the sections that an agent reads: the length of what it was asked about."""

    def __init__(self) -> None:
        self.num_tokens = 0

    def see(self, event: Event) -> None:
        if event.kind is EventKind.SECTION_READ:
            self.num_tokens += event.num_tokens
