"""What must hold of SCE whatever the tensors; and both published formulas, written out."""

from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from longloom.merging import blocks
from longloom.merging.blocks import MergeStatistics, merge_tensor
from longloom.merging.sce import MERGEKIT_BOUND, SceMerge, Variant, merge_sce

TOPKS = [0.1, 0.5, 1.0]
VARIANTS: list[Variant] = ["authors", "mergekit"]

seeds = st.integers(0, 2**32)
topks = st.sampled_from(TOPKS)
variants = st.sampled_from(VARIANTS)
scales = st.sampled_from([1e-30, 1e-5, 1e-2, 1.0])
sizes = st.integers(1, 70)


def random_tensors(seed: int, num_tensors: int, size: int, scale: float = 1.0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [scale * torch.randn(size, generator=generator) for _ in range(num_tensors)]


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@given(seed=seeds, topk=topks, variant=variants, size=sizes)
def test_one_target_at_the_pivot_gives_the_pivot(
    seed: int, topk: float, variant: Variant, size: int
) -> None:
    (pivot,) = random_tensors(seed, 1, size)
    merged, coefficients = merge_sce(pivot, [pivot], topk, variant)
    assert torch.equal(merged, pivot)
    assert coefficients == (1.0,)


@given(seed=seeds, size=sizes, scale=st.sampled_from([1e-2, 1.0]))
def test_a_target_at_the_pivot_leaves_the_other_alone(seed: int, size: int, scale: float) -> None:
    pivot, change = random_tensors(seed, 2, size)
    target = pivot + scale * change
    merged, coefficients = merge_sce(pivot, [pivot, target])
    assert coefficients == (0.0, 1.0)
    close(merged, target)


@given(
    seed=seeds,
    topk=topks,
    variant=variants,
    size=sizes,
    num_targets=st.integers(2, 5),
    scale=scales,
)
def test_equal_targets_have_equal_say(
    seed: int, topk: float, variant: Variant, size: int, num_targets: int, scale: float
) -> None:
    pivot, change = random_tensors(seed, 2, size)
    target = pivot + scale * change
    merged, coefficients = merge_sce(pivot, [target] * num_targets, topk, variant)
    assert coefficients == pytest.approx([1 / num_targets] * num_targets)
    # Without variance nothing is selected, and mergekit drops what is not selected.
    close(merged, pivot if variant == "mergekit" and topk < 1 else target)


@given(
    seed=seeds,
    topk=topks,
    variant=variants,
    size=sizes,
    order=st.permutations([0, 1, 2]),
    scale=scales,
)
def test_order_of_the_targets_does_not_matter(
    seed: int, topk: float, variant: Variant, size: int, order: list[int], scale: float
) -> None:
    pivot, *changes = random_tensors(seed, 4, size)
    # Quarters up to 8: sums are exact, and variances differ by more than their rounding or tie.
    targets = [pivot.round() + (4 * change).round() / 4 for change in changes]
    permuted = [targets[place] for place in order]
    merged, coefficients = merge_sce(pivot.round(), targets, 1.0 if topk < 1 else topk, variant)
    again, permuted_coefficients = merge_sce(pivot.round(), permuted, 1.0, variant)
    close(again, merged)
    assert permuted_coefficients == pytest.approx([coefficients[place] for place in order])
    small = [pivot + scale * change for change in changes[:2]]
    merged, _ = merge_sce(pivot, small, topk, variant)
    again, _ = merge_sce(pivot, small[::-1], topk, variant)
    close(again, merged)


@given(seed=seeds, size=sizes, topk=topks, variant=variants)
def test_all_signs_in_conflict_are_won_by_the_larger(
    seed: int, size: int, topk: float, variant: Variant
) -> None:
    pivot, magnitude = random_tensors(seed, 2, size)
    magnitude = magnitude.abs() + 0.1
    larger, smaller = pivot + 2 * magnitude, pivot - magnitude
    algorithm = SceMerge(2, select_topk=topk, variant=variant)
    merged, statistics = merge_tensor(algorithm, pivot, [smaller, larger])
    num_selected = int(topk * size)
    if variant == "mergekit" and topk < 1:
        is_moved = merged != pivot
        assert int(is_moved.sum()) == num_selected == statistics.num_conflicts
        close(merged[is_moved], larger[is_moved])
    else:
        assert statistics.num_conflicts == size
        close(merged, larger)


@given(seed=seeds, topk=topks, variant=variants, size=sizes)
def test_merge_stays_between_the_pivot_and_the_furthest_target(
    seed: int, topk: float, variant: Variant, size: int
) -> None:
    pivot, *targets = random_tensors(seed, 4, size)
    merged, coefficients = merge_sce(pivot, targets, topk, variant)
    everything = torch.stack([pivot, *targets])
    assert bool((merged >= everything.amin(dim=0) - 1e-5).all())
    assert bool((merged <= everything.amax(dim=0) + 1e-5).all())
    assert sum(coefficients) == pytest.approx(1)


@given(
    seed=seeds,
    topk=topks,
    variant=variants,
    size=st.integers(1, 200),
    block_elements=st.integers(1, 80),
)
def test_size_of_the_blocks_does_not_matter(
    seed: int, topk: float, variant: Variant, size: int, block_elements: int
) -> None:
    pivot, *targets = (tensor.round() for tensor in random_tensors(seed, 3, size, 3.0))  # ties
    whole = statistics_of(pivot, targets, topk, variant)
    with mock.patch.object(blocks, "BLOCK_ELEMENTS", block_elements):
        merged, statistics = statistics_of(pivot, targets, topk, variant)
    close(merged, whole[0])
    assert statistics.num_conflicts == whole[1].num_conflicts
    assert statistics.kept_fraction == whole[1].kept_fraction
    assert statistics.coefficients == pytest.approx(whole[1].coefficients)


def statistics_of(
    pivot: Tensor, targets: list[Tensor], topk: float, variant: Variant
) -> tuple[Tensor, MergeStatistics]:
    return merge_tensor(SceMerge(len(targets), select_topk=topk, variant=variant), pivot, targets)


def written_out(
    pivot: list[float], targets: list[list[float]], topk: float, variant: Variant
) -> list[float]:
    """SCE in loops over numbers: the authors' formula, and what mergekit does otherwise."""
    num_models, num_positions = len(targets), len(pivot)
    deltas = [[target[e] - pivot[e] for e in range(num_positions)] for target in targets]
    variances = []
    for e in range(num_positions):
        mean = sum(delta[e] for delta in deltas) / num_models
        variances.append(sum((delta[e] - mean) ** 2 for delta in deltas) / num_models)
    selected = set(range(num_positions))
    if topk < 1:
        num_selected = int(topk * sum(variance > 0 for variance in variances))
        selected = set(sorted(selected, key=lambda e: -variances[e])[:num_selected])
    squares = [sum(delta[e] ** 2 for e in selected) / num_positions for delta in deltas]
    total, bound = sum(squares), MERGEKIT_BOUND if variant == "mergekit" else 0.0
    weights = [s / total if total > 0 and total >= bound else 1 / num_models for s in squares]
    merged = []
    for e in range(num_positions):
        # The authors use the selection for the weights alone.
        is_kept = variant == "authors" or e in selected
        here = [delta[e] if is_kept else 0.0 for delta in deltas]
        sign = 1 if sum(here) >= 0 else -1
        agreeing = [(w, d) for w, d in zip(weights, here, strict=True) if d * sign > 0]
        denominator = max(sum(w for w, _ in agreeing), bound)
        change = sum(w * d for w, d in agreeing) / denominator if denominator else 0.0
        merged.append(pivot[e] + change)
    return merged


@given(
    steps=st.lists(st.tuples(*[st.integers(-4, 4)] * 3), min_size=1, max_size=40),
    topk=topks,
    variant=variants,
    scale=st.sampled_from([2.0**-14, 2.0**-5, 1.0]),
)
def test_both_published_formulas_written_out(
    steps: list[tuple[int, ...]], topk: float, variant: Variant, scale: float
) -> None:
    # Powers of two keep every step exact, so that ties are ties; the smallest is below 1e-6.
    values = [[step[model] * scale for step in steps] for model in range(3)]
    expected = written_out(values[0], values[1:], topk, variant)
    pivot, *targets = (torch.tensor(each, dtype=torch.float32) for each in values)
    merged, _ = merge_sce(pivot, targets, topk, variant)
    torch.testing.assert_close(
        merged, torch.tensor(expected, dtype=torch.float32), rtol=1e-5, atol=1e-6 * scale
    )


def test_mergekits_bounds_are_in_its_variant_alone() -> None:
    pivot = torch.zeros(2)
    small = [torch.tensor([3e-4, 3e-4]), torch.tensor([1e-4, 1e-4])]
    # Mean squares 9e-8 and 1e-8 sum to 1e-7, below 1e-6: equal weights.
    merged, coefficients = merge_sce(pivot, small, 1.0, "mergekit")
    assert coefficients == (0.5, 0.5)
    torch.testing.assert_close(merged, torch.tensor([2e-4, 2e-4]))
    merged, coefficients = merge_sce(pivot, small, 1.0, "authors")
    torch.testing.assert_close(coefficients, (0.9, 0.1))
    torch.testing.assert_close(merged, torch.tensor([2.8e-4, 2.8e-4]))
    far = [torch.tensor([1.0, 0.0]), torch.tensor([0.0, 5e-4])]
    # The second model's weight is 2.5e-7: its change is divided by 1e-6 instead.
    merged, _ = merge_sce(pivot, far, 1.0, "mergekit")
    torch.testing.assert_close(merged, torch.tensor([1.0, 5e-4 * 0.25]))
    merged, _ = merge_sce(pivot, far, 1.0, "authors")
    torch.testing.assert_close(merged, torch.tensor([1.0, 5e-4]))
