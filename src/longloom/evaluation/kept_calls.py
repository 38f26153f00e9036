"""Calls of agents with many calls, kept one by one: a killed run repeats none of them.

For agents without a journal of their own. A reply is found again by the key of its call and a
digest of what was asked, so a changed prompt is asked anew.
"""

import hashlib

from longloom.evaluation.answers import Answer, AnswerLog
from longloom.models.protocols import ChatSampler
from longloom.records import FinishReason, Reply, ReplyRequest
from longloom.rollout.asking import WrappedChat


class KeptChat(WrappedChat):
    """A chat sampler whose replies are in the log before anybody sees them."""

    def __init__(self, sampler: ChatSampler, log: AnswerLog, benchmark: str) -> None:
        """Keep the replies of `sampler` among the answers of a benchmark."""
        super().__init__(sampler)
        self._log = log
        self._benchmark = benchmark

    async def reply(self, request: ReplyRequest) -> Reply:
        """Return the kept reply, or draw one and keep it.

        Raises:
            ModelError: the model failed; failures are not kept.
        """
        digest = hashlib.sha256(request.text.encode("utf-8", "surrogatepass")).hexdigest()
        key = (self._benchmark, f"/calls/{request.key}/{digest[:16]}", 0)
        if key in self._log:
            kept = self._log[key]
            return Reply(
                text=kept.text,
                finish_reason=FinishReason(kept.finish_reason),
                usage=kept.usage,
                reasoning=kept.reasoning,
            )
        reply = await self._sampler.reply(request)
        self._log.add(
            Answer(
                benchmark=self._benchmark,
                question_id=key[1],
                sample_index=0,
                text=reply.text,
                reasoning=reply.reasoning,
                finish_reason=str(reply.finish_reason),
                usage=reply.usage,
            )
        )
        return reply
