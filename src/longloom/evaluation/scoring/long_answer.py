"""The pipeline that QwenLong-L1 scores long-context answers by, and L1.5 with it.

    reply -> what follows the last `</think>` -> what follows the last "the answer is" -> compared

Parity is L1's code (eval/hotpotqa.py): the phrase in lower case only, the first gold alone, and a
match in both directions, so that an empty answer is right. Strict is the paper's cover exact match
(QwenLong-L1.5, section 5.1) against any gold, after `longloom.rewards.extraction`, which also is
the reward's.
"""

from collections.abc import Sequence

from longloom.evaluation.scoring import squad
from longloom.evaluation.scoring.score import Score
from longloom.rewards import rules
from longloom.rewards.extraction import THINK_END, extract_answer

_PHRASE = "the answer is"
_END_MARKS = ("<｜Assistant｜>", "<｜end▁of▁sentence｜>")  # noqa: RUF001 - the marks are spelled so


def l1_visible(reply: str) -> str | None:
    """Return what follows the last `</think>`, or None where thinking never ended."""
    _, separator, visible = reply.rpartition(THINK_END)
    return visible.strip() if separator else None


def l1_answer(visible: str) -> str | None:
    """Return what follows the last "the answer is" in lower case; None without the phrase."""
    _, separator, stated = visible.replace("*", "").rpartition(_PHRASE)
    if not separator:
        return None
    stated = stated.strip()
    for mark in _END_MARKS:
        stated = stated.replace(mark, "")
    return stated.strip().strip(".").strip()


def l1_evaluated_answer(reply: str) -> str | None:
    """Return the answer as L1's evaluation takes it: unfinished thinking is searched as well."""
    return l1_answer(l1_visible(reply) or reply)


def l1_match(prediction: str, gold: str) -> bool:
    """Return L1's `sub_em`: either normalised text is part of the other, so nothing is in all."""
    predicted, expected = squad.normalize_squad(prediction), squad.normalize_squad(gold)
    return expected in predicted or predicted in expected


def score_answer(text: str, golds: Sequence[str]) -> Score:
    """Score a reply of the form "Therefore, the answer is ...".

    Parts: `exact_match`, `cover_exact_match` and `f1` (with HotpotQA's rule), each of the strictly
    extracted answer against the best gold.
    """
    stated = l1_evaluated_answer(text)
    answer = extract_answer(text, requires_thinking=False)
    parity = stated is not None and bool(golds) and l1_match(stated, golds[0])
    parts = _parts(answer or "", golds)
    return Score(
        parity=float(parity),
        strict=parts["cover_exact_match"],
        parts=parts,
        extracted=answer,
        parity_extracted=stated,
    )


def _parts(answer: str, golds: Sequence[str]) -> dict[str, float]:
    words = rules.normalize_answer(answer)
    is_same = (bool(words) and words == rules.normalize_answer(gold) for gold in golds)
    return {
        "exact_match": float(any(is_same)),
        "cover_exact_match": float(any(rules.cover_exact_match(answer, gold) for gold in golds)),
        "f1": max((squad.strict_f1(answer, gold) for gold in golds), default=0.0),
    }
