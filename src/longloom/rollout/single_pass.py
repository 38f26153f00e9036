"""Agents that answer in one call: with the whole context, or without any."""

from longloom.errors import ModelError
from longloom.models.protocols import Sampler
from longloom.records import Rollout, TaskType, Turn
from longloom.rollout.agent import Attempt, Emit, Event, EventKind
from longloom.rollout.turns import ask
from longloom.text.prompts import fill_template, single_pass_prompt


class SinglePassAgent:
    """Puts the whole context into one prompt."""

    def __init__(self, template: str) -> None:
        """Use prompt `template`, or its multiple-choice form where the prompt file has one."""
        self._template = template

    async def __call__(self, attempt: Attempt, *, sampler: Sampler, emit: Emit) -> Rollout:
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

    async def __call__(self, attempt: Attempt, *, sampler: Sampler, emit: Emit) -> Rollout:
        """Answer in one call; see `rollout.agent.Agent`."""
        message = fill_template("closed_book", question=attempt.example.question)
        return await _answer_once(attempt, message, sampler=sampler, emit=emit)


async def _answer_once(attempt: Attempt, message: str, *, sampler: Sampler, emit: Emit) -> Rollout:
    emit(Event(kind=EventKind.STARTED))
    try:
        turn = await ask(sampler, message, params=attempt.params, key=f"{attempt.key}/turn-0")
    except ModelError as error:
        emit(Event(kind=EventKind.FAILED, message=str(error)))
        return failed_rollout(attempt, (), str(error))
    emit(Event(kind=EventKind.ANSWERED, message=turn.response_text))
    return finished_rollout(attempt, (turn,))


def finished_rollout(attempt: Attempt, turns: tuple[Turn, ...]) -> Rollout:
    """Return the rollout whose last turn is the answer."""
    return Rollout(
        example_id=attempt.example.example_id,
        rollout_index=attempt.rollout_index,
        policy_version=attempt.policy_version,
        turns=turns,
        final_text=turns[-1].response_text,
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
