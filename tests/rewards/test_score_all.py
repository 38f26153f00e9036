import asyncio

import pytest

from longloom.errors import RewardError
from longloom.records import Example, Reward, RewardRule, Rollout, Split, TaskType
from longloom.rewards import score_all


def example(example_id):
    return Example(
        example_id=example_id,
        task_type=TaskType.MULTI_HOP,
        ability="multi_fact",
        context_id="c",
        question="q",
        answer="a",
        reward_rule=RewardRule.COVER_EXACT_MATCH,
        program="{}",
        evidence=(),
        num_context_tokens=1,
        num_prompt_tokens=1,
        split=Split.TRAIN,
        licences=(),
        provenance=(),
    )


def rollout(example_id):
    return Rollout(
        example_id=example_id,
        rollout_index=0,
        policy_version=0,
        turns=(),
        final_text="",
        error="",
    )


EXAMPLES = [example(name) for name in "abc"]
ROLLOUTS = [rollout(name) for name in "abc"]


def test_scores_overlap_and_come_back_in_order():
    all_started = asyncio.Event()
    num_started = 0

    async def score(attempt, asked):
        # Returns only once every score has begun: a serial loop would never end.
        nonlocal num_started
        num_started += 1
        if num_started == len(ROLLOUTS):
            all_started.set()
        await asyncio.wait_for(all_started.wait(), timeout=10)
        return Reward(value=0.0, reward_parts={}, extracted_answer=asked.example_id)

    rewards = score_all(score, ROLLOUTS, EXAMPLES)
    assert [reward.extracted_answer for reward in rewards] == ["a", "b", "c"]


def test_judge_outage_reaches_the_caller():
    async def score(attempt, asked):
        raise RewardError("the judge could not be asked")

    with pytest.raises(RewardError, match="could not be asked"):
        score_all(score, ROLLOUTS, EXAMPLES)
