"""The judges of the papers' benchmarks: what each is shown of an answer, and how it is read.

QwenLong-L1 shows its judge the question, the answer that was stated and the first gold answer
(`eval/hotpotqa_verify.py`); where nothing was stated it shows "None", and for DocMath the whole
reply (`eval/docmath_verify.py`). CorpusQA shows the whole reply then as well (`src/eval.py`).
"""

from longloom.evaluation.benchmark import JudgeRule
from longloom.evaluation.questions import Asked, Question
from longloom.evaluation.scoring.judging import (
    frames_prompt,
    qwenlong_prompt,
    read_corpusqa,
    read_frames,
    read_qwenlong,
)
from longloom.evaluation.scoring.score import JudgePrompt, Score

_PHRASE = "Therefore, the answer is"


def _stated(question: Question, asked: Asked, score: Score, text: str) -> JudgePrompt:
    return _prompt(question, asked, _answer(score) or "None")


def _stated_or_whole(question: Question, asked: Asked, score: Score, text: str) -> JudgePrompt:
    whole = text.replace(_PHRASE, "").strip()
    return _prompt(question, asked, _answer(score) or whole or "None")


def _frames(question: Question, asked: Asked, score: Score, text: str) -> JudgePrompt:
    return frames_prompt(asked.problem or asked.query, text, question.golds[0])


def _prompt(question: Question, asked: Asked, answer: str) -> JudgePrompt:
    return qwenlong_prompt(asked.problem or asked.query, answer, question.golds[0])


def _answer(score: Score) -> str | None:
    return score.extracted or score.parity_extracted


QWENLONG = JudgeRule(name="qwenlong", prompt=_stated, parse=read_qwenlong)
"""QwenLong-L1's judge of stated answers."""

DOCMATH = JudgeRule(name="qwenlong", prompt=_stated_or_whole, parse=read_qwenlong)
"""The same, which sees the whole reply where no number was stated."""

CORPUSQA = JudgeRule(name="corpusqa", prompt=_stated_or_whole, parse=read_corpusqa)
"""CorpusQA's judge, which in strict mode is asked only where rules do not decide."""

FRAMES = JudgeRule(name="frames", prompt=_frames, parse=read_frames)
"""The judge of FRAMES' own paper: a whole reply against the gold answer."""
