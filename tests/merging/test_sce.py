import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from longloom.merging.blocks import BLOCK_ELEMENTS
from longloom.merging.sce import merge_sce


def reference_sce(
    pivot: Tensor, targets: list[Tensor], select_topk: float, variant: str
) -> tuple[Tensor, Tensor]:
    # The four steps on the whole tensor in fp64, with a stable sort for the selection.
    deltas = torch.stack(targets).double() - pivot.double()
    variances = ((deltas - deltas.mean(0)) ** 2).mean(0)
    num_selected = int(select_topk * int((variances > 0).sum()))
    order = sorted(range(len(variances)), key=lambda position: -float(variances[position]))
    selected = torch.zeros(len(variances), dtype=torch.float64)
    selected[order[:num_selected]] = 1
    if select_topk == 1:
        selected[:] = 1
    squares = ((deltas * selected) ** 2).mean(1)
    total = squares.sum()
    coefficients = squares / total if total > 0 else torch.full_like(squares, 1 / len(targets))
    if variant == "mergekit":
        deltas = deltas * selected
    majority = torch.where(deltas.sum(0) >= 0, 1.0, -1.0)
    kept = (torch.sign(deltas) == majority).double()
    weight = (coefficients[:, None] * kept).sum(0)
    weight[weight == 0] = 1
    merged = pivot.double() + (coefficients[:, None] * kept * deltas).sum(0) / weight
    return merged, coefficients


def test_agreeing_changes_are_averaged_by_coefficient_and_conflicts_go_to_the_larger() -> None:
    pivot = torch.tensor([1.0, 1.0, 1.0])
    first = pivot + torch.tensor([3.0, 4.0, 0.0])  # mean square 25/3
    second = pivot + torch.tensor([1.0, -2.0, 0.0])  # mean square 5/3
    merged, coefficients = merge_sce(pivot, [first, second])
    # w = 25/30, 5/30. Position 0: (25*3 + 5*1)/30 = 8/3. Position 1: sum 2 >= 0, so only +4.
    torch.testing.assert_close(coefficients, (25 / 30, 5 / 30))
    torch.testing.assert_close(merged, torch.tensor([1 + 8 / 3, 5.0, 1.0]))


def test_negative_majority_erases_positive_changes() -> None:
    merged, _ = merge_sce(torch.zeros(1), [torch.tensor([1.0]), torch.tensor([-3.0])])
    torch.testing.assert_close(merged, torch.tensor([-3.0]))


def test_changes_that_cancel_count_as_positive() -> None:
    merged, _ = merge_sce(torch.zeros(1), [torch.tensor([2.0]), torch.tensor([-2.0])])
    torch.testing.assert_close(merged, torch.tensor([2.0]))


def test_authors_select_for_the_coefficients_alone() -> None:
    pivot = torch.zeros(4)
    targets = [torch.tensor([4.0, 1.0, 1.0, 1.0]), torch.tensor([2.0, 1.0, 1.0, 2.0])]
    # Variances 1, 0, 0, 1/4: two are non-zero, int(0.5 * 2) = 1 is selected, position 0.
    # w = 16/20, 4/20; every change still takes part.
    merged, coefficients = merge_sce(pivot, targets, 0.5, "authors")
    torch.testing.assert_close(coefficients, (0.8, 0.2))
    torch.testing.assert_close(merged, torch.tensor([3.6, 1.0, 1.0, 1.2]))


def test_mergekit_drops_unselected_changes() -> None:
    pivot = torch.zeros(4)
    targets = [torch.tensor([4.0, 1.0, 1.0, 1.0]), torch.tensor([2.0, 1.0, 1.0, 2.0])]
    merged, coefficients = merge_sce(pivot, targets, 0.5, "mergekit")
    torch.testing.assert_close(coefficients, (0.8, 0.2))
    torch.testing.assert_close(merged, torch.tensor([3.6, 0.0, 0.0, 0.0]))


def test_models_without_variance_get_equal_coefficients() -> None:
    pivot, target = torch.zeros(2), torch.tensor([1.0, -1.0])
    merged, coefficients = merge_sce(pivot, [target, target], 0.5, "authors")
    assert coefficients == (0.5, 0.5)
    torch.testing.assert_close(merged, target)
    merged, _ = merge_sce(pivot, [target, target], 0.5, "mergekit")
    torch.testing.assert_close(merged, pivot)


def test_pivot_merged_with_itself_is_unchanged() -> None:
    pivot = torch.randn(3, 5)
    merged, coefficients = merge_sce(pivot, [pivot, pivot])
    assert torch.equal(merged, pivot)
    assert coefficients == (0.5, 0.5)


def test_one_target_and_equal_targets_give_the_target() -> None:
    pivot, target = torch.randn(40), torch.randn(40)
    torch.testing.assert_close(merge_sce(pivot, [target])[0], target)
    torch.testing.assert_close(merge_sce(pivot, [target, target, target])[0], target)


def test_unchanged_model_has_no_say() -> None:
    pivot, target = torch.randn(40), torch.randn(40)
    merged, coefficients = merge_sce(pivot, [pivot, target])
    assert coefficients == (0.0, 1.0)
    torch.testing.assert_close(merged, target)


def test_half_precision_is_merged_in_fp32() -> None:
    pivot = torch.randn(64).bfloat16()
    targets = [torch.randn(64).bfloat16(), torch.randn(64).bfloat16()]
    merged, _ = merge_sce(pivot, targets)
    exact, _ = merge_sce(pivot.float(), [target.float() for target in targets])
    assert merged.dtype == torch.float32
    assert torch.equal(merged, exact)


@given(
    steps=st.lists(st.tuples(*[st.integers(-3, 3)] * 4), min_size=1, max_size=30),
    select_topk=st.sampled_from([0.1, 0.25, 0.5, 0.9, 1.0]),
    variant=st.sampled_from(["authors", "mergekit"]),
)
def test_merge_equals_the_four_steps_written_out(
    steps: list[tuple[int, ...]], select_topk: float, variant: str
) -> None:
    values = torch.tensor(steps, dtype=torch.float32)  # many ties and zeros
    # With two targets the variances of these integers are exact, so equal ones tie.
    num_targets = 3 if select_topk == 1 else 2
    pivot, targets = values[:, 0], list(values[:, 1 : num_targets + 1].T)
    merged, coefficients = merge_sce(pivot, targets, select_topk, variant)
    expected, expected_coefficients = reference_sce(pivot, targets, select_topk, variant)
    torch.testing.assert_close(torch.tensor(coefficients).double(), expected_coefficients)
    torch.testing.assert_close(merged.double(), expected, rtol=1e-5, atol=1e-5)


def test_selection_is_over_the_whole_tensor_not_over_blocks() -> None:
    pivot = torch.zeros(BLOCK_ELEMENTS + 8)
    first = torch.zeros_like(pivot)
    first[:4] = 1.0
    first[-4:] = 2.0  # the higher variances, in the second block
    merged, _ = merge_sce(pivot, [first, pivot], 0.5, "mergekit")
    assert merged.nonzero().flatten().tolist() == list(range(len(pivot) - 4, len(pivot)))
