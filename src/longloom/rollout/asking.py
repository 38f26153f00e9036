"""What agents are given where a person asks: a bare question, and samplers in layers."""

from longloom.models.protocols import ChatSampler
from longloom.records import Example, Reply, ReplyRequest, RewardRule, Split, TaskType
from longloom.text.token_starts import TextTokens


def asked_example(question: str, *, context_id: str) -> Example:
    """Return a question that nobody scores; it has no answer, program or evidence."""
    return Example(
        example_id=context_id,
        task_type=TaskType.READING_COMPREHENSION,
        ability="",
        context_id=context_id,
        question=question,
        answer="",
        reward_rule=RewardRule.COVER_EXACT_MATCH,
        program="",
        evidence=(),
        num_context_tokens=0,
        num_prompt_tokens=0,
        split=Split.HELD_OUT,
        licences=(),
        provenance=(),
    )


class WrappedChat:
    """A chat sampler that passes on to another; layers override `reply`."""

    def __init__(self, sampler: ChatSampler) -> None:
        """Pass on to `sampler`."""
        self._sampler = sampler

    @property
    def name(self) -> str:
        """Names the model and its version."""
        return self._sampler.name

    @property
    def tokens(self) -> TextTokens:
        """How texts are measured and cut."""
        return self._sampler.tokens

    @property
    def window_tokens(self) -> int:
        """Prompt and reply together must fit in this many tokens."""
        return self._sampler.window_tokens

    def num_prompt_tokens(self, message: str) -> int:
        """Return the tokens of the prompt of one message, chat template included."""
        return self._sampler.num_prompt_tokens(message)

    async def reply(self, request: ReplyRequest) -> Reply:
        """Return the reply to one request; see `models.protocols.ChatSampler`."""
        return await self._sampler.reply(request)
