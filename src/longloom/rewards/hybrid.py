"""The reward of a rollout: r = max(rule, judge), the judge only where the rule fails.

QwenLong-L1.5, section 5.1. Unfinished thinking and a missing answer score 0 without a judge.
Verbatim replies have a dense reward in [0, 1] and are never judged. There is no format reward.
"""

from dataclasses import replace
from typing import Literal, Self

from longloom.config import FrozenConfig
from longloom.errors import DataError
from longloom.records import Example, Reward, RewardRule, Rollout
from longloom.rewards.extraction import (
    extract_answer,
    extract_choice,
    sequence_candidates,
)
from longloom.rewards.judge import Judge, Verdict
from longloom.rewards.overlong import OverlongConfig, with_overlong_penalty
from longloom.rewards.rules import (
    NUMERIC_SCALES,
    choice_match,
    cover_exact_match,
    numeric_match,
    sequence_ratio,
)


class RewardConfig(FrozenConfig):
    """How rollouts are scored."""

    cover_match: Literal["substring", "whole_words"] = "substring"
    """Whether a gold answer may be part of a longer word, as in the paper. Where names contain
    each other (`dict`, `OrderedDict`) whole words keep wrong answers from scoring."""
    numeric_scales: tuple[int, ...] = NUMERIC_SCALES
    """Factors by which a number may be off: percent, thousand, million, billion. Empty: none."""
    requires_thinking: bool = True
    """Whether an answer counts only behind a closed `</think>`, as in the papers. Turn it off for
    models that do not think; thinking that was begun must still end."""
    overlong: OverlongConfig = OverlongConfig()
    """Penalty near the length limit."""

    def for_limit(self, limit_tokens: int) -> Self:
        """Return how answers that are cut at `limit_tokens` are scored.

        Raises:
            ConfigError: see `OverlongConfig.for_limit`.
        """
        return self.replace(overlong=self.overlong.for_limit(limit_tokens))


DEFAULT_REWARD_CONFIG = RewardConfig()


async def score_rollout(
    rollout: Rollout,
    example: Example,
    *,
    config: RewardConfig = DEFAULT_REWARD_CONFIG,
    judge: Judge | None = None,
) -> Reward:
    """Return the reward of one rollout.

    A failed rollout scores 0 and is marked by the part `failed`. The length penalty looks at the
    last turn, which holds the answer.

    Raises:
        DataError: the rollout is of another example.
        RewardError: the judge was needed and could not be asked.
    """
    if rollout.example_id != example.example_id:
        raise DataError(
            f"rollout of example {rollout.example_id} was scored against {example.example_id}; "
            "expected the same example; keep rollouts with their example"
        )
    if rollout.error:
        return Reward(value=0.0, reward_parts={"rule": 0.0, "failed": 1.0}, extracted_answer="")
    reward = await hybrid_reward(example, rollout.final_text, config=config, judge=judge)
    num_response_tokens = len(rollout.turns[-1].response_ids) if rollout.turns else 0
    return with_overlong_penalty(reward, num_response_tokens, config.overlong)


async def hybrid_reward(
    example: Example,
    final_text: str,
    *,
    config: RewardConfig = DEFAULT_REWARD_CONFIG,
    judge: Judge | None = None,
) -> Reward:
    """Return max(rule, judge) for a response, without any length penalty.

    Raises:
        RewardError: the judge was needed and could not be asked.
    """
    reward = rule_reward(example, final_text, config=config)
    is_decided = reward.value >= 1 or example.reward_rule is RewardRule.SEQUENCE_MATCH
    if judge is None or is_decided or not reward.extracted_answer:
        return reward
    verdict = await judge.verdict(example.question, reward.extracted_answer, example.answer)
    if verdict is Verdict.REFUSED:
        return replace(reward, reward_parts={**reward.reward_parts, "judge_refused": 1.0})
    judged = float(verdict is Verdict.YES)
    unclear = {"judge_unparsable": 1.0} if verdict is Verdict.UNCLEAR else {}
    return replace(
        reward,
        value=max(reward.value, judged),
        reward_parts={**reward.reward_parts, "judge": judged, **unclear},
    )


def rule_reward(
    example: Example, final_text: str, *, config: RewardConfig = DEFAULT_REWARD_CONFIG
) -> Reward:
    """Return the reward of a response by the example's own rule alone."""
    thinks = config.requires_thinking
    if example.reward_rule is RewardRule.SEQUENCE_MATCH:
        return _sequence_reward(example, sequence_candidates(final_text, requires_thinking=thinks))
    answer = extract_answer(final_text, requires_thinking=thinks)
    match example.reward_rule:
        case RewardRule.CHOICE:
            letter = extract_choice(final_text, requires_thinking=thinks)
            return _reward(choice_match(letter, example.answer), letter or answer)
        case RewardRule.NUMERIC:
            return _reward(_is_same_number(answer, example.answer, config), answer)
        case RewardRule.COVER_EXACT_MATCH:
            return _reward(_is_covered(answer, example.answer, config), answer)


def _sequence_reward(example: Example, candidates: tuple[str, ...]) -> Reward:
    if not candidates:
        return _reward(0.0, None)
    ratios = [sequence_ratio(candidate, example.answer) for candidate in candidates]
    best = max(range(len(ratios)), key=ratios.__getitem__)
    return _reward(ratios[best], candidates[best])


def _is_same_number(answer: str | None, gold: str, config: RewardConfig) -> bool:
    if answer is None:
        return False
    is_same = numeric_match(answer, gold, scales=config.numeric_scales)
    return _is_covered(answer, gold, config) if is_same is None else is_same


def _is_covered(answer: str | None, gold: str, config: RewardConfig) -> bool:
    whole_words = config.cover_match == "whole_words"
    return answer is not None and cover_exact_match(answer, gold, whole_words=whole_words)


def _reward(value: float | bool, extracted_answer: str | None) -> Reward:
    return Reward(
        value=float(value),
        reward_parts={"rule": float(value)},
        extracted_answer=extracted_answer or "",
    )
