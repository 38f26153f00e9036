"""Score all answers of a benchmark: rules first, then the judge.

Scores are computed anew whenever a run ends; answers and verdicts alone are kept. So a scorer that
is put right needs no model again.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from longloom.evaluation.asking.answers import Answer, AnswerLog, Failure
from longloom.evaluation.asking.asking_judge import AskedJudge
from longloom.evaluation.asking.workers import workers
from longloom.evaluation.benchmark import Benchmark, JudgeRule, ScoreText
from longloom.evaluation.questions import Question, QuestionSet
from longloom.evaluation.results import QuestionResult, ScoredAnswer
from longloom.evaluation.scoring.score import JudgeVerdict, Score
from longloom.records import FinishReason
from longloom.rewards.extraction import THINK_BEGIN, THINK_END
from longloom.rewards.judge import Verdict

Thinking = Literal["auto", "always", "never"]
"""See `AskingConfig.thinking`."""
OnScored = Callable[[int, int], None]
"""Told how many answers are scored, and how many there are."""

_NO_SCORE = Score(parity=0.0, strict=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuledAnswer:
    """An answer with what the rules make of it."""

    answer: Answer
    """As the model gave it."""
    visible: str
    """What follows its thinking; empty if it failed."""
    failure: str
    """A `Failure`, or empty."""
    score: Score
    """By the rules."""


async def score_answers(
    benchmark: Benchmark,
    found: QuestionSet,
    chosen: Sequence[Question],
    *,
    log: AnswerLog,
    num_samples: int,
    thinking: Thinking = "auto",
    judge: AskedJudge | None = None,
    on_scored: OnScored | None = None,
) -> tuple[QuestionResult, ...]:
    """Return the results of all chosen questions; the log holds their answers.

    Raises:
        DataError: a question's row cannot be read again.
        MissingDependencyError: the scorer needs an extra that is not installed.
        ModelError: the judge is away; verdicts given are kept.
    """
    rows = [
        [log[benchmark.name, one.question_id, index] for index in range(num_samples)]
        for one in chosen
    ]
    others_think = any(THINK_END in answer.text for row in rows for answer in row)
    ruled: list[list[RuledAnswer]] = []
    with benchmark.open_score() as score:
        for question, row in zip(chosen, rows, strict=True):
            # In a thread: some scorers compare long texts.
            ruled.append(
                await asyncio.to_thread(_rule_all, score, question, row, thinking, others_think)
            )
            if on_scored:
                on_scored(len(ruled), len(chosen))
    verdicts: Mapping[tuple[int, int], JudgeVerdict] = {}
    if judge is not None and benchmark.judge is not None:
        verdicts = await _verdicts(benchmark.judge, found, chosen, ruled, judge)
    return tuple(
        _result(
            benchmark,
            question,
            [join_verdict(one, benchmark.judge, verdicts.get((number, index)))
             for index, one in enumerate(ruled[number])],
            rows[number],
        )
        for number, question in enumerate(chosen)
    )  # fmt: skip


def rule_answer(
    score_text: ScoreText,
    question: Question,
    answer: Answer,
    *,
    thinking: Thinking,
    others_think: bool,
) -> RuledAnswer:
    """Score one answer by the rules.

    Unfinished thinking and an empty reply are failures: they score 0 in strict mode. In parity mode
    the benchmark's own scorer sees whatever text there is, as the authors' evaluation lets it.
    """
    if answer.failure:
        return RuledAnswer(answer=answer, visible="", failure=answer.failure, score=_NO_SCORE)
    visible = _after_thinking(answer, thinking, others_think)
    failure = ""
    if visible is None:
        failure = Failure.UNFINISHED_THINKING
    elif not visible.strip():
        failure = Failure.EMPTY
    score = score_text(question, answer.text if visible is None else visible)
    if failure:
        score = replace(_NO_SCORE, parity=score.parity, parity_extracted=score.parity_extracted)
    return RuledAnswer(answer=answer, visible=visible or "", failure=failure, score=score)


def _rule_all(
    score_text: ScoreText,
    question: Question,
    answers: Sequence[Answer],
    thinking: Thinking,
    others_think: bool,
) -> list[RuledAnswer]:
    return [
        rule_answer(score_text, question, answer, thinking=thinking, others_think=others_think)
        for answer in answers
    ]


def _after_thinking(answer: Answer, thinking: Thinking, others_think: bool) -> str | None:
    """Return what follows the thinking, or None if that never ended."""
    text = answer.text
    if thinking == "never":
        return text
    if answer.reasoning:
        is_cut = answer.finish_reason == FinishReason.LENGTH
        return None if is_cut and not text.strip() else text
    _, closing, visible = text.rpartition(THINK_END)
    if closing:
        return visible.lstrip()
    is_cut = answer.finish_reason == FinishReason.LENGTH
    is_missing = thinking == "always" or (thinking == "auto" and others_think and is_cut)
    return None if is_missing or text.lstrip().startswith(THINK_BEGIN) else text


async def _verdicts(
    rule: JudgeRule,
    found: QuestionSet,
    chosen: Sequence[Question],
    ruled: Sequence[Sequence[RuledAnswer]],
    judge: AskedJudge,
) -> Mapping[tuple[int, int], JudgeVerdict]:
    """Ask about every answer that says something, many at a time; by question and sample."""
    calls: dict[tuple[int, int], asyncio.Task[JudgeVerdict]] = {}
    async with workers() as tasks:
        for number, question in enumerate(chosen):
            said = {index: one for index, one in enumerate(ruled[number]) if not one.failure}
            if not said:
                continue
            asked = await asyncio.to_thread(found.ask, question)
            for index, one in said.items():
                prompt = rule.prompt(question, asked, one.score, one.visible)
                calls[number, index] = tasks.create_task(judge.verdict(rule, prompt))
    return {place: call.result() for place, call in calls.items()}


def join_verdict(
    one: RuledAnswer, rule: JudgeRule | None, verdict: JudgeVerdict | None
) -> ScoredAnswer:
    """Join rule and judge as the benchmark does: the larger of both, or the judge alone."""
    parity, strict, parts = one.score.parity, one.score.strict, dict(one.score.parts)
    if rule is not None and verdict is not None:
        judged = float(verdict.strict is Verdict.YES)
        parts |= {"rule": strict, "judge": judged}
        if rule.combine == "alone":
            parity, strict = float(verdict.parity), judged
        else:
            parity = max(parity, float(verdict.parity))
            strict = strict if one.score.is_decided else max(strict, judged)
    return ScoredAnswer(
        parity=parity,
        strict=strict,
        parts=parts,
        extracted=one.score.extracted,
        verdict=verdict.strict if verdict is not None else "",
        failure=one.failure,
        finish_reason=one.answer.finish_reason,
    )


def _result(
    benchmark: Benchmark,
    question: Question,
    scored: Sequence[ScoredAnswer],
    answers: Sequence[Answer],
) -> QuestionResult:
    return QuestionResult(
        benchmark=benchmark.name,
        question_id=question.question_id,
        golds=question.golds,
        answers=tuple(scored),
        facets=dict(question.facets),
        depths=question.depths,
        num_prompt_tokens=max(answer.num_prompt_tokens for answer in answers),
        is_prompt_cut=any(answer.is_prompt_cut for answer in answers),
    )
