"""Shared contexts beside a dense mask over all packed tokens, for any layout of groups."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from longloom.models.padded_rows import PaddedRows, similar_rows
from longloom.models.shared_prefix import Beginning, SharedPrefix

CPU = torch.device("cpu")
NUM_HEADS, NUM_KEY_HEADS, WIDTH = 4, 2, 8

groups_of_any_layout = st.lists(
    st.tuples(st.integers(0, 9), st.lists(st.integers(1, 7), max_size=4)), min_size=1, max_size=5
).filter(lambda groups: any(context or responses for context, responses in groups))


layouts_with_beginnings = st.tuples(
    st.lists(
        st.tuples(
            st.integers(0, 9),
            st.lists(
                st.tuples(st.integers(0, 6), st.lists(st.integers(1, 5), max_size=3)), max_size=4
            ),
        ),
        max_size=3,
    ),
    groups_of_any_layout,
)


def plan_of(groups):
    return SharedPrefix(
        [context for context, _ in groups], [responses for _, responses in groups], device=CPU
    )


def visible(groups):
    """Which packed token sees which, from the definition; and the position of each."""
    owners = [(group, -1) for group, (context, _) in enumerate(groups) for _ in range(context)]
    positions = [place for context, _ in groups for place in range(context)]
    for group, (context, responses) in enumerate(groups):
        for index, length in enumerate(responses):
            owners += [(group, index)] * length
            positions += range(context, context + length)
    table = [
        [
            (owner == other or other == (owner[0], -1)) and positions[other_at] <= positions[at]
            for other_at, other in enumerate(owners)
        ]
        for at, owner in enumerate(owners)
    ]
    return torch.tensor(table), torch.tensor(positions)


def random_heads(num_tokens, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(num_tokens, num_heads, WIDTH, generator=generator, dtype=torch.float64)
        .to(dtype)
        .requires_grad_()
        for num_heads in (NUM_HEADS, NUM_KEY_HEADS, NUM_KEY_HEADS)
    ]


def dense(query, key, value, is_seen):
    key, value = (tensor.repeat_interleave(2, dim=1) for tensor in (key, value))
    scores = torch.einsum("qhd,khd->hqk", query, key) / WIDTH**0.5
    weights = scores.masked_fill(~is_seen, -torch.inf).softmax(dim=-1)
    return torch.einsum("hqk,khd->qhd", weights, value)


def assert_same_gradients(found, expected, leaves, weights, tolerance=1e-9):
    wanted = torch.autograd.grad((expected * weights).sum(), leaves, retain_graph=True)
    given_back = torch.autograd.grad((found * weights).sum(), leaves)
    for mine, theirs in zip(given_back, wanted, strict=True):
        assert float((mine - theirs).norm()) <= tolerance * float(theirs.norm()) + 1e-12


def assert_attends_as_the_dense_mask(plan, seen, are_contexts_silent, seed):
    is_seen, positions = seen
    assert plan.positions.tolist() == positions.tolist()
    start = plan.num_context_tokens if are_contexts_silent else 0
    if start == len(positions):
        return
    query, key, value = random_heads(len(positions), seed)
    found = plan(0, query[start:], key, value)
    expected = dense(query, key, value, is_seen)[start:]
    torch.testing.assert_close(found, expected)
    weights = torch.randn(expected.shape, dtype=torch.float64)
    assert_same_gradients(found, expected, (query, key, value), weights)


@given(groups=groups_of_any_layout, are_contexts_silent=st.booleans(), seed=st.integers(0, 99))
def test_any_layout_attends_as_the_dense_mask_does(groups, are_contexts_silent, seed):
    plan = plan_of(groups)
    assert_attends_as_the_dense_mask(plan, visible(groups), are_contexts_silent, seed)


@pytest.mark.parametrize(
    "groups",
    [
        [(40, [600, 5])] + [(3, [4, 2])] * 3,
        [(700, [3, 3]), (2, [1]), (650, [9]), (0, [530, 1])],
        [(1200, [])] + [(0, [2])] * 40,
    ],
    ids=["long response", "long contexts", "plain rows"],
)
def test_rows_of_very_unlike_lengths_attend_as_the_dense_mask_does(groups):
    plan = plan_of(groups)
    is_seen, positions = visible(groups)
    query, key, value = random_heads(len(positions))
    found = plan(0, query, key, value)
    expected = dense(query, key, value, is_seen)
    torch.testing.assert_close(found, expected)
    weights = torch.randn(expected.shape, dtype=torch.float64)
    assert_same_gradients(found, expected, (query, key, value), weights)


def visible_with_beginnings(begun, others):
    """Which packed token sees which, from the paths of a tree; and the position of each."""
    paths, positions = [], []
    contexts = [(index, *each) for index, (_, group) in enumerate(begun) for each in group]
    contexts += [(None, *each) for each in others]
    starts = [num_tokens for num_tokens, _ in begun]
    for index, num_tokens in enumerate(starts):
        paths += [(index,)] * num_tokens
        positions += range(num_tokens)
    for place, (index, context, _) in enumerate(contexts):
        start = 0 if index is None else starts[index]
        paths += [(index, place)] * context
        positions += range(start, start + context)
    for place, (index, context, responses) in enumerate(contexts):
        start = context + (0 if index is None else starts[index])
        for answer, length in enumerate(responses):
            paths += [(index, place, answer)] * length
            positions += range(start, start + length)
    table = [
        [
            path[: len(other)] == other and positions[other_at] <= positions[at]
            for other_at, other in enumerate(paths)
        ]
        for at, path in enumerate(paths)
    ]
    return torch.tensor(table), torch.tensor(positions)


@given(layout=layouts_with_beginnings, are_contexts_silent=st.booleans(), seed=st.integers(0, 99))
def test_contexts_that_begin_alike_attend_as_the_dense_mask_does(layout, are_contexts_silent, seed):
    begun, others = layout
    contexts = [each for _, group in begun for each in group] + others
    plan = SharedPrefix(
        [context for context, _ in contexts],
        [responses for _, responses in contexts],
        beginnings=[
            Beginning(num_tokens=num_tokens, num_contexts=len(group)) for num_tokens, group in begun
        ],
        device=CPU,
    )
    assert_attends_as_the_dense_mask(
        plan, visible_with_beginnings(begun, others), are_contexts_silent, seed
    )


@given(groups=groups_of_any_layout, order=st.randoms(use_true_random=False))
def test_the_order_of_groups_is_of_no_consequence(groups, order):
    numbered = list(enumerate(groups))
    order.shuffle(numbered)
    _, positions = visible(groups)
    heads = random_heads(len(positions))
    # where the tokens of each group stand, contexts and responses
    places, start = [[] for _ in groups], 0
    for part in (lambda group: group[0], lambda group: sum(group[1])):
        for group, layout in enumerate(groups):
            places[group].append(torch.arange(start, start + part(layout)))
            start += part(layout)
    moved = torch.cat([places[group][part] for part in (0, 1) for group, _ in numbered])
    with torch.no_grad():
        found = plan_of([layout for _, layout in numbered])(0, *(each[moved] for each in heads))
        torch.testing.assert_close(found, plan_of(groups)(0, *heads)[moved])


def test_fp32_gradients_of_shared_contexts_are_those_of_unshared_rows():
    groups = [(50, [7, 12, 3]), (31, [20]), (64, [5, 5])]
    heads = random_heads(plan_of(groups).positions.numel(), dtype=torch.float32)
    is_seen, _ = visible(groups)
    found = plan_of(groups)(0, *heads)
    expected = dense(*heads, is_seen)
    assert_same_gradients(found, expected, heads, torch.randn(expected.shape), tolerance=1e-5)


def test_half_precision_attends_within_its_rounding():
    groups = [(50, [7, 12, 3]), (31, [20]), (0, [5, 5])]
    heads = random_heads(plan_of(groups).positions.numel(), dtype=torch.bfloat16)
    is_seen, _ = visible(groups)
    found = plan_of(groups)(0, *heads)
    assert found.dtype == torch.bfloat16
    expected = dense(*(each.detach().double() for each in heads), is_seen)
    assert float((found.detach().double() - expected).norm() / expected.norm()) < 1e-2


@given(
    rows=st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 3_000)), max_size=30),
)
def test_blocks_hold_every_row_once_and_waste_little(rows):
    blocks = similar_rows([queries for queries, _ in rows], [keys for _, keys in rows])
    assert sorted(row for block in blocks for row in block) == list(range(len(rows)))
    for block in blocks:
        counted = sum(rows[row][0] * rows[row][1] for row in block)
        longest = [max(rows[row][side] for row in block) for side in (0, 1)]
        assert len(block) * longest[0] * longest[1] <= 1.5 * counted + 2**18


def test_long_rows_stand_alone_and_short_ones_together():
    lengths = [8, 4_000, 9, 2_000, 7]
    assert similar_rows(lengths, lengths) == [[1], [3], [0, 2, 4]]


@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=8), seed=st.integers(0, 99))
def test_rows_come_back_from_any_blocks_as_they_were(lengths, seed):
    generator = torch.Generator().manual_seed(seed)
    owners = torch.randint(0, 3, (len(lengths),), generator=generator).tolist()
    blocks = [[row for row, owner in enumerate(owners) if owner == each] for each in set(owners)]
    rows = PaddedRows(lengths, blocks, device=CPU)
    packed = torch.randn(sum(lengths), 2, 3, generator=generator)
    if not len(packed):
        return
    assert torch.equal(rows.join([block.spread(packed) for block in rows.blocks]), packed)
    spread = [block.spread_gradient(packed) for block in rows.blocks]
    assert torch.equal(rows.join(spread), packed)
    torch.testing.assert_close(sum(each.sum() for each in spread), packed.sum())


def test_rows_without_padding_are_not_copied():
    packed = torch.randn(12, 2, 3)
    (block,) = PaddedRows([4, 4, 4], [[0, 1, 2]], device=CPU).blocks
    assert block.spread(packed).data_ptr() == packed.data_ptr()
    (first, second) = PaddedRows([9, 3], [[0], [1]], device=CPU).blocks
    assert first.spread(packed).data_ptr() == packed.data_ptr()
    assert second.spread(packed).data_ptr() == packed[9:].data_ptr()


def test_a_gradient_that_is_one_number_everywhere_is_taken():
    """Such a gradient comes without memory of its own for each place."""
    groups = [(4, [3, 2])]
    heads = random_heads(9)
    expected = torch.autograd.grad(dense(*heads, visible(groups)[0]).sum(), heads)
    found = torch.autograd.grad(plan_of(groups)(0, *heads).sum(), heads)
    for mine, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, wanted)
