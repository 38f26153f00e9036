"""What judges are asked about answers, and how their replies are read, in both modes.

    question, answer, gold -> *_prompt -> JudgePrompt -> (a model) -> read_* -> JudgeVerdict

A judge is asked once, in our words (`text/prompts.yaml`), and its reply is read twice. Parity reads
it as the benchmark's code does. Strict counts a clear verdict alone. Answers are made harmless
first: the model that is judged wrote them.
"""

import re
from enum import StrEnum

from longloom.errors import DataError
from longloom.evaluation.scoring.score import JudgePrompt, JudgeVerdict
from longloom.rewards.extraction import THINK_END
from longloom.rewards.judge import Verdict, harmless_prediction, judge_prompt, parse_verdict
from longloom.text.prompts import fill_template

MAX_REPLY_CHARACTERS = 4_000
"""A whole reply of a model is cut here before a judge reads it; extracted answers are shorter."""

_DECISION = re.compile(r"decision[\"'*]{0,4}[ \t]{0,4}:[ \t\"'*]{0,8}(true|false)\b", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z]+")
_MAX_SKIPPED_CHARACTERS = 40


class LongMemEvalKind(StrEnum):
    """What LongMemEval's judge looks at, by type of question."""

    ABSTENTION = "abstention"
    ANSWER = "answer"
    PREFERENCE = "preference"
    TEMPORAL = "temporal"
    UPDATE = "update"


_KIND_BY_TYPE = {
    "knowledge-update": LongMemEvalKind.UPDATE,
    "multi-session": LongMemEvalKind.ANSWER,
    "single-session-assistant": LongMemEvalKind.ANSWER,
    "single-session-preference": LongMemEvalKind.PREFERENCE,
    "single-session-user": LongMemEvalKind.ANSWER,
    "temporal-reasoning": LongMemEvalKind.TEMPORAL,
}
_TEMPLATE_BY_KIND = {
    LongMemEvalKind.ABSTENTION: "judge_longmemeval_abstention",
    LongMemEvalKind.ANSWER: "judge_longmemeval",
    LongMemEvalKind.PREFERENCE: "judge_longmemeval_preference",
    LongMemEvalKind.TEMPORAL: "judge_longmemeval_temporal",
    LongMemEvalKind.UPDATE: "judge_longmemeval_update",
}


def qwenlong_prompt(question: str, prediction: str, gold: str) -> JudgePrompt:
    """Ask whether two answers are the same (QwenLong-L1, section 2.4); for CorpusQA as well."""
    return JudgePrompt(user=judge_prompt(question, prediction, gold))


def read_qwenlong(reply: str) -> JudgeVerdict:
    """Read a verdict as L1 does: any "YES" in it is one, even in "[[NO]], YES would be wrong"."""
    return JudgeVerdict(parity="YES" in reply, strict=parse_verdict(reply))


def read_corpusqa(reply: str) -> JudgeVerdict:
    """Read a verdict as CorpusQA does: `[[YES]]` must be there and `[[NO]]` must not."""
    return JudgeVerdict(
        parity="[[YES]]" in reply and "[[NO]]" not in reply, strict=parse_verdict(reply)
    )


def frames_prompt(question: str, prediction: str, gold: str) -> JudgePrompt:
    """Ask whether an answer holds the gold answer's meaning and vital facts (FRAMES)."""
    return _prompt("judge_frames", question, prediction, gold)


def read_frames(reply: str) -> JudgeVerdict:
    """Read a decision. FRAMES published no code; those who run it look for "TRUE" anywhere.

    Strict takes "Decision: TRUE" or "Decision: FALSE", and nothing of a reply that says both.
    """
    decisions = {match[1].lower() for match in _DECISION.finditer(_visible(reply))}
    strict = Verdict.UNCLEAR
    if len(decisions) == 1:
        strict = Verdict.YES if "true" in decisions else Verdict.NO
    return JudgeVerdict(parity="TRUE" in reply, strict=strict)


def longmemeval_kind(question_type: str, *, is_abstention: bool) -> LongMemEvalKind:
    """Return what the judge of a question looks at.

    Args:
        question_type: the row's `question_type`.
        is_abstention: whether `_abs` is in the row's `question_id`.

    Raises:
        DataError: the type is unknown.
    """
    if question_type not in _KIND_BY_TYPE:
        raise DataError(
            f"question_type {question_type!r} is not of LongMemEval; expected one of "
            f"{', '.join(_KIND_BY_TYPE)}"
        )
    return LongMemEvalKind.ABSTENTION if is_abstention else _KIND_BY_TYPE[question_type]


def longmemeval_prompt(
    kind: LongMemEvalKind, question: str, prediction: str, gold: str
) -> JudgePrompt:
    """Ask whether a whole reply is right; `gold` is a rubric or an explanation for two kinds.

    The official judge may write 10 tokens; ours may think first.
    """
    return _prompt(_TEMPLATE_BY_KIND[kind], question, prediction, gold)


def read_longmemeval(reply: str) -> JudgeVerdict:
    """Read a verdict: officially any "yes" in it; in strict mode its first word, yes or no."""
    visible = _visible(reply).lstrip()[:_MAX_SKIPPED_CHARACTERS]
    word = _WORD.search(visible)
    verdict_by_word = {"yes": Verdict.YES, "no": Verdict.NO}
    strict = verdict_by_word.get(word[0].lower(), Verdict.UNCLEAR) if word else Verdict.UNCLEAR
    return JudgeVerdict(parity="yes" in reply.lower(), strict=strict)


def _prompt(template: str, question: str, prediction: str, gold: str) -> JudgePrompt:
    harmless = harmless_prediction(prediction, max_characters=MAX_REPLY_CHARACTERS)
    return JudgePrompt(
        user=fill_template(template, question=question, prediction=harmless, answer=gold)
    )


def _visible(reply: str) -> str:
    return reply.rpartition(THINK_END)[2]
