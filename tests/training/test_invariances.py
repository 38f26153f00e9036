"""What must not change what is learned: order, padding, cuts, and the scale of rewards."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from longloom.training.advantage_config import AdvantageConfig
from longloom.training.advantages import compute_advantages
from longloom.training.aepo_config import AepoConfig
from longloom.training.batch import prepare_batch
from longloom.training.entropy_control import AepoState, batch_entropy, update_latch
from longloom.training.loss_config import LossConfig, LossDenominators
from longloom.training.losses import policy_gradient_loss
from longloom.training.negative_clipping import negative_keep_mask
from longloom.training.negative_clipping_config import NegativeClippingConfig
from longloom.training.stage import TrainingConfig
from questions import make_group, make_rollout, make_turn

KINDS = st.sampled_from(["task_std", "group_std", "batch_std", "mean_only"])
REWARDS = st.lists(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=3, max_size=3), min_size=2, max_size=5
)


def advantages_of(rewards, kind, *, order=None, epsilon=1e-6):
    """Return advantages [B] in the first order, computed in another; tasks alternate by group."""
    group_ids = torch.arange(len(rewards)).repeat_interleave(3)
    order = torch.arange(len(group_ids)) if order is None else order
    values = torch.tensor(rewards, dtype=torch.float64).flatten()
    config = AdvantageConfig(kind=kind, epsilon=epsilon)
    found = compute_advantages(config, values[order], group_ids[order], group_ids[order] % 2)
    return torch.empty_like(found).index_copy(0, order, found)


@given(rewards=REWARDS, kind=KINDS, seed=st.integers(0, 9))
def test_the_order_of_rollouts_does_not_matter(rewards, kind, seed):
    order = torch.randperm(3 * len(rewards), generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(
        advantages_of(rewards, kind, order=order), advantages_of(rewards, kind)
    )


@given(
    rewards=REWARDS, kind=KINDS, scale=st.sampled_from([0.1, 3.0, 100.0]), shift=st.floats(-2, 2)
)
def test_advantages_divided_by_a_deviation_do_not_depend_on_the_scale(rewards, kind, scale, shift):
    scaled = [[reward * scale + shift for reward in group] for group in rewards]
    expected = advantages_of(rewards, kind, epsilon=1e-12)
    if kind == "mean_only":
        expected = expected * scale
    found = advantages_of(scaled, kind, epsilon=1e-12)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


@given(rewards=REWARDS, kind=KINDS)
def test_advantages_of_a_group_sum_to_zero(rewards, kind):
    found = advantages_of(rewards, kind).view(-1, 3)
    assert found.sum(1).tolist() == pytest.approx([0.0] * len(rewards), abs=1e-5)


@given(rewards=REWARDS, seed=st.integers(0, 9), updates=st.integers(1, 2))
def test_the_order_of_groups_does_not_change_the_sequences(rewards, seed, updates):
    config = TrainingConfig(num_steps=1, group_size=3, updates_per_batch=updates)
    groups = [
        make_group(
            values,
            [make_rollout(make_turn((n, k), prompt=(n, k), entropy=0.1 * k)) for k in range(3)],
            example_id=f"e{n}",
        )
        for n, values in enumerate(rewards)
    ]
    order = torch.randperm(len(groups), generator=torch.Generator().manual_seed(seed)).tolist()

    def learned(some):
        batch = prepare_batch(config, some, AepoState())
        found = {s.prompt_ids: s.advantages for update in batch.updates for s in update.sequences}
        return found, batch.aepo

    (found, state), (shuffled, other) = learned(groups), learned([groups[n] for n in order])
    assert found.keys() == shuffled.keys()
    assert all(shuffled[key] == pytest.approx(found[key], abs=1e-5) for key in found)
    assert other.negatives_on == state.negatives_on
    assert other.first_entropy_nats == pytest.approx(state.first_entropy_nats)


def random_tokens(seed, num_tokens=24):
    generator = torch.Generator().manual_seed(seed)
    logprobs, old, advantages = torch.randn(3, num_tokens, generator=generator, dtype=torch.float64)
    lengths = torch.tensor([1, 2, 5, 6, 10]).repeat_interleave(torch.tensor([1, 2, 5, 6, 10]))
    return logprobs - 2, old - 2, advantages, lengths


@given(
    seed=st.integers(0, 20),
    cuts=st.sets(st.integers(1, 23), max_size=5),
    aggregation=st.sampled_from(["token_mean", "sequence_mean"]),
)
def test_losses_and_gradients_of_micro_batches_add_up(seed, cuts, aggregation):
    logprobs, old, advantages, lengths = random_tokens(seed)
    sizes = LossDenominators(num_tokens=30, num_sequences=5)
    config = LossConfig(aggregation=aggregation)

    def loss_and_gradient(edges):
        leaf = logprobs.clone().requires_grad_()
        total, clipped = 0.0, 0.0
        for start, end in pairwise(edges):
            part = slice(start, end)
            loss, metrics = policy_gradient_loss(
                leaf[part],
                old[part],
                advantages[part],
                config,
                sizes,
                sequence_tokens=lengths[part],
            )
            loss.backward()
            total += loss.item()
            clipped += metrics["training/clipped_fraction"].item()
        return [total, clipped, *leaf.grad.tolist()]

    whole = loss_and_gradient([0, 24])
    assert loss_and_gradient([0, *sorted(cuts), 24]) == pytest.approx(whole, abs=1e-12)


@given(seed=st.integers(0, 20), aggregation=st.sampled_from(["token_mean", "sequence_mean"]))
def test_a_packed_loss_is_that_of_padded_rows_whatever_the_padding_holds(seed, aggregation):
    logprobs, old, advantages, lengths = random_tokens(seed)
    packed, _ = policy_gradient_loss(
        logprobs,
        old,
        advantages,
        LossConfig(aggregation=aggregation),
        LossDenominators(num_tokens=24, num_sequences=5),
        sequence_tokens=lengths,
    )
    rows = torch.tensor([1, 2, 5, 6, 10])
    mask = torch.arange(13)[None] < rows[:, None]
    padded = torch.full((3, 5, 13), 77.0, dtype=torch.float64)
    padded[:, mask] = torch.stack([logprobs, old, advantages])
    ratio = (padded[0] - padded[1]).exp()
    gain = torch.minimum(ratio * padded[2], ratio.clamp(0.8, 1.2) * padded[2])
    gain = torch.where(mask, gain, 0.0)
    by_row = (gain.sum(1) / rows).mean()
    expected = -(gain.sum() / 24 if aggregation == "token_mean" else by_row)
    assert packed.item() == pytest.approx(expected.item())


@given(
    rows=st.lists(st.lists(st.floats(0, 3), min_size=1, max_size=4), min_size=1, max_size=5),
    seed=st.integers(0, 9),
)
def test_batch_entropy_has_no_regard_to_order_or_empty_sequences(rows, seed):
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed)).tolist()
    for aggregation in ("sequence_mean", "token_mean"):
        expected = batch_entropy(rows, aggregation)
        shuffled = [*(rows[n] for n in order), []]
        assert batch_entropy(shuffled, aggregation) == pytest.approx(expected)


@given(
    seed=st.integers(0, 30),
    mode=st.sampled_from(["token", "sequence"]),
    side=st.sampled_from(["high", "low"]),
    kind=st.sampled_from(["absolute_nats", "quantile"]),
)
def test_clipping_has_no_regard_to_order_and_never_touches_what_is_not_negative(
    seed, mode, side, kind
):
    generator = torch.Generator().manual_seed(seed)
    entropies = torch.rand(24, generator=generator)
    sequence_ids = torch.arange(8).repeat_interleave(3)
    advantages = torch.randint(-1, 2, (8,), generator=generator)[sequence_ids].float()
    config = NegativeClippingConfig(mode=mode, side=side, threshold_kind=kind, threshold=0.5)
    keep = negative_keep_mask(entropies, advantages, sequence_ids, config)
    assert bool(keep[advantages >= 0].all())
    order = torch.randperm(24, generator=generator)
    shuffled = negative_keep_mask(
        entropies[order], advantages[order], sequence_ids[order] + 5, config
    )
    if mode == "token":
        assert shuffled.tolist() == keep[order].tolist()
    else:  # a sequence's mean may round otherwise in another order; whole sequences go together
        for number in range(8):
            assert len(set(keep[sequence_ids == number].tolist())) == 1


@given(low=st.floats(0.1, 0.4), width=st.floats(0.1, 0.5), seed=st.integers(0, 30))
def test_the_latch_changes_only_beyond_its_bounds(low, width, seed):
    config = AepoConfig(entropy_low=low, entropy_high=low + width)
    state = AepoState()
    for entropy in torch.rand(30, generator=torch.Generator().manual_seed(seed)).tolist():
        after = update_latch(state, entropy, config)
        if entropy > low + width:
            assert not after.negatives_on
        elif entropy < low:
            assert after.negatives_on
        else:
            assert after.negatives_on == state.negatives_on
        state = after
