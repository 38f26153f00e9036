"""Score a rollout: a rule first, a judge only where the rule fails.

Flow: `extraction` takes the answer out of the response, `rules` compares it with the ground truth
by the example's own rule, `judge` asks a language model whether two answers are the same, `hybrid`
takes the larger of the two, and `overlong` subtracts a penalty near the length limit
(QwenLong-L1, section 2.4; QwenLong-L1.5, section 5.1).

Nothing a model wrote is executed, every rule has a bounded cost, and a judge that cannot be
reached is an error, never a zero. This room knows no tensors.

`endpoint_judge` speaks to the judge over HTTP; it is imported by whoever opens one.

Read `hybrid.py`, `extraction.py`, `rules.py`.
"""

from longloom.rewards.batch import ScoreFunction, score_all
from longloom.rewards.extraction import extract_answer, extract_choice, visible_text
from longloom.rewards.hybrid import RewardConfig, hybrid_reward, rule_reward, score_rollout
from longloom.rewards.judge import Judge, PromptJudge, Verdict, judge_prompt, parse_verdict
from longloom.rewards.judge_config import JudgeConfig
from longloom.rewards.overlong import OverlongConfig, overlong_penalty, with_overlong_penalty
from longloom.rewards.rules import (
    choice_match,
    cover_exact_match,
    normalize_answer,
    numeric_match,
    parse_number,
    sequence_ratio,
)

__all__ = [
    "Judge",
    "JudgeConfig",
    "OverlongConfig",
    "PromptJudge",
    "RewardConfig",
    "ScoreFunction",
    "Verdict",
    "choice_match",
    "cover_exact_match",
    "extract_answer",
    "extract_choice",
    "hybrid_reward",
    "judge_prompt",
    "normalize_answer",
    "numeric_match",
    "overlong_penalty",
    "parse_number",
    "parse_verdict",
    "rule_reward",
    "score_all",
    "score_rollout",
    "sequence_ratio",
    "visible_text",
    "with_overlong_penalty",
]
