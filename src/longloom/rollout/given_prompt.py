"""An agent that answers prompts whose tokens are given, not made from a template."""

from collections.abc import Callable

from longloom.models.protocols import ChatSampler
from longloom.records import Context, ReplyRequest, Rollout
from longloom.rollout.agent import Attempt, Emit
from longloom.rollout.recent_prompts import RecentPrompts, TokenisedPrompt
from longloom.rollout.single_pass import answer_request


class GivenPromptAgent:
    """Answers in one call; the context's text is the whole prompt, as it was encoded."""

    def __init__(self, prompt_ids: Callable[[str], tuple[int, ...]]) -> None:
        """Take the function from a context's id to the tokens of its prompt."""
        self._prompt_ids = prompt_ids
        self._recent = RecentPrompts()

    async def __call__(self, attempt: Attempt, *, sampler: ChatSampler, emit: Emit) -> Rollout:
        """Answer in one call; see `rollout.agent.Agent`."""
        request = ReplyRequest(
            message=attempt.context.text,
            params=attempt.params,
            key=f"{attempt.key}/turn-0",
            prompt_ids=self._tokenised(attempt.context).ids,
        )
        return await answer_request(attempt, request, sampler=sampler, emit=emit)

    def _tokenised(self, context: Context) -> TokenisedPrompt:
        """Return the prompt; attempts at one context share the tuple of its tokens."""

        def read() -> TokenisedPrompt:
            return TokenisedPrompt(text=context.text, ids=self._prompt_ids(context.context_id))

        return self._recent.get(context.context_id, read)
