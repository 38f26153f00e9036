"""Agents that answer in one call: with the whole context, or without any."""

from dataclasses import replace

from longloom.errors import ModelError
from longloom.models.protocols import ChatSampler
from longloom.records import Delta, ReplyRequest, Rollout, TaskType, Turn
from longloom.rollout.agent import Attempt, Emit, Event, EventKind
from longloom.text.prompts import fill_template, single_pass_prompt


class SinglePassAgent:
    """Puts the whole context into one prompt."""

    def __init__(self, template: str) -> None:
        """Use prompt `template`, or its multiple-choice form where the prompt file has one."""
        self._template = template

    async def __call__(self, attempt: Attempt, *, sampler: ChatSampler, emit: Emit) -> Rollout:
        """Answer in one call; see `rollout.agent.Agent`."""
        template = self._template
        if template == "l1" and attempt.example.task_type is TaskType.MULTIPLE_CHOICE:
            template = "l1_multiple_choice"
        message = single_pass_prompt(
            template, context=attempt.context.text, question=attempt.example.question
        )
        return await _answer_once(attempt, message, sampler=sampler, emit=emit)


class ClosedBookAgent:
    """Asks the question without its documents: what a model knows or guesses."""

    async def __call__(self, attempt: Attempt, *, sampler: ChatSampler, emit: Emit) -> Rollout:
        """Answer in one call; see `rollout.agent.Agent`."""
        message = fill_template("closed_book", question=attempt.example.question)
        return await _answer_once(attempt, message, sampler=sampler, emit=emit)


async def _answer_once(
    attempt: Attempt, message: str, *, sampler: ChatSampler, emit: Emit
) -> Rollout:
    request = ReplyRequest(message=message, params=attempt.params, key=f"{attempt.key}/turn-0")
    return await answer_request(attempt, request, sampler=sampler, emit=emit)


async def answer_request(
    attempt: Attempt, request: ReplyRequest, *, sampler: ChatSampler, emit: Emit
) -> Rollout:
    """Return the rollout of one call; its deltas are emitted."""

    def show(delta: Delta) -> None:
        emit(Event(kind=EventKind.TEXT, delta=delta))

    emit(Event(kind=EventKind.STARTED))
    try:
        reply = await sampler.reply(replace(request, on_delta=show))
    except ModelError as error:
        emit(Event(kind=EventKind.FAILED, message=str(error)))
        return failed_rollout(attempt, (), str(error))
    emit(Event(kind=EventKind.ANSWERED, message=reply.text, usage=reply.usage))
    return finished_rollout(attempt, (reply.turn,) if reply.turn else (), reply.text)


def finished_rollout(attempt: Attempt, turns: tuple[Turn, ...], final_text: str) -> Rollout:
    """Return the rollout that ended in an answer; `turns` are empty where a server keeps tokens."""
    return Rollout(
        example_id=attempt.example.example_id,
        rollout_index=attempt.rollout_index,
        policy_version=attempt.policy_version,
        turns=turns,
        final_text=final_text,
        error="",
    )


def failed_rollout(attempt: Attempt, turns: tuple[Turn, ...], error: str) -> Rollout:
    """Return a rollout that failed; it is counted and scored 0, never dropped."""
    return Rollout(
        example_id=attempt.example.example_id,
        rollout_index=attempt.rollout_index,
        policy_version=attempt.policy_version,
        turns=turns,
        final_text="",
        error=error,
    )
