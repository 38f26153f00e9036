"""What requests cost the keys that ask: tokens of answers that are handed on, and of readings."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from longloom.records import TokenUsage
from longloom.rollout import Event, EventKind
from longloom.serving.answer_tokens import AnswerTokens
from longloom.serving.backends import Relayed
from longloom.serving.gate import KeyQuotas
from longloom.serving.metrics import Metrics
from longloom.text.token_starts import TextTokens


def paid(
    relayed: Relayed, tokens: TextTokens, *, num_paid: int, spend: Callable[[int], None]
) -> Relayed:
    """Return an answer that is handed on, the same bytes; its tokens are told when it ends.

    Args:
        relayed: the answer.
        tokens: estimates what the backend does not count.
        num_paid: tokens of the prompt that were told before. The backend may count more, such as
            those of images.
        spend: is told the rest.
    """
    counted = AnswerTokens(relayed.headers, tokens)

    async def body() -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(relayed.body) as pieces:
                async for piece in pieces:
                    counted.add(piece)
                    yield piece
        finally:
            num_prompt, num_answer = counted.totals()
            spend(max(0, num_prompt - num_paid) + num_answer)

    return replace(relayed, body=body())


class ReadingCosts:
    """Counts what one reading takes while it reads."""

    def __init__(self, metrics: Metrics, quotas: KeyQuotas, holder: str) -> None:
        """Take who counts, and whose key asked."""
        self._metrics, self._quotas, self._holder = metrics, quotas, holder
        self._spent = TokenUsage()

    def add(self, event: Event) -> None:
        """Count what an event tells."""
        if event.kind is EventKind.SECTION_FAILED:
            self._metrics.count("longloom_sections_total", state="failed")
        elif event.kind is EventKind.SECTION_READ:
            state = "resumed" if event.is_resumed else "read"
            self._metrics.count("longloom_sections_total", state=state)
        if event.usage is None:
            return
        num_prompt = event.usage.num_prompt_tokens
        num_written = event.usage.num_response_tokens
        if event.kind is EventKind.ANSWERED:  # the whole reading, of which sections were told
            num_prompt = max(0, num_prompt - self._spent.num_prompt_tokens)
            num_written = max(0, num_written - self._spent.num_response_tokens)
        else:
            self._spent += event.usage
        self._quotas.spend(self._holder, num_prompt + num_written)
        for kind, num_tokens in (
            ("reading_prompt", num_prompt),
            ("reading_completion", num_written),
        ):
            self._metrics.count("longloom_tokens_total", num_tokens, kind=kind)
