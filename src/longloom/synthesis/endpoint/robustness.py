"""Contextual robustness: drop what nobody answers once irrelevant documents are inserted.

QwenLong-L1.5, section 3: the context is extended with irrelevant documents; pass@k of zero drops
the question. The caller builds the extended context; it is `PosedQuestion.context`.
"""

from collections.abc import Sequence

from longloom.errors import DataError
from longloom.models.endpoint.messages import ChatModel
from longloom.synthesis.endpoint.attempts import AttemptConfig, PosedQuestion, attempt
from longloom.synthesis.endpoint.yields import Dropped, Yield, run_each

NEVER_ANSWERED = "never answered among irrelevant documents"


async def keep_robust(
    model: ChatModel, questions: Sequence[PosedQuestion], config: AttemptConfig | None = None
) -> Yield[PosedQuestion]:
    """Keep the questions that at least one of k attempts answers in their context.

    Raises:
        DataError: a question has no context.
    """
    settings = config or AttemptConfig()
    for posed in questions:
        if not posed.context:
            raise DataError(
                f"question {posed.question_id} has no context; expected one with irrelevant "
                "documents inserted; fill PosedQuestion.context"
            )

    async def check(posed: PosedQuestion) -> list[PosedQuestion | Dropped]:
        attempts = await attempt(model, posed, settings)
        if attempts.num_right:
            return [posed]
        details = f"0 of {attempts.num_samples} right, {attempts.num_cut} cut"
        return [Dropped(key=posed.question_id, reason=NEVER_ANSWERED, details=details)]

    return await run_each(questions, check, lambda posed: posed.question_id)
