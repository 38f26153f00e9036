"""Numbers of TAT-QA as DocMath's are scored, its spans by cover exact match."""

from collections.abc import Sequence

from longloom.evaluation.scoring.docmath import score_docmath
from longloom.evaluation.scoring.long_answer import score_answer
from longloom.evaluation.scoring.score import Score


def score_tatqa(text: str, answers: Sequence[str], *, answer_type: str) -> Score:
    """Score one answer.

    Args:
        text: the visible reply.
        answers: the number, or the spans, which all must be there.
        answer_type: `arithmetic`, `count`, `span` or `multi-span`.
    """
    if answer_type in ("arithmetic", "count"):
        return score_docmath(text, answers)
    scores = [score_answer(text, (span,)) for span in answers]
    found = sum(score.strict for score in scores) / len(scores)
    return Score(
        parity=min(score.parity for score in scores),
        strict=min(score.strict for score in scores),
        parts={"found_fraction": found},
        extracted=scores[0].extracted,
        parity_extracted=scores[0].parity_extracted,
    )
