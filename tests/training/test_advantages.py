import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from longloom.training.advantage_config import AdvantageConfig
from longloom.training.advantages import (
    batch_std_advantages,
    compute_advantages,
    group_mean_std_advantages,
    mean_only_advantages,
    task_std_advantages,
)

KINDS = ("batch_std", "group_std", "mean_only", "task_std")

# Three groups of two: rewards 1 0 | 1 1 | 0.5 0; tasks 0 0 1.
REWARDS = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.5, 0.0], dtype=torch.float64)
GROUPS = torch.tensor([0, 0, 1, 1, 2, 2])
TASKS = torch.tensor([0, 0, 0, 0, 1, 1])
CENTRED = [0.5, -0.5, 0.0, 0.0, 0.25, -0.25]


def test_mean_only_subtracts_the_group_mean():
    assert mean_only_advantages(REWARDS, GROUPS).tolist() == CENTRED


def test_group_std_divides_by_the_unbiased_std_of_the_group():
    # std of (1, 0) is sqrt(0.5); of (0.5, 0) is sqrt(0.125).
    expected = [0.5 / 0.5**0.5, -0.5 / 0.5**0.5, 0, 0, 0.25 / 0.125**0.5, -0.25 / 0.125**0.5]
    advantages = group_mean_std_advantages(REWARDS, GROUPS, epsilon=1e-12)
    assert advantages.tolist() == pytest.approx(expected)


def test_task_std_divides_by_the_std_of_all_rewards_of_the_task():
    # Task 0: rewards 1 0 1 1, mean 0.75, squares 3 * 0.0625 + 0.5625 = 0.75, over 3 = 0.25.
    # Task 1: rewards 0.5 0, variance 0.125.
    task_1 = 0.25 / 0.125**0.5
    advantages = task_std_advantages(REWARDS, GROUPS, TASKS, epsilon=1e-12)
    assert advantages.tolist() == pytest.approx([1.0, -1.0, 0, 0, task_1, -task_1])


def test_batch_std_divides_by_the_std_of_all_rewards():
    # Mean 3.5 / 6 = 7/12; sum of squares 3.25 - 6 * 49/144; over 5.
    std = ((3.25 - 6 * 49 / 144) / 5) ** 0.5
    advantages = batch_std_advantages(REWARDS, GROUPS, epsilon=1e-12)
    assert advantages.tolist() == pytest.approx([value / std for value in CENTRED])


def test_epsilon_is_added_to_the_std():
    advantages = task_std_advantages(REWARDS, GROUPS, TASKS, epsilon=0.5)
    assert advantages[0].item() == pytest.approx(0.5 / (0.5 + 0.5))


@pytest.mark.parametrize("kind", KINDS)
def test_config_chooses_the_function(kind):
    expected = {
        "batch_std": batch_std_advantages(REWARDS, GROUPS),
        "group_std": group_mean_std_advantages(REWARDS, GROUPS),
        "mean_only": mean_only_advantages(REWARDS, GROUPS),
        "task_std": task_std_advantages(REWARDS, GROUPS, TASKS),
    }
    found = compute_advantages(AdvantageConfig(kind=kind), REWARDS, GROUPS, TASKS)
    assert torch.equal(found, expected[kind])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reward", [0.1, 1 / 3, 0.7])
def test_zero_variance_group_gives_exactly_zero(kind, reward):
    # The float32 mean of three equal rewards need not equal them.
    rewards = torch.full((3,), reward)
    ids = torch.zeros(3, dtype=torch.int64)
    assert compute_advantages(AdvantageConfig(kind=kind), rewards, ids, ids).tolist() == [0, 0, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_single_sample_task_gives_zero(kind):
    rewards = torch.tensor([1.0, 0.0, 1.0])
    found = compute_advantages(
        AdvantageConfig(kind=kind), rewards, torch.tensor([0, 0, 1]), torch.tensor([0, 0, 1])
    )
    assert found[2].item() == 0
    assert torch.isfinite(found).all()


def test_empty_batch_gives_no_advantages():
    ids = torch.zeros(0, dtype=torch.int64)
    assert compute_advantages(AdvantageConfig(), torch.zeros(0), ids, ids).shape == (0,)


@st.composite
def batches(draw):
    num_groups = draw(st.integers(1, 4))
    group_size = draw(st.integers(1, 4))
    size = num_groups * group_size
    steps = draw(st.lists(st.integers(0, 8), min_size=size, max_size=size))
    task_of_group = draw(st.lists(st.integers(0, 2), min_size=num_groups, max_size=num_groups))
    order = draw(st.permutations(range(size)))
    rewards = torch.tensor(steps, dtype=torch.float64) / 8
    groups = torch.arange(num_groups).repeat_interleave(group_size)
    tasks = torch.tensor(task_of_group).repeat_interleave(group_size)
    return rewards, groups, tasks, torch.tensor(order)


@given(batch=batches(), kind=st.sampled_from(KINDS))
def test_order_of_the_batch_does_not_matter(batch, kind):
    rewards, groups, tasks, order = batch
    config = AdvantageConfig(kind=kind)
    whole = compute_advantages(config, rewards, groups, tasks)
    permuted = compute_advantages(config, rewards[order], groups[order], tasks[order])
    torch.testing.assert_close(permuted, whole[order])


@given(batch=batches(), kind=st.sampled_from(KINDS), shift=st.floats(-5, 5))
def test_shifting_all_rewards_changes_nothing(batch, kind, shift):
    rewards, groups, tasks, _ = batch
    config = AdvantageConfig(kind=kind, epsilon=0.01)
    shifted = compute_advantages(config, rewards + shift, groups, tasks)
    original = compute_advantages(config, rewards, groups, tasks)
    torch.testing.assert_close(shifted, original, atol=1e-9, rtol=1e-9)


@given(batch=batches(), kind=st.sampled_from(KINDS), scale=st.sampled_from([0.25, 2.0, 10.0]))
def test_scaling_all_rewards_cancels_where_a_std_divides(batch, kind, scale):
    rewards, groups, tasks, _ = batch
    config = AdvantageConfig(kind=kind, epsilon=1e-12)
    scaled = compute_advantages(config, rewards * scale, groups, tasks)
    original = compute_advantages(config, rewards, groups, tasks)
    expected = original * scale if kind == "mean_only" else original
    torch.testing.assert_close(scaled, expected, atol=1e-6, rtol=1e-6)


@given(batch=batches(), kind=st.sampled_from(KINDS))
def test_advantages_of_a_group_sum_to_zero(batch, kind):
    rewards, groups, tasks, _ = batch
    found = compute_advantages(AdvantageConfig(kind=kind, epsilon=0.01), rewards, groups, tasks)
    sums = torch.zeros(4, dtype=torch.float64).index_add(0, groups, found)
    torch.testing.assert_close(sums, torch.zeros_like(sums), atol=1e-9, rtol=0)


@given(batch=batches())
def test_other_tasks_do_not_change_task_std_advantages(batch):
    rewards, groups, tasks, _ = batch
    is_first = tasks == tasks[0]
    alone = task_std_advantages(rewards[is_first], groups[is_first], tasks[is_first])
    together = task_std_advantages(rewards, groups, tasks)[is_first]
    torch.testing.assert_close(alone, together)
