import torch
from hypothesis import given
from hypothesis import strategies as st

from longloom.merging.selection import TopSelection


def select(blocks: list[torch.Tensor], fraction: float, among: str) -> list[bool]:
    selection = TopSelection(fraction, among=among)
    for pass_index in range(2):
        selection.start_pass(pass_index)
        for block in blocks:
            selection.count(block)
    selection.start_pass(2)
    first = torch.cat([selection.mask(block) for block in blocks]).bool().tolist()
    selection.start_pass(3)
    assert torch.cat([selection.mask(block) for block in blocks]).bool().tolist() == first
    return first


@given(
    values=st.lists(
        st.one_of(st.integers(0, 3).map(float), st.floats(0, 2.0**100, width=32)),
        min_size=1,
        max_size=40,
    ),
    fraction=st.sampled_from([0.01, 0.3, 0.5, 0.99, 1.0]),
    among=st.sampled_from(["all", "nonzero"]),
    block_elements=st.integers(1, 7),
)
def test_largest_values_are_kept_and_the_earliest_of_equal_ones(
    values: list[float], fraction: float, among: str, block_elements: int
) -> None:
    counted = len(values) if among == "all" else sum(value > 0 for value in values)
    order = sorted(range(len(values)), key=lambda position: -values[position])
    num_kept = int(fraction * counted)
    if among == "all":
        num_kept = max(1, num_kept)
    kept = set(order[:num_kept])
    blocks = list(torch.tensor(values, dtype=torch.float32).split(block_elements))
    assert select(blocks, fraction, among) == [position in kept for position in range(len(values))]


def test_below_one_position_nothing_of_the_nonzero_and_one_of_all_is_kept() -> None:
    assert select([torch.zeros(3)], 0.3, "nonzero") == [False, False, False]
    assert select([torch.tensor([1.0, 3.0, 2.0])], 0.1, "nonzero") == [False, False, False]
    assert select([torch.tensor([1.0, 3.0, 2.0])], 0.1, "all") == [False, True, False]
