"""The calls of one reader: what they returned and what they took."""

from dataclasses import replace

from longloom.models.protocols import ChatSampler
from longloom.records import Delta, Purpose, Reply, ReplyRequest, TokenUsage, Turn
from longloom.rollout.agent import Attempt, Emit, Event, EventKind


class Calls:
    """Asks the model in the name of one attempt and keeps the turns, also if a later call fails."""

    def __init__(
        self,
        attempt: Attempt,
        *,
        sampler: ChatSampler,
        emit: Emit,
        path: str = "",
        shows_updates: bool = False,
    ) -> None:
        """Ask for `attempt`.

        Args:
            attempt: whose sampling settings and key are used.
            sampler: the model.
            emit: receives the pieces of replies as they are written.
            path: follows the attempt's key in the keys of the calls, where several readers work.
            shows_updates: whether what is written while reading is emitted, as reasoning.
        """
        self._attempt = attempt
        self._sampler = sampler
        self._emit = emit
        self._path = path
        self._shows_updates = shows_updates
        self._step_usage = TokenUsage()
        self.turns: list[Turn] = []
        """The calls in order, where the model runs in this process."""

    async def ask(
        self,
        message: str,
        *,
        key: str,
        purpose: Purpose,
        max_new_tokens: int | None = None,
        section_index: int = 0,
    ) -> Reply:
        """Return the reply to `message`.

        Args:
            message: the whole chat.
            key: what is asked, within this attempt: `turn-3`, `turn-3/repair`.
            purpose: what the call is for; an answer is emitted as it is written.
            max_new_tokens: where the reply is cut; the attempt's own limit if not given.
            section_index: the section it is about, from 1.

        Raises:
            ContextLengthError: prompt and reply do not fit the window.
            ModelError: the model failed.
        """
        params = self._attempt.params
        if max_new_tokens is not None:
            params = replace(params, max_new_tokens=max_new_tokens)
        is_answer = purpose is Purpose.ANSWER

        def show(delta: Delta) -> None:
            shown = delta if is_answer else replace(delta, is_reasoning=True)
            self._emit(
                Event(
                    kind=EventKind.TEXT, delta=shown, purpose=purpose, section_index=section_index
                )
            )

        reply = await self._sampler.reply(
            ReplyRequest(
                message=message,
                params=params,
                key="/".join(part for part in (self._attempt.key, self._path, key) if part),
                purpose=purpose,
                on_delta=show if is_answer or self._shows_updates else None,
            )
        )
        self._step_usage += reply.usage
        self.turns += [reply.turn] if reply.turn else []
        return reply

    def take_usage(self) -> TokenUsage:
        """Return what was used since this was last asked."""
        taken, self._step_usage = self._step_usage, TokenUsage()
        return taken
