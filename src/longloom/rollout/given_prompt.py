"""An agent that answers prompts whose tokens are given, not made from a template."""

from collections.abc import Callable

from longloom.errors import ModelError
from longloom.models.protocols import Sampler
from longloom.records import Context, Rollout, SampleRequest, Turn
from longloom.rollout.agent import Attempt, Emit, Event, EventKind
from longloom.rollout.recent_prompts import RecentPrompts, TokenisedPrompt
from longloom.rollout.single_pass import failed_rollout, finished_rollout
from longloom.rollout.turns import response_text


class GivenPromptAgent:
    """Answers in one call; the context's text is the whole prompt, as it was encoded."""

    def __init__(self, prompt_ids: Callable[[str], tuple[int, ...]]) -> None:
        """Take the function from a context's id to the tokens of its prompt."""
        self._prompt_ids = prompt_ids
        self._recent = RecentPrompts()

    async def __call__(self, attempt: Attempt, *, sampler: Sampler, emit: Emit) -> Rollout:
        """Answer in one call; see `rollout.agent.Agent`."""
        emit(Event(kind=EventKind.STARTED))
        prompt_ids = self._tokenised(attempt.context).ids
        request = SampleRequest(
            prompt_ids=prompt_ids, params=attempt.params, key=f"{attempt.key}/turn-0"
        )
        try:
            completion = await sampler.sample(request)
        except ModelError as error:
            emit(Event(kind=EventKind.FAILED, message=str(error)))
            return failed_rollout(attempt, (), str(error))
        turn = Turn(
            prompt_ids=prompt_ids,
            response_ids=completion.token_ids,
            rollout_logprobs=completion.logprobs,
            entropies=completion.entropies,
            finish_reason=completion.finish_reason,
            prompt_text=attempt.context.text,
            response_text=response_text(sampler, completion.token_ids),
        )
        emit(Event(kind=EventKind.ANSWERED, message=turn.response_text))
        return finished_rollout(attempt, (turn,))

    def _tokenised(self, context: Context) -> TokenisedPrompt:
        """Return the prompt; attempts at one context share the tuple of its tokens."""

        def read() -> TokenisedPrompt:
            return TokenisedPrompt(text=context.text, ids=self._prompt_ids(context.context_id))

        return self._recent.get(context.context_id, read)
