"""Knowledge grounding: drop what a model answers without the documents.

QwenLong-L1.5, section 3: with the sources removed the question must fail. An option can be guessed,
so multiple choice is dropped only when most attempts are right; anything else at the first right
attempt.
"""

from collections.abc import Sequence

from pydantic import Field

from longloom.models.endpoint.messages import ChatModel
from longloom.records import RewardRule
from longloom.synthesis.endpoint.attempts import AttemptConfig, Attempts, PosedQuestion, attempt
from longloom.synthesis.endpoint.yields import Dropped, Yield, run_each

ANSWERED = "answered without the documents"
UNTESTED = "no whole closed-book reply"


class ClosedBookConfig(AttemptConfig):
    """How knowledge grounding is checked."""

    max_right_choice_fraction: float = Field(default=0.5, ge=0, lt=1)
    """A choice is kept up to this share of right attempts; one in four is chance."""


async def keep_grounded(
    model: ChatModel,
    questions: Sequence[PosedQuestion],
    config: ClosedBookConfig | None = None,
) -> Yield[PosedQuestion]:
    """Keep the questions that a model cannot answer from memory."""
    settings = config or ClosedBookConfig()

    async def check(posed: PosedQuestion) -> list[PosedQuestion | Dropped]:
        attempts = await attempt(model, posed, settings, is_closed_book=True)
        reason = closed_book_fault(posed, attempts, settings)
        if reason is None:
            return [posed]
        details = f"{attempts.num_right} of {attempts.num_samples} right"
        return [Dropped(key=posed.question_id, reason=reason, details=details)]

    return await run_each(questions, check, lambda posed: posed.question_id)


def closed_book_fault(
    posed: PosedQuestion, attempts: Attempts, config: ClosedBookConfig
) -> str | None:
    """Return why a question is dropped after its closed-book attempts, or None."""
    if attempts.num_cut == attempts.num_samples:
        return UNTESTED
    is_choice = posed.reward_rule is RewardRule.CHOICE
    allowed = config.max_right_choice_fraction * attempts.num_samples if is_choice else 0
    return ANSWERED if attempts.num_right > allowed else None
