import pytest
import torch

from longloom.models.decoding import Cohort, DecodingStep, _scores
from longloom.models.folder import load_model


@pytest.fixture(scope="module")
def network(any_folder):
    return load_model(any_folder)


class SlowRows:
    """Every row with all its keys and values of one layer in its own tensors."""

    def __init__(self, cohort, group_sizes):
        key, value = cohort.prompt_caches[0]
        self.rows = [
            [key[prompt, :, :length].clone(), value[prompt, :, :length].clone()]
            for prompt, (length, size) in enumerate(zip(cohort.lengths, group_sizes, strict=True))
            for _ in range(size)
        ]

    def attend(self, query, key, value):
        outputs = []
        for place, row in enumerate(self.rows):
            row[0] = torch.cat([row[0], key[place][:, None]], dim=1)
            row[1] = torch.cat([row[1], value[place][:, None]], dim=1)
            groups = query.shape[1] // key.shape[1]
            keys, values = (part.repeat_interleave(groups, dim=0) for part in row)
            scores = (keys @ query[place][..., None])[..., 0] / query.shape[-1] ** 0.5
            outputs.append((scores.softmax(dim=-1)[:, None] @ values)[:, 0])
        return torch.stack(outputs)

    def keep(self, kept):
        self.rows = [self.rows[row] for row in kept]


def filled_cohort(network, lengths, group_sizes, **room):
    cohort = Cohort(network, lengths, group_sizes, **room)
    for key, value in cohort.prompt_caches:
        for prompt, length in enumerate(lengths):
            key[prompt, :, :length].normal_()
            value[prompt, :, :length].normal_()
    return cohort


def new_token(network, num_rows):
    shape = network.sizes
    return (
        torch.randn(num_rows, shape.num_heads, shape.head_dim),
        torch.randn(num_rows, shape.num_key_heads, shape.head_dim),
        torch.randn(num_rows, shape.num_key_heads, shape.head_dim),
    )


ENDINGS = {
    "one by one": [[5], [0], [2], [], [3], [0, 1]],
    "whole groups": [[0, 1, 2], [], [3], [], [], [0, 1]],
    "all but one": [[0, 1, 2, 3, 4, 5, 7], [], [], []],
    "none": [[]] * 6,
}


@pytest.mark.parametrize("endings", ENDINGS.values(), ids=ENDINGS)
@pytest.mark.parametrize("first_own", [1, 3, 9])
def test_rows_attend_as_if_each_had_its_own_keys(network, endings, first_own):
    group_sizes = (3, 1, 4)
    cohort = filled_cohort(network, (4, 9, 6), group_sizes, max_own=7, first_own=first_own)
    slow = SlowRows(cohort, group_sizes)
    for ended in endings:
        if cohort.is_full:
            cohort.grow()
        token = new_token(network, cohort.num_rows)
        found = DecodingStep([cohort])(0, *token)
        torch.testing.assert_close(found, slow.attend(*token), rtol=1e-5, atol=1e-5)
        cohort.count_token()
        kept = [row for row in range(cohort.num_rows) if row not in ended]
        if ended:
            cohort.keep(kept)
            slow.keep(kept)


def test_cohorts_of_different_ages_step_together(network):
    sizes = [(2, 2), (1,), (3, 1)]
    cohorts = [
        filled_cohort(network, range(3, 3 + len(groups)), groups, max_own=9, first_own=9)
        for groups in sizes
    ]
    slow = [SlowRows(cohort, groups) for cohort, groups in zip(cohorts, sizes, strict=True)]
    for num_started in (1, 2, 3, 3):
        running = cohorts[:num_started]
        tokens = [new_token(network, cohort.num_rows) for cohort in running]
        packed = [torch.cat(parts) for parts in zip(*tokens, strict=True)]
        found = DecodingStep(running)(0, *packed)
        expected = [rows.attend(*token) for rows, token in zip(slow, tokens, strict=False)]
        torch.testing.assert_close(found, torch.cat(expected), rtol=1e-5, atol=1e-5)
        for cohort in running:
            cohort.count_token()


def test_positions_follow_the_prompt_and_the_own_tokens(network):
    cohort = filled_cohort(network, (4, 9), (2, 1), max_own=5, first_own=5)
    assert cohort.positions().tolist() == [4, 4, 9]
    cohort.count_token()
    cohort.keep([1, 2])
    assert cohort.positions().tolist() == [5, 10]


def test_room_doubles_up_to_the_limit_and_shrinks_with_the_rows(network):
    cohort = filled_cohort(network, (4, 9), (2, 2), max_own=5, first_own=2)
    capacities = [cohort.capacity]
    while cohort.capacity < 5:
        cohort.grow()
        capacities.append(cohort.capacity)
    assert capacities == [2, 4, 5]
    assert cohort.tokens_with(5) == 2 * (9 + 2 * 5)
    cohort.keep([0, 1, 2])  # three of four: not worth a copy, but for the empty place
    assert cohort.num_rows == 3
    cohort.keep([0])
    assert cohort.lengths == (4,)
    assert cohort.tokens_with(5) == 4 + 5


def test_scores_of_half_types_are_scaled_without_rounding():
    """Heads of 128: the root is no power of two, so a scaled bf16 query would round."""
    query = 4 * torch.randn(2, 3, 1, 4, 128, dtype=torch.bfloat16)
    key = torch.randn(2, 3, 1, 7, 128, dtype=torch.bfloat16)
    exact = query.double() @ key.double().mT / 128**0.5
    torch.testing.assert_close(_scores(query, key).double(), exact, rtol=1e-5, atol=1e-5)
