from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.engines.verl.group_order import (
    cut_further,
    cut_rows,
    order_by_groups,
    shared_work,
)
from longloom.errors import EngineError


@dataclass(frozen=True)
class Row:
    prompt_ids: tuple[int, ...]
    response_ids: tuple[int, ...]


LONG, OTHER, SHORT = (7,) * 11, (8,) * 11, (9,) * 3


def rows_of(*prompts_and_lengths):
    return [Row(prompt, (1,) * length) for prompt, length in prompts_and_lengths]


def ranks_of(order, num_ranks):
    share = len(order) // num_ranks
    return [order[rank * share : (rank + 1) * share] for rank in range(num_ranks)]


def test_groups_go_whole_to_the_rank_with_the_least_work():
    prompts = ["a", "b", "c", "d", "a", "b", "c", "d"]
    lengths = [1_000, 400, 300, 200, 1_000, 400, 300, 200]
    # The longest alone takes more than the next; the last joins where less was done.
    order = order_by_groups(prompts, lengths, [10] * 8, num_ranks=2)
    assert ranks_of(order, 2) == [[0, 4, 3, 7], [1, 5, 2, 6]]


def test_a_group_that_fits_nowhere_is_split_where_most_room_is():
    prompts = ["a", "a", "a", "b", "b", "b", "c", "c"]
    order = order_by_groups(prompts, [5] * 8, [1] * 8, num_ranks=2)
    assert ranks_of(order, 2) == [[0, 1, 2, 6], [3, 4, 5, 7]]


def test_a_group_larger_than_a_rank_takes_as_few_ranks_as_it_can():
    prompts = ["b", "b", "a", "a", "a", "a", "a", "a", "a"]
    order = order_by_groups(prompts, [5] * 9, [1] * 9, num_ranks=3)
    assert ranks_of(order, 3) == [[0, 1, 8], [2, 3, 4], [5, 6, 7]]


def test_rows_must_divide():
    with pytest.raises(EngineError, match="5 rows for 2 ranks"):
        order_by_groups("aabbc", [1] * 5, [1] * 5, num_ranks=2)


def test_a_group_of_one_is_the_work_verl_counts():
    tokens = 30
    assert shared_work(20, [10]) == 24_576 * tokens + tokens**2


def test_a_shared_prompt_is_work_once():
    assert shared_work(20, [10, 10]) == 2 * shared_work(20, [10]) - shared_work(20, [])


@given(
    num_ranks=st.integers(1, 6),
    groups_per_rank=st.integers(1, 5),
    group_size=st.integers(1, 4),
    random=st.randoms(use_true_random=False),
)
def test_groups_of_one_size_are_never_split(num_ranks, groups_per_rank, group_size, random):
    prompts = list(range(num_ranks * groups_per_rank)) * group_size
    random.shuffle(prompts)
    lengths = [100 + 37 * prompt % 1_000 for prompt in prompts]
    responses = [random.randrange(50) for _ in prompts]
    order = order_by_groups(prompts, lengths, responses, num_ranks=num_ranks)
    assert sorted(order) == list(range(len(prompts)))
    for rank in ranks_of(order, num_ranks):
        held = [prompts[row] for row in rank]
        assert {prompts.count(prompt) for prompt in held} == {group_size}
        assert all(held.count(prompt) == group_size for prompt in held)
        assert held == sorted(held, key=held.index)  # one group after the other


@given(
    num_ranks=st.integers(1, 5),
    share=st.integers(1, 8),
    random=st.randoms(use_true_random=False),
)
def test_any_rows_are_ordered_once_with_few_groups_apart(num_ranks, share, random):
    prompts = [random.randrange(6) for _ in range(num_ranks * share)]
    order = order_by_groups(prompts, [9] * len(prompts), [3] * len(prompts), num_ranks=num_ranks)
    assert sorted(order) == list(range(len(prompts)))
    parts = sum(len({prompts[row] for row in rank}) for rank in ranks_of(order, num_ranks))
    # Every cut fills a rank, so there are fewer cuts than ranks.
    assert parts - len(set(prompts)) < num_ranks


def test_micro_batches_count_prompts_once_and_keep_groups_whole():
    rows = rows_of((LONG, 4), (SHORT, 4), (LONG, 4), (SHORT, 4))  # 18 and 10 tokens packed
    assert cut_rows(rows, max_tokens=28) == [(1, 3, 0, 2)]
    assert cut_rows(rows, max_tokens=27) == [(1, 3), (0, 2)]
    assert cut_rows(rows, max_tokens=17) == [(1, 3), (0,), (2,)]
    assert cut_rows(rows, max_tokens=1) == [(1,), (3,), (0,), (2,)]


def test_more_micro_batches_are_cut_between_groups_first():
    rows = rows_of((LONG, 4), (LONG, 4), (OTHER, 4), (SHORT, 9))
    whole = [(0, 1, 2, 3)]
    assert cut_further(rows, whole, num_batches=1) == whole
    assert cut_further(rows, whole, num_batches=2) == [(0, 1), (2, 3)]
    assert cut_further(rows, whole, num_batches=3) == [(0, 1), (2,), (3,)]
    assert cut_further(rows, whole, num_batches=4) == [(0,), (1,), (2,), (3,)]
    with pytest.raises(EngineError, match="4 rows in 5 micro-batches"):
        cut_further(rows, whole, num_batches=5)


@given(
    st.lists(st.tuples(st.sampled_from([LONG, OTHER, SHORT]), st.integers(1, 9)), min_size=1),
    st.integers(1, 60),
    st.data(),
)
def test_every_row_is_in_one_micro_batch_and_none_is_empty(shapes, max_tokens, data):
    rows = rows_of(*shapes)
    batches = cut_rows(rows, max_tokens=max_tokens)
    wanted = data.draw(st.integers(len(batches), len(rows)))
    cut = cut_further(rows, batches, num_batches=wanted)
    assert len(cut) == wanted
    assert all(cut)
    assert sorted(index for batch in cut for index in batch) == list(range(len(rows)))
    for batch in batches:
        contexts = {rows[index].prompt_ids[:-1] for index in batch}
        num_tokens = sum(map(len, contexts)) + sum(len(rows[i].response_ids) for i in batch)
        assert num_tokens <= max_tokens or len(batch) == 1
