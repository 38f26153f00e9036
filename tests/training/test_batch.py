from dataclasses import replace

import pytest

from longloom.records import Reward, TaskType
from longloom.training.advantage_config import AdvantageConfig
from longloom.training.aepo_config import AepoConfig
from longloom.training.batch import prepare_batch
from longloom.training.entropy_control import AepoState
from longloom.training.filters import GroupFilterConfig
from longloom.training.loss_config import LossConfig
from longloom.training.negative_clipping_config import NegativeClippingConfig
from longloom.training.stage import TrainingConfig
from questions import make_group, make_rollout, make_turn

CONFIG = TrainingConfig(
    num_steps=1,
    group_size=2,
    advantage=AdvantageConfig(kind="mean_only"),
    aepo=AepoConfig(enabled=False),
)


def advantages(batch):
    return [sequence.advantages for update in batch.updates for sequence in update.sequences]


def sizes(batch):
    """Return tokens and sequences that the loss of the one update divides by."""
    (update,) = batch.updates
    return update.denominators.num_tokens, update.denominators.num_sequences


def test_every_call_of_a_rollout_carries_its_rollouts_advantage():
    rollouts = [
        make_rollout(make_turn((1, 2, 3)), make_turn((4,)), make_turn((5, 6))),
        make_rollout(make_turn((7,))),
    ]
    batch = prepare_batch(CONFIG, [make_group([1.0, 0.0], rollouts)], AepoState())
    assert advantages(batch) == [(0.5,) * 3, (0.5,), (0.5,) * 2, (-0.5,)]
    assert sizes(batch) == (7, 4)


def test_long_rollouts_do_not_weigh_more_in_the_statistics():
    long = make_rollout(*[make_turn((1,)) for _ in range(20)])
    config = CONFIG.replace(advantage=AdvantageConfig(kind="group_std"))
    batch = prepare_batch(
        config, [make_group([1.0, 0.0], [long, make_rollout(make_turn())])], AepoState()
    )
    # mean 0.5, std sqrt(0.5): the 20 calls count once.
    assert advantages(batch)[0] == pytest.approx((0.7071,), abs=1e-3)
    assert advantages(batch)[-1] == pytest.approx((-0.7071,) * 2, abs=1e-3)


def test_zero_variance_groups_give_no_sequence_but_count_in_the_denominators():
    groups = [make_group([1.0, 1.0]), make_group([1.0, 0.0], example_id="f")]
    batch = prepare_batch(CONFIG, groups, AepoState())
    assert len(advantages(batch)) == 2
    assert sizes(batch) == (8, 4)
    assert batch.metrics["training/kept_fraction"] == 1.0


def test_dropped_groups_still_count_in_the_task_statistics():
    groups = [make_group([1.0, 1.0]), make_group([1.0, 0.0], example_id="f")]
    config = CONFIG.replace(
        advantage=AdvantageConfig(kind="task_std"),
        group_filter=GroupFilterConfig(drop_zero_variance=True),
    )
    batch = prepare_batch(config, groups, AepoState())
    # Task rewards 1, 1, 1, 0: unbiased std 0.5, so +-0.5 becomes +-1; alone it would be 0.707.
    assert advantages(batch) == [
        pytest.approx((1.0, 1.0), abs=1e-5),
        pytest.approx((-1.0, -1.0), abs=1e-5),
    ]
    assert sizes(batch) == (4, 2)
    assert batch.metrics["training/dropped_rollouts"] == 2.0
    assert batch.metrics["training/kept_fraction"] == 0.5


def test_a_kl_term_keeps_sequences_without_an_advantage():
    groups = [make_group([1.0, 1.0]), make_group([1.0, 0.0], example_id="f")]
    config = CONFIG.replace(loss=LossConfig(kl_coefficient=0.1))
    batch = prepare_batch(config, groups, AepoState())
    assert advantages(batch) == [(0.0,) * 2, (0.0,) * 2, (0.5,) * 2, (-0.5,) * 2]


def test_a_step_whose_rollouts_all_failed_is_skipped_and_leaves_the_latch():
    failed = [make_rollout(error="no window") for _ in range(2)]
    state = AepoState(negatives_on=False, first_entropy_nats=0.4)
    batch = prepare_batch(CONFIG, [make_group([0.0, 0.0], failed)], state)
    assert (batch.updates, batch.aepo) == ((), state)
    assert "training/entropy_nats" not in batch.metrics
    assert batch.metrics["training/kept_fraction"] == 0.0


def test_a_failed_rollout_counts_in_its_groups_mean():
    rollouts = [make_rollout(make_turn()), make_rollout(error="gone")]
    batch = prepare_batch(CONFIG, [make_group([1.0, 0.0], rollouts)], AepoState())
    assert advantages(batch) == [(0.5, 0.5)]
    assert sizes(batch)[0] == 2


def test_what_a_failed_rollout_wrote_counts_but_gives_no_gradient():
    broken = make_rollout(make_turn((1, 2, 3)), make_turn((4,)), error="the sampler is gone")
    group = make_group([1.0, 0.0], [make_rollout(make_turn((5, 6))), broken])
    batch = prepare_batch(CONFIG, [group], AepoState())
    assert advantages(batch) == [(0.5, 0.5)]  # its 0 is in the mean
    assert sizes(batch) == (6, 3)  # its calls are in the denominators
    assert batch.metrics["training/kept_fraction"] == 1.0


def test_a_kl_term_leaves_failed_rollouts_out_too():
    broken = make_rollout(make_turn((1, 2, 3)), error="gone")
    group = make_group([1.0, 0.0], [make_rollout(make_turn((5, 6))), broken])
    config = CONFIG.replace(loss=LossConfig(kl_coefficient=0.1))
    batch = prepare_batch(config, [group], AepoState())
    assert [s.response_ids for u in batch.updates for s in u.sequences] == [(5, 6)]


def test_a_group_whose_worse_rollouts_failed_still_teaches_the_better():
    rollouts = [make_rollout(make_turn((n,)), error="gone" if n > 1 else "") for n in range(4)]
    batch = prepare_batch(CONFIG, [make_group([1.0, 0.0, 0.0, 0.0], rollouts)], AepoState())
    assert advantages(batch) == [(0.75,), (-0.25,)]


AEPO = CONFIG.replace(aepo=AepoConfig(entropy_low=0.2, entropy_high=0.4))


def high_entropy_group(**changes):
    rollouts = [make_rollout(make_turn(entropy=0.6)), make_rollout(make_turn(entropy=0.4))]
    return make_group([1.0, 0.0], rollouts, **changes)


def test_negatives_are_masked_while_the_entropy_is_high():
    batch = prepare_batch(AEPO, [high_entropy_group()], AepoState())
    assert advantages(batch) == [(0.5, 0.5)]
    assert batch.aepo.negatives_on is False
    assert sizes(batch)[0] == 4  # Eq. 8 divides by masked tokens too
    assert batch.metrics["training/entropy_nats"] == pytest.approx(0.5)
    assert batch.metrics["training/negatives_on"] == 0.0
    assert batch.metrics["training/entropy_low_nats"] == pytest.approx(0.2)
    assert batch.metrics["training/entropy_high_nats"] == pytest.approx(0.4)


def test_the_latch_holds_between_the_bounds_and_opens_below():
    off = AepoState(negatives_on=False, first_entropy_nats=0.3)
    for entropy, num_sequences in ((0.3, 1), (0.1, 2)):
        rollouts = [make_rollout(make_turn(entropy=entropy)) for _ in range(2)]
        batch = prepare_batch(AEPO, [make_group([1.0, 0.0], rollouts)], off)
        assert len(advantages(batch)) == num_sequences


def test_only_kept_tokens_divide_if_so_configured():
    aepo = AepoConfig(entropy_low=0.2, entropy_high=0.4, denominator="kept_tokens")
    batch = prepare_batch(AEPO.replace(aepo=aepo), [high_entropy_group()], AepoState())
    assert sizes(batch)[0] == 2


def test_bounds_relative_to_the_first_step_are_logged_in_nats():
    aepo = AepoConfig(bounds="multiple_of_first", entropy_low=0.5, entropy_high=2.0)
    state = AepoState(first_entropy_nats=0.8)
    batch = prepare_batch(AEPO.replace(aepo=aepo), [high_entropy_group()], state)
    assert batch.metrics["training/entropy_low_nats"] == pytest.approx(0.4)
    assert batch.metrics["training/entropy_high_nats"] == pytest.approx(1.6)


def test_bounds_are_not_logged_when_entropy_control_is_off():
    batch = prepare_batch(CONFIG, [make_group([1.0, 0.0])], AepoState())
    assert not [name for name in batch.metrics if "_low_" in name or "_high_" in name]


def test_kept_fraction_is_logged_for_every_task():
    groups = [
        high_entropy_group(),
        high_entropy_group(task_type=TaskType.NUMERICAL, example_id="f"),
        make_group([0.0, 0.0], task_type=TaskType.NUMERICAL, example_id="g"),
    ]
    batch = prepare_batch(
        AEPO.replace(aepo=AepoConfig(entropy_low=0.2, entropy_high=0.3)), groups, AepoState()
    )
    assert batch.metrics["training/kept_fraction_multi_hop"] == 0.5
    assert batch.metrics["training/kept_fraction_numerical"] == 0.75
    assert batch.metrics["training/kept_fraction"] == pytest.approx(4 / 6)


def test_without_a_positive_rollout_a_masked_step_is_skipped():
    rollouts = [make_rollout(make_turn(entropy=0.9)) for _ in range(2)]
    batch = prepare_batch(AEPO, [make_group([0.0, 0.0], rollouts)], AepoState())
    assert batch.updates == ()


def test_clipped_negative_tokens_have_no_advantage_and_stay_in_the_denominator():
    config = CONFIG.replace(
        negative_clipping=NegativeClippingConfig(
            mode="sequence", threshold_kind="absolute_nats", threshold=0.5
        )
    )
    rollouts = [make_rollout(make_turn(entropy=0.9)) for _ in range(2)]
    batch = prepare_batch(config, [make_group([1.0, 0.0], rollouts)], AepoState())
    assert advantages(batch) == [(0.5, 0.5)]
    assert sizes(batch)[0] == 4
    assert batch.metrics["training/clipped_negatives_fraction"] == 1.0


@pytest.mark.parametrize(
    ("mode", "side", "kept"),
    [
        # Negatives' tokens have 0.1 0.9 and 0.3 0.5; their sequences 0.5 and 0.4.
        ("token", "high", [(True, False), (True, True)]),
        ("token", "low", [(False, True), (True, True)]),
        ("sequence", "high", [(False, False), (True, True)]),
        ("sequence", "low", [(True, True), (False, False)]),
    ],
)
def test_the_four_clipping_arms_drop_what_lies_beyond_their_threshold(mode, side, kept):
    threshold = {("token", "high"): 0.6, ("token", "low"): 0.2}.get((mode, side), 0.45)
    config = CONFIG.replace(
        group_size=3,
        negative_clipping=NegativeClippingConfig(
            mode=mode, side=side, threshold_kind="absolute_nats", threshold=threshold
        ),
    )
    turns = [make_turn((1, 2), entropy=2.0), make_turn((1, 2)), make_turn((1, 2))]
    turns[1] = replace(turns[1], entropies=(0.1, 0.9))
    turns[2] = replace(turns[2], entropies=(0.3, 0.5))
    rollouts = [make_rollout(turn) for turn in turns]
    batch = prepare_batch(config, [make_group([1.0, 0.0, 0.0], rollouts)], AepoState())
    positive, *negatives = advantages(batch)
    assert positive == pytest.approx((2 / 3, 2 / 3))
    expected = [row for row in kept if any(row)]  # a sequence of zeros is left out
    assert [tuple(value < 0 for value in row) for row in negatives] == expected
    num_clipped = sum(not is_kept for row in kept for is_kept in row)
    assert batch.metrics["training/clipped_negatives_fraction"] == num_clipped / 4


def test_mean_only_gives_every_call_of_a_trajectory_reward_minus_group_mean():
    """MemAgent: group statistics before the expansion, whatever the number of calls."""
    rollouts = [
        make_rollout(*[make_turn((1,)) for _ in range(num_calls)]) for num_calls in (1, 3, 2, 5)
    ]
    groups = [make_group([1.0, 0.5, 0.0, 0.5], rollouts)]
    config = CONFIG.replace(group_size=4)
    batch = prepare_batch(config, groups, AepoState())
    assert advantages(batch) == [(0.5,), (-0.5,), (-0.5,)]
    assert sizes(batch) == (11, 11)


@pytest.mark.parametrize("kind", ["task_std", "group_std", "batch_std", "mean_only"])
def test_advantages_of_trajectories_do_not_depend_on_their_numbers_of_calls(kind):
    config = CONFIG.replace(group_size=3, advantage=AdvantageConfig(kind=kind))

    def per_rollout(num_calls):
        rollouts = [
            make_rollout(*[make_turn((1,), prompt=(index,)) for _ in range(calls)])
            for index, calls in enumerate(num_calls)
        ]
        groups = [make_group([1.0, 0.2, 0.0], rollouts), make_group([0.5, 0.0, 0.1])]
        (update,) = prepare_batch(config, groups, AepoState()).updates
        return {s.prompt_ids: s.advantages[0] for s in update.sequences}

    assert per_rollout((1, 1, 1)) == per_rollout((4, 1, 2))


def test_sequences_too_are_counted_only_if_kept_when_so_configured():
    aepo = AepoConfig(entropy_low=0.2, entropy_high=0.4, denominator="kept_tokens")
    batch = prepare_batch(AEPO.replace(aepo=aepo), [high_entropy_group()], AepoState())
    assert sizes(batch) == (2, 1)


def test_a_task_that_the_mask_empties_is_seen_and_stays_in_the_denominator():
    """Only one whose better rollouts all failed: else a group has both signs."""
    rollouts = [make_rollout(error="no window"), make_rollout(make_turn(entropy=0.6))]
    emptied = make_group([0.0, -1.0], rollouts, task_type=TaskType.NUMERICAL, example_id="f")
    batch = prepare_batch(AEPO, [high_entropy_group(), emptied], AepoState())
    assert advantages(batch) == [(0.5, 0.5)]
    assert sizes(batch) == (6, 3)
    assert batch.metrics["training/learning_tasks"] == 1.0
    assert batch.metrics["training/kept_fraction_numerical"] == 0.5


def test_positives_outside_of_the_update_do_not_keep_it_going():
    """Rewards that differ by their length penalty alone have advantages, but are dropped."""
    rewards = [
        Reward(value=value, reward_parts={"overlong": value - 1.0}, extracted_answer="")
        for value in (1.0, 0.5)
    ]
    penalised = replace(high_entropy_group(example_id="f"), rewards=tuple(rewards))
    rollouts = [make_rollout(make_turn(entropy=0.6)), make_rollout(error="gone")]
    half = make_group([0.0, 0.4], rollouts)
    config = AEPO.replace(group_filter=GroupFilterConfig(drop_zero_variance=True))
    batch = prepare_batch(config, [penalised, half], AepoState())
    assert batch.metrics["training/dropped_rollouts"] == 2.0
    assert batch.updates == ()


def test_calls_without_tokens_are_not_sequences():
    config = CONFIG.replace(loss=LossConfig(kl_coefficient=0.1))
    rollouts = [make_rollout(make_turn(()), make_turn()), make_rollout(make_turn())]
    batch = prepare_batch(config, [make_group([1.0, 0.0], rollouts)], AepoState())
    assert sizes(batch) == (4, 2)


@pytest.mark.parametrize(("denominator", "num_learned"), [("all_tokens", 2), ("kept_tokens", 1)])
def test_a_kl_term_is_over_the_tokens_its_denominator_counts(denominator, num_learned):
    aepo = AepoConfig(entropy_low=0.2, entropy_high=0.4, denominator=denominator)
    config = AEPO.replace(aepo=aepo, loss=LossConfig(kl_coefficient=0.1))
    batch = prepare_batch(config, [high_entropy_group()], AepoState())
    assert len(advantages(batch)) == sizes(batch)[1] == num_learned


def test_with_a_kl_term_too_nothing_kept_is_nothing_to_learn():
    aepo = AepoConfig(entropy_low=0.2, entropy_high=0.4, denominator="kept_tokens")
    config = AEPO.replace(aepo=aepo, loss=LossConfig(kl_coefficient=0.1))
    rollouts = [make_rollout(make_turn(entropy=0.6)) for _ in range(2)]
    batch = prepare_batch(config, [make_group([1.0, 1.0], rollouts)], AepoState())
    assert batch.updates == ()
