import torch

from longloom.merging.blocks import BLOCK_ELEMENTS, merge_tensor
from longloom.merging.dare import DareMerge, merge_dare
from longloom.merging.linear import LinearMerge, merge_linear
from longloom.merging.task_arithmetic import TaskArithmeticMerge, merge_task_arithmetic
from longloom.merging.ties import TiesMerge, merge_ties


def test_linear_is_the_weighted_mean_whatever_the_pivot() -> None:
    targets = [torch.tensor([1.0, 2.0]), torch.tensor([5.0, 2.0])]
    merged = merge_linear(torch.tensor([9.0, 9.0]), targets, (3.0, 1.0))
    torch.testing.assert_close(merged, torch.tensor([2.0, 2.0]))


def test_task_arithmetic_adds_weighted_changes() -> None:
    pivot = torch.tensor([1.0, 1.0])
    targets = [torch.tensor([2.0, 1.0]), torch.tensor([1.0, 5.0])]
    merged = merge_task_arithmetic(pivot, targets, (0.5, -0.25))
    torch.testing.assert_close(merged, torch.tensor([1.5, 0.0]))


def test_ties_trims_elects_and_averages_those_that_agree() -> None:
    pivot = torch.zeros(4)
    first = torch.tensor([4.0, 3.0, 0.1, 0.0])  # trimmed to [4, 3, 0, 0]
    second = torch.tensor([2.0, -5.0, 0.0, -0.1])  # trimmed to [2, -5, 0, 0]
    merged = merge_ties(pivot, [first, second], (1.0, 1.0), 0.5)
    torch.testing.assert_close(merged, torch.tensor([3.0, -5.0, 0.0, 0.0]))


def test_ties_weights_vote_and_average() -> None:
    targets = [torch.tensor([4.0, 3.0]), torch.tensor([2.0, -5.0])]
    merged = merge_ties(torch.zeros(2), targets, (3.0, 1.0), 1.0)
    torch.testing.assert_close(merged, torch.tensor([14 / 4, 3.0]))


def test_dare_at_full_density_is_task_arithmetic() -> None:
    pivot, targets = torch.randn(50), [torch.randn(50), torch.randn(50)]
    merged = merge_dare(pivot, targets, (0.5, 0.5), 1.0, seed=0, unit_name="w")
    torch.testing.assert_close(merged, merge_task_arithmetic(pivot, targets, (0.5, 0.5)))


def test_dare_keeps_the_density_and_rescales_what_it_keeps() -> None:
    pivot, target = torch.zeros(20_000), torch.ones(20_000)
    merged = merge_dare(pivot, [target], (1.0,), 0.25, seed=0, unit_name="w")
    assert merged.unique().tolist() == [0.0, 4.0]
    # 5 standard deviations of a binomial share: 5 * sqrt(0.25 * 0.75 / 20000) = 0.0153
    assert abs(float((merged > 0).float().mean()) - 0.25) < 0.0153


def test_dare_draws_by_seed_name_and_model_not_by_block() -> None:
    pivot, target = torch.zeros(BLOCK_ELEMENTS + 10), torch.ones(BLOCK_ELEMENTS + 10)

    def kept(seed: int, unit_name: str) -> torch.Tensor:
        return merge_dare(pivot, [target], (1.0,), 0.5, seed=seed, unit_name=unit_name)

    assert torch.equal(kept(1, "a"), kept(1, "a"))
    assert not torch.equal(kept(1, "a"), kept(2, "a"))
    assert not torch.equal(kept(1, "a"), kept(1, "b"))
    both = merge_dare(pivot, [target, pivot], (1.0, 1.0), 0.5, seed=1, unit_name="a")
    assert torch.equal(both, kept(1, "a"))


def test_densities_of_the_models_may_differ() -> None:
    pivot = torch.zeros(4)
    targets = [torch.tensor([4.0, 3.0, 2.0, 1.0]), torch.tensor([1.0, 2.0, 3.0, 4.0])]
    ties = TiesMerge((1.0, 1.0), densities=(0.25, 1.0))
    merged, statistics = merge_tensor(ties, pivot, targets)
    # The first model is trimmed to [4, 0, 0, 0].
    torch.testing.assert_close(merged, torch.tensor([2.5, 2.0, 3.0, 4.0]))
    assert statistics.kept_fraction == 5 / 8
    dare = DareMerge((1.0, 1.0), densities=(1.0, 0.25), seed=0, unit_name="w")
    ones = [torch.ones(2_000), torch.ones(2_000)]
    merged, _ = merge_tensor(dare, torch.zeros(2_000), ones)
    assert merged.unique().tolist() == [1.0, 5.0]


def test_methods_without_election_count_conflicts_too() -> None:
    pivot = torch.zeros(4)
    targets = [torch.tensor([1.0, -1.0, 2.0, 0.0]), torch.tensor([2.0, 1.0, -1e-30, -1.0])]
    algorithms = [
        LinearMerge((1.0, 1.0)),
        TaskArithmeticMerge((1.0, 1.0)),
        DareMerge((1.0, 1.0), densities=(0.5, 0.5), seed=0, unit_name="w"),
    ]
    for algorithm in algorithms:
        assert merge_tensor(algorithm, pivot, targets)[1].num_conflicts == 2
