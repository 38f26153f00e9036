"""Choose some of a benchmark's questions: the same for every model, spread over its facet."""

import hashlib
from collections.abc import Sequence

from longloom.evaluation.questions import Question


def choose_questions(
    questions: Sequence[Question], max_questions: int | None, *, seed: int, facet: str = ""
) -> tuple[Question, ...]:
    """Return at most `max_questions` questions, in their order.

    The values of `facet` take turns; within one, a digest of seed and id decides.
    """
    if max_questions is None or max_questions >= len(questions):
        return tuple(questions)
    by_value: dict[str, list[Question]] = {}
    for question in questions:
        by_value.setdefault(question.facets.get(facet, ""), []).append(question)
    ranked = [
        (rank, value, question)
        for value, group in by_value.items()
        for rank, question in enumerate(
            sorted(group, key=lambda one: _digest(seed, one.question_id))
        )
    ]
    ranked.sort(key=lambda entry: (entry[0], entry[1]))
    chosen = {question.question_id for _, _, question in ranked[:max_questions]}
    return tuple(question for question in questions if question.question_id in chosen)


def _digest(seed: int, question_id: str) -> bytes:
    return hashlib.sha256(f"{seed}/{question_id}".encode()).digest()
