import pytest

from longloom.models.admission import WaitingGroups
from longloom.records import SampleRequest, SamplingParams


def waiting(*groups):
    """Groups of (prompt tokens, rows, limit), numbered group after group."""
    requests = [
        SampleRequest(
            prompt_ids=(number,) * num_prompt,
            params=SamplingParams(temperature=1.0, top_p=1.0, max_new_tokens=limit + 1),
            key=f"{number}/{row}",
        )
        for number, (num_prompt, num_rows, limit) in enumerate(groups)
        for row in range(num_rows)
    ]
    return WaitingGroups(requests)


def take_all(groups, room_tokens, own_tokens=1_000):
    taken = []
    while groups:
        taken.append(groups.take(room_tokens, own_tokens=own_tokens, must_take=True))
    return taken


def test_a_set_holds_what_fits_with_padding_to_its_longest_prompt():
    # Each group needs 100 prompt tokens at most and 2 rows of 10: 120 tokens.
    groups = waiting((90, 2, 10), (100, 2, 10), (80, 2, 10))
    assert groups.take(359, own_tokens=99, must_take=False) == [[2, 3], [0, 1]]
    assert groups.take(99, own_tokens=99, must_take=False) == []
    assert groups.take(100, own_tokens=99, must_take=False) == [[4, 5]]
    assert not groups


def test_unlike_prompts_and_unlike_groups_are_taken_apart():
    groups = waiting((1_000, 4, 10), (500, 4, 10), (1_000, 1, 10), (900, 3, 10))
    assert take_all(groups, 1_000_000) == [[[0, 1, 2, 3], [9, 10, 11]], [[4, 5, 6, 7]], [[8]]]


def test_short_prompts_are_taken_together_whatever_their_lengths():
    assert len(take_all(waiting((100, 1, 9), (1, 1, 9), (40, 1, 9)), 1_000)) == 1


def test_the_longest_answer_of_a_set_counts_for_all_its_rows():
    groups = waiting((10, 1, 5), (10, 1, 50), (10, 1, 5))
    assert groups.take(119, own_tokens=99, must_take=False) == [[0], [2]]
    assert groups.take(60, own_tokens=99, must_take=False) == [[1]]


def test_rows_are_not_expected_to_reach_their_limit():
    groups = waiting((10, 2, 50_000))
    assert groups.take(209, own_tokens=100, must_take=False) == []
    assert groups.take(210, own_tokens=100, must_take=False) == [[0, 1]]


@pytest.mark.parametrize(("room_tokens", "num_taken"), [(0, 1), (29, 1), (30, 2), (40, 3)])
def test_a_group_too_large_is_cut_when_something_must_run(room_tokens, num_taken):
    groups = waiting((10, 4, 10))
    taken = groups.take(room_tokens, own_tokens=99, must_take=True)
    assert taken == [list(range(num_taken))]
    assert groups.take(10**6, own_tokens=99, must_take=True) == [list(range(num_taken, 4))]


def test_requests_that_come_back_are_grouped_again():
    groups = waiting((10, 2, 10), (20, 1, 10))
    take_all(groups, 10**6)
    groups.put([2, 1, 0])
    assert take_all(groups, 10**6) == [[[1, 0]], [[2]]]
