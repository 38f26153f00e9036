"""Let a reading's last call be the client's own: its tools, form, stop texts, seed and choices.

Agents see a chat sampler as any other. Calls that read go to the backend's sampler; the one that
answers is made with everything the client asked for, and shown while it is written.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from longloom.models.endpoint.wire import reply_counts
from longloom.models.protocols import ChatSampler
from longloom.records import FinishReason, Purpose, Reply, ReplyRequest, TokenUsage
from longloom.rollout.asking import WrappedChat
from longloom.serving.answer_parts import Part

Answer = Callable[[str], AsyncGenerator[Part, None]]
"""From the message that asks for the answer to its parts."""


class AnswerCall(WrappedChat):
    """A chat sampler whose answers are drawn and shown apart; see `protocols.ChatSampler`."""

    def __init__(
        self,
        sampler: ChatSampler,
        *,
        answer: Answer,
        show: Callable[[Part], None],
    ) -> None:
        """Take who reads and who answers.

        Args:
            sampler: reads.
            answer: draws the answer.
            show: receives its parts.
        """
        super().__init__(sampler)
        self._answer = answer
        self._show = show
        self.answer_usage = TokenUsage()
        """What the last answer took."""

    async def reply(self, request: ReplyRequest) -> Reply:
        """Return the reply to one request.

        Raises:
            ContextLengthError: prompt and reply do not fit the window.
            ModelError: the model failed.
        """
        if request.purpose is not Purpose.ANSWER:
            return await self._sampler.reply(request)
        texts: list[str] = []
        reasoning: list[str] = []
        finish = FinishReason.STOP
        usage: Mapping[str, Any] = {}
        async with aclosing(self._answer(request.message)) as parts:
            async for part in parts:
                if part.usage is not None:
                    usage = part.usage
                    continue
                self._show(part)
                if part.index == 0:
                    texts.append(_text(part.delta.get("content")))
                    reasoning.append(_text(part.delta.get("reasoning_content")))
                    if part.finish_reason == "length":
                        finish = FinishReason.LENGTH
        counts = reply_counts(usage)
        written = counts["num_completion_tokens"]
        if not written:  # not every backend counts
            written = self.tokens.count("".join([*reasoning, *texts]))
        self.answer_usage = TokenUsage(
            num_prompt_tokens=counts["num_prompt_tokens"]
            or self.num_prompt_tokens(request.message),
            num_cached_tokens=counts["num_cached_tokens"],
            num_response_tokens=written,
            num_calls=1,
        )
        return Reply(
            text="".join(texts),
            reasoning="".join(reasoning),
            finish_reason=finish,
            usage=self.answer_usage,
        )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
