import asyncio

import pytest

from longloom.errors import DataError, RewardError
from longloom.records import (
    FinishReason,
    RewardRule,
    Rollout,
    Turn,
)
from longloom.rewards import (
    OverlongConfig,
    PromptJudge,
    RewardConfig,
    hybrid_reward,
    rule_reward,
    score_rollout,
)
from questions import make_example


def example(rule, answer):
    question = "What is the module of the base of OrderedDict?"
    return make_example(question=question, answer=answer, reward_rule=rule)


COVER = example(RewardRule.COVER_EXACT_MATCH, "builtins")
CHOICE = example(RewardRule.CHOICE, "B")
NUMERIC = example(RewardRule.NUMERIC, "2")
SEQUENCE = example(RewardRule.SEQUENCE_MATCH, "bcde")


def says(text):
    return f"base OrderedDict dict</think>\n\n{text}"


def rollout(final_text, *, error="", num_response_tokens=3):
    turn = Turn(
        prompt_ids=(1,),
        response_ids=(2,) * num_response_tokens,
        rollout_logprobs=(0.0,) * num_response_tokens,
        entropies=(0.0,) * num_response_tokens,
        finish_reason=FinishReason.STOP,
        prompt_text="",
        response_text=final_text,
    )
    return Rollout(
        example_id="e",
        rollout_index=0,
        policy_version=0,
        turns=(turn,),
        final_text=final_text,
        error=error,
    )


class Verdicts:
    """A judge that answers from a script and remembers what it was asked."""

    def __init__(self, verdict):
        self.reply = "[[YES]]" if verdict else "[[NO]]"
        self.num_calls = 0
        self.judge = PromptJudge(self._ask)

    async def _ask(self, prompt):
        self.num_calls += 1
        return self.reply


@pytest.mark.parametrize(
    ("asked", "text", "value", "extracted"),
    [
        (COVER, "Therefore, the answer is builtins", 1.0, "builtins"),
        (COVER, "Therefore, the answer is collections", 0.0, "collections"),
        (COVER, "builtins", 0.0, ""),
        (CHOICE, "Therefore, the correct answer is B", 1.0, "B"),
        (CHOICE, "Therefore, the correct answer is C", 0.0, "C"),
        (CHOICE, "Therefore, the correct answer is unclear", 0.0, "unclear"),
        (NUMERIC, "Therefore, the answer is 2.0", 1.0, "2.0"),
        (NUMERIC, "Therefore, the answer is 3", 0.0, "3"),
        (SEQUENCE, "Therefore, the answer is abcd", 0.75, "abcd"),
        (SEQUENCE, "abcd", 0.75, "abcd"),
        (SEQUENCE, "", 0.0, ""),
    ],
)
def test_each_rule_scores_its_own_answers(asked, text, value, extracted):
    reward = rule_reward(asked, says(text))
    assert reward.value == pytest.approx(value)
    assert reward.reward_parts == {"rule": pytest.approx(value)}
    assert reward.extracted_answer == extracted


@pytest.mark.parametrize("asked", [COVER, CHOICE, NUMERIC, SEQUENCE])
def test_unfinished_thinking_scores_nothing_and_is_not_judged(asked):
    verdicts = Verdicts(True)
    text = f"so the answer is {asked.answer}"
    assert asyncio.run(hybrid_reward(asked, text, judge=verdicts.judge)).value == 0
    assert verdicts.num_calls == 0


def test_numeric_example_with_a_worded_answer_falls_back_to_containment():
    asked = example(RewardRule.NUMERIC, "heapq")
    assert rule_reward(asked, says("the answer is heapq")).value == 1


def test_config_reaches_the_rules():
    strict = RewardConfig(cover_match="whole_words", numeric_scales=())
    longer = says("the answer is mybuiltins")
    assert rule_reward(COVER, longer).value == 1
    assert rule_reward(COVER, longer, config=strict).value == 0
    assert rule_reward(NUMERIC, says("the answer is 200")).value == 1
    assert rule_reward(NUMERIC, says("the answer is 200"), config=strict).value == 0


def test_judge_is_asked_only_where_the_rule_fails():
    verdicts = Verdicts(True)
    right = asyncio.run(hybrid_reward(COVER, says("the answer is builtins"), judge=verdicts.judge))
    assert verdicts.num_calls == 0
    assert right.reward_parts == {"rule": 1.0}
    other = asyncio.run(
        hybrid_reward(COVER, says("the answer is the built-in module"), judge=verdicts.judge)
    )
    assert verdicts.num_calls == 1
    assert other.value == 1.0
    assert other.reward_parts == {"rule": 0.0, "judge": 1.0}


def test_judge_that_says_no_leaves_zero():
    reward = asyncio.run(hybrid_reward(COVER, says("the answer is x"), judge=Verdicts(False).judge))
    assert reward.value == 0
    assert reward.reward_parts == {"rule": 0.0, "judge": 0.0}


def test_dense_rewards_are_never_judged():
    verdicts = Verdicts(True)
    reward = asyncio.run(hybrid_reward(SEQUENCE, says("abcd"), judge=verdicts.judge))
    assert reward.value == pytest.approx(0.75)
    assert verdicts.num_calls == 0


def test_judge_outage_is_an_error_never_a_zero():
    async def ask(prompt):
        raise TimeoutError("60 s")

    with pytest.raises(RewardError, match="TimeoutError"):
        asyncio.run(score_rollout(rollout(says("the answer is x")), COVER, judge=PromptJudge(ask)))


def test_failed_rollout_scores_zero_and_says_so():
    reward = asyncio.run(score_rollout(rollout("", error="window exceeded"), COVER))
    assert reward.value == 0
    assert reward.reward_parts == {"rule": 0.0, "failed": 1.0}


def test_length_penalty_counts_the_answer_turn():
    config = RewardConfig(
        overlong=OverlongConfig(enabled=True, max_response_tokens=10, buffer_tokens=4)
    )
    long_answer = rollout(says("the answer is builtins"), num_response_tokens=8)
    reward = asyncio.run(score_rollout(long_answer, COVER, config=config))
    assert reward.value == pytest.approx(0.5)
    assert reward.reward_parts == {"rule": 1.0, "overlong": -0.5}


def test_rollout_of_another_example_is_refused():
    stranger = example(RewardRule.CHOICE, "B")
    with pytest.raises(DataError, match="same example"):
        asyncio.run(
            score_rollout(
                Rollout(
                    example_id="f",
                    rollout_index=0,
                    policy_version=0,
                    turns=(),
                    final_text="",
                    error="",
                ),
                stranger,
            )
        )
