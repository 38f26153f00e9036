import pytest
import torch

from longloom.training.aepo_config import AepoConfig
from longloom.training.batch import prepare_batch
from longloom.training.entropy_control import AepoState
from longloom.training.loss_config import LossConfig
from longloom.training.stage import TrainingConfig
from longloom.training.updates import take_updates
from questions import make_group, make_rollout, make_turn
from training.stages import CONFIG, recorder, train
from training.unigram_engine import UnigramEngine

SETTINGS = TrainingConfig(
    num_steps=1, group_size=2, temperature=1.0, aepo=AepoConfig(enabled=False), updates_per_batch=3
)


def group(number, *, length=2, entropy=0.5):
    rollouts = [
        make_rollout(make_turn((1,) * length, entropy=entropy), example_id=f"e{number}"),
        make_rollout(make_turn((2,) * length, entropy=entropy), example_id=f"e{number}"),
    ]
    return make_group([1.0, 0.0], rollouts, example_id=f"e{number}")


def updates_of(groups, config=SETTINGS, key="k"):
    return prepare_batch(config, groups, AepoState(), key=key).updates


def test_a_batch_is_cut_into_updates_of_whole_groups():
    groups = [group(number, length=number + 1) for number in range(7)]
    updates = updates_of(groups)
    lengths = [sorted({len(s.response_ids) for s in update.sequences}) for update in updates]
    assert [len(own) for own in lengths] == [2, 2, 3]
    assert sorted(length for own in lengths for length in own) == list(range(1, 8))
    for update, own in zip(updates, lengths, strict=True):
        # Its own denominators: both rollouts of each group.
        assert update.denominators.num_tokens == 2 * sum(own)
        assert update.denominators.num_sequences == 2 * len(own)


def test_the_key_decides_which_groups_learn_together():
    groups = [group(number, length=number + 1) for number in range(6)]
    assert updates_of(groups) == updates_of(groups)
    assert updates_of(groups, key="other") != updates_of(groups)


def test_one_update_keeps_the_drawn_order():
    groups = [group(number, length=number + 1) for number in range(6)]
    (update,) = updates_of(groups, SETTINGS.replace(updates_per_batch=1))
    assert [len(s.response_ids) for s in update.sequences] == [n for n in range(1, 7) for _ in "ab"]


def test_advantages_are_of_the_whole_batch_however_it_is_cut():
    groups = [group(0), make_group([1.0, 1.0], example_id="same"), group(2)]

    def advantages(updates_per_batch):
        config = SETTINGS.replace(updates_per_batch=updates_per_batch)
        return sorted(s.advantages for u in updates_of(groups, config) for s in u.sequences)

    # Task rewards 1 0 1 1 1 0: unbiased std sqrt(4/15); 0.5 / that is 0.968.
    assert advantages(1) == advantages(3)
    assert advantages(3)[-1] == pytest.approx((0.968, 0.968), abs=1e-3)


def test_parts_without_a_gradient_take_no_step():
    groups = [make_group([1.0, 1.0], example_id=f"same{n}") for n in range(2)]
    assert len(updates_of([*groups, group(2)])) == 1


def test_fewer_groups_than_updates_take_a_step_each():
    assert len(updates_of([group(0), group(1)])) == 2


def test_later_updates_compare_with_the_policy_before_the_first():
    engine = UnigramEngine()
    before = engine.logprobs(1.0).tolist()
    metrics = take_updates(
        engine, SETTINGS, updates_of([group(n) for n in range(3)]), learning_rate=2.0
    )
    first, *later = [update for update, _ in engine.updates]
    assert {sequence.old_logprobs for sequence in first.sequences} == {None}
    assert len(later) == 2
    for update in later:
        for sequence in update.sequences:
            expected = tuple(before[token] for token in sequence.response_ids)
            assert sequence.old_logprobs == expected
    # The first ratio is 1; at this rate the others are clipped somewhere.
    assert metrics["training/clipped_fraction"] > 0
    assert metrics["training/importance_ratio_mean"] != pytest.approx(1.0, abs=1e-3)


def test_several_updates_are_those_of_the_loss_worked_alone():
    """Two updates of one group each against the same worked with autograd alone."""
    groups = [group(0), group(1)]
    config = SETTINGS.replace(updates_per_batch=2, loss=LossConfig(clip_low=0.1, clip_high=0.1))
    engine = UnigramEngine()
    logits = engine.logits.clone()
    batches = updates_of(groups, config)
    take_updates(engine, config, batches, learning_rate=1.0)

    old = torch.log_softmax(logits, 0)
    momentum = torch.zeros(6, dtype=torch.float64)
    for number, batch in enumerate(batches):
        leaf = logits.clone().requires_grad_()
        now = torch.log_softmax(leaf, 0)
        loss = 0
        for sequence in batch.sequences:
            for token, advantage in zip(sequence.response_ids, sequence.advantages, strict=True):
                ratio = (now[token] - (old[token] if number else now[token].detach())).exp()
                gain = torch.minimum(ratio * advantage, ratio.clamp(0.9, 1.1) * advantage)
                loss = loss - gain / 4  # 2 rollouts of 2 tokens
        loss.backward()
        momentum = 0.9 * momentum + leaf.grad
        logits = logits - momentum
    assert engine.logits.tolist() == pytest.approx(logits.tolist(), abs=1e-12)


def test_figures_of_the_ratio_are_means_over_the_tokens_learned_from():
    # Negatives are off: half of the tokens are masked and still in the denominator.
    config = SETTINGS.replace(
        updates_per_batch=1, aepo=AepoConfig(entropy_low=0.1, entropy_high=0.2)
    )
    metrics = take_updates(
        UnigramEngine(), config, updates_of([group(0)], config), learning_rate=1.0
    )
    assert metrics["training/importance_ratio_mean"] == pytest.approx(1.0)


def test_a_stage_takes_several_steps_per_batch(tmp_path):
    engine, log = UnigramEngine(), {}
    config = CONFIG.replace(updates_per_batch=2, aepo=AepoConfig(enabled=False))
    train(tmp_path, config, recorder(log), engine=engine)
    assert len(engine.updates) == sum(log[step]["training/updates"] for step in log)
    assert max(log[step]["training/updates"] for step in log) == 2.0


def test_the_shift_of_the_policy_is_a_mean_over_the_tokens_learned_from():
    """Of two updates only the second has moved; masked tokens are not in the mean."""
    engine = UnigramEngine()
    config = SETTINGS.replace(
        updates_per_batch=2, aepo=AepoConfig(entropy_low=0.1, entropy_high=0.2)
    )
    before = engine.logprobs(1.0)
    batches = updates_of([group(0), group(1)], config)
    moved = UnigramEngine()
    take_updates(moved, config, batches[:1], learning_rate=1.0)
    shifts = before - moved.logprobs(1.0)
    learned = [token for sequence in batches[1].sequences for token in sequence.response_ids]
    metrics = take_updates(engine, config, batches, learning_rate=1.0)
    expected = (0.0 + float(shifts[learned].mean())) / 2
    assert metrics["training/policy_shift_nats"] == pytest.approx(expected)
