from dataclasses import replace

import pytest

from longloom.records import (
    Example,
    Reward,
    RewardRule,
    Rollout,
    RolloutGroup,
    Split,
    TaskType,
)
from longloom.training.filters import (
    GroupFilterConfig,
    StageTransitionConfig,
    filter_for_next_stage,
    filter_groups,
    has_reward_variance,
    mean_reward,
)


def group(*rewards):
    example = Example(
        example_id="e",
        task_type=TaskType.MULTI_HOP,
        ability="multi_fact",
        context_id="c",
        question="What is the base of OrderedDict?",
        answer="dict",
        reward_rule=RewardRule.COVER_EXACT_MATCH,
        program="{}",
        evidence=(),
        num_context_tokens=1,
        num_prompt_tokens=1,
        split=Split.TRAIN,
        licences=(),
        provenance=(),
    )
    rollouts = tuple(
        Rollout(
            example_id="e", rollout_index=index, policy_version=0, turns=(), final_text="", error=""
        )
        for index in range(len(rewards))
    )
    scored = tuple(Reward(value=value, reward_parts={}, extracted_answer="") for value in rewards)
    return RolloutGroup(example=example, rollouts=rollouts, rewards=scored)


MIXED, RIGHT, WRONG = group(1.0, 0.0), group(1.0, 1.0), group(0.0, 0.0)


def test_groups_of_equal_rewards_have_no_variance():
    assert [has_reward_variance(each) for each in (MIXED, RIGHT, WRONG)] == [True, False, False]


def test_mean_reward_of_a_group():
    assert mean_reward(group(1.0, 0.5, 0.0)) == pytest.approx(0.5)


def test_dynamic_sampling_drops_groups_without_variance():
    filtered = filter_groups(GroupFilterConfig(drop_zero_variance=True), [RIGHT, MIXED, WRONG])
    assert filtered.kept == (MIXED,)
    assert filtered.dropped == (RIGHT, WRONG)


def test_every_group_is_kept_by_default():
    filtered = filter_groups(GroupFilterConfig(), [RIGHT, MIXED, WRONG])
    assert filtered.kept == (RIGHT, MIXED, WRONG)
    assert filtered.dropped == ()


REWARDS = {"never": 0.0, "half": 0.5, "nearly": 0.95, "always": 1.0}


def test_stage_transition_drops_what_is_always_right_and_keeps_what_never_is():
    transition = filter_for_next_stage(StageTransitionConfig(), REWARDS)
    assert transition.kept == ("never", "half", "nearly")
    assert transition.too_easy == ("always",)
    assert transition.too_hard == ()


def test_stage_transition_drops_the_hardest_by_choice_and_moves_the_easy_limit():
    config = StageTransitionConfig(keep_zero_accuracy=False, too_easy_mean_reward=0.9)
    transition = filter_for_next_stage(config, REWARDS)
    assert transition.kept == ("half",)
    assert transition.too_easy == ("nearly", "always")
    assert transition.too_hard == ("never",)


def test_a_length_penalty_makes_no_variance_of_equal_dense_rewards():
    plain = group(1 / 3, 1 / 3)
    penalised = Reward(value=1 / 3 - 0.1, reward_parts={"overlong": -0.1}, extracted_answer="")
    assert not has_reward_variance(replace(plain, rewards=(plain.rewards[0], penalised)))
