"""Training a memory agent, worked by hand: trajectories of 2, 3 and 5 calls, one reward each.

Rewards 1, 0.4 and 0.1 have the mean 0.5 and the unbiased standard deviation sqrt(0.21); responses
of 3 and 1, of 2 each, and of 2 each are 4, 6 and 10 tokens of 10 calls.
"""

import pytest

from longloom.training.advantage_config import AdvantageConfig
from longloom.training.aepo_config import AepoConfig
from longloom.training.batch import prepare_batch
from longloom.training.entropy_control import AepoState
from longloom.training.loss_config import LossConfig
from longloom.training.stage import TrainingConfig
from longloom.training.updates import take_updates
from questions import make_group, make_rollout, make_turn
from training.unigram_engine import UnigramEngine

PAPER = TrainingConfig(
    num_steps=1,
    group_size=3,
    temperature=1.0,
    advantage=AdvantageConfig(kind="group_std"),
    aepo=AepoConfig(enabled=False),
)
MEMAGENT = PAPER.replace(
    advantage=AdvantageConfig(kind="mean_only"), loss=LossConfig(kl_coefficient=1e-3)
)
REWARDS = [1.0, 0.4, 0.1]
STD = 0.21**0.5
LENGTHS = ((3, 1), (2, 2, 2), (2, 2, 2, 2, 2))


def trajectories(*, example_id="e", errors=("", "", "")):
    """Return a group whose n-th rollout writes token n + 1 alone; each call has its own prompt."""
    rollouts = [
        make_rollout(
            *[
                make_turn((token,) * count, prompt=(token, call))
                for call, count in enumerate(lengths)
            ],
            example_id=example_id,
            index=token - 1,
            error=error,
        )
        for token, (lengths, error) in enumerate(zip(LENGTHS, errors, strict=True), start=1)
    ]
    return make_group(REWARDS, rollouts, example_id=example_id)


def learned(config, groups):
    """Return the advantages of each call as (rollout's token, call): values, and the sizes."""
    (update,) = prepare_batch(config, groups, AepoState()).updates
    found = {each.prompt_ids: each.advantages for each in update.sequences}
    return found, update.denominators


def assert_advantages(found, expected, lengths=LENGTHS):
    assert set(found) == {
        (token, call) for token in expected for call in range(len(lengths[token - 1]))
    }
    for (token, call), values in found.items():
        assert values == pytest.approx((expected[token],) * lengths[token - 1][call], abs=1e-5)


def test_all_calls_carry_the_group_advantage_of_their_trajectory():
    found, sizes = learned(PAPER, [trajectories()])
    assert_advantages(found, {1: 0.5 / STD, 2: -0.1 / STD, 3: -0.4 / STD})
    assert (sizes.num_tokens, sizes.num_sequences) == (20, 10)


def test_memagents_variant_subtracts_the_mean_alone():
    found, sizes = learned(MEMAGENT, [trajectories()])
    assert_advantages(found, {1: 0.5, 2: -0.1, 3: -0.4})
    assert (sizes.num_tokens, sizes.num_sequences) == (20, 10)


def test_the_kl_term_of_memagents_variant_is_over_all_calls_of_equal_trajectories_too():
    rollouts = [make_rollout(make_turn(prompt=(n, 0)), make_turn(prompt=(n, 1))) for n in (7, 8)]
    equal = make_group([1.0, 1.0], rollouts, example_id="f")
    found, sizes = learned(MEMAGENT, [trajectories(), equal])
    assert {key for key, values in found.items() if not any(values)} == {
        (7, 0), (7, 1), (8, 0), (8, 1),
    }  # fmt: skip
    assert (sizes.num_tokens, sizes.num_sequences) == (28, 14)


@pytest.mark.parametrize("config", [PAPER, MEMAGENT], ids=["paper", "memagent"])
def test_a_trajectory_that_failed_after_some_calls_counts_and_teaches_nothing(config):
    """Its reward stays in mean and std, its calls in the denominators."""
    whole, sizes = learned(config, [trajectories()])
    left, same = learned(config, [trajectories(errors=("", "", "no room in the window"))])
    assert left == {key: values for key, values in whole.items() if key[0] != 3}
    assert same == sizes


@pytest.mark.parametrize("aggregation", ["token_mean", "sequence_mean"])
def test_the_step_of_unequal_trajectories_is_the_one_worked_by_hand(aggregation):
    """From equal logits the gradient is -(w_j - sum(w) / 6), w_j the weight of token j."""
    config = PAPER.replace(loss=LossConfig(aggregation=aggregation))
    engine = UnigramEngine((0.0,) * 6)
    updates = prepare_batch(config, [trajectories()], AepoState()).updates
    take_updates(engine, config, updates, learning_rate=1.0)
    # All tokens divide: 4, 6 and 10 of 20; or all calls do: 2, 3 and 5 of 10.
    shares = (4 / 20, 6 / 20, 10 / 20) if aggregation == "token_mean" else (0.2, 0.3, 0.5)
    advantages = (0.5 / STD, -0.1 / STD, -0.4 / STD)
    weights = [share * value for share, value in zip(shares, advantages, strict=True)]
    expected = [weight - sum(weights) / 6 for weight in (0, *weights, 0, 0)]
    assert engine.logits.tolist() == pytest.approx(expected, abs=1e-5)


def test_each_of_several_updates_has_whole_trajectories_and_divides_by_its_own_calls():
    groups = [trajectories(example_id=f"e{number}") for number in range(4)]
    updates = prepare_batch(PAPER.replace(updates_per_batch=2), groups, AepoState()).updates
    assert [len(update.sequences) for update in updates] == [20, 20]
    for update in updates:
        assert (update.denominators.num_tokens, update.denominators.num_sequences) == (40, 20)


def test_statistics_of_a_group_know_nothing_of_another_groups_calls():
    longer = make_group(
        [0.0, 1.0],
        [make_rollout(*[make_turn(prompt=(8, n)) for n in range(50)], example_id="f")] * 2,
        example_id="f",
    )
    alone, _ = learned(PAPER, [trajectories()])
    beside, _ = learned(PAPER, [trajectories(), longer])
    assert {key: values for key, values in beside.items() if key[0] != 8} == alone
