"""Which prompts share a beginning, beside all ways to cut them into runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.models.prompt_groups import LEAST_FRACTION, LEAST_TOKENS, cluster_prompts

HEAD = tuple(range(LEAST_TOKENS))


@st.composite
def prompts_of_a_trie(draw, max_prompts=7):
    """Draw prompts along the paths of a tree whose edges are about as long as what is shared."""
    prompts = []
    for _ in range(draw(st.integers(1, max_prompts))):
        base = draw(st.sampled_from([(), *prompts]))
        kept = base[: draw(st.integers(0, len(base)))]
        edge = draw(st.integers(0, 3 * LEAST_TOKENS))
        prompts.append(kept + (draw(st.integers(0, 2)),) * edge + (9,))
    return prompts


def common_tokens(prompts):
    """Return how many tokens all contexts begin with; the slow way."""
    contexts = [prompt[:-1] for prompt in prompts]
    shortest = min(map(len, contexts))
    return next(
        (place for place in range(shortest) if len({each[place] for each in contexts}) > 1),
        shortest,
    )


def packed_tokens(prompts):
    """Return the context tokens that are computed."""
    total = 0
    for cluster in cluster_prompts(prompts):
        contexts = [len(prompts[group[0]]) - 1 for group in cluster.groups]
        total += sum(contexts) - (len(contexts) - 1) * cluster.beginning_tokens
    return total


def fewest_tokens(prompts):
    """Return the fewest that any way of cutting the sorted prompts into runs leaves."""
    if not prompts:
        return 0
    found = []
    for count in range(1, len(prompts) + 1):
        run = prompts[-count:]
        contexts = [len(prompt) - 1 for prompt in run]
        shared = common_tokens(run)
        is_shared = shared >= max(LEAST_TOKENS, LEAST_FRACTION * max(contexts))
        if count == 1 or is_shared:
            own = sum(contexts) - (count - 1) * shared
            found.append(own + fewest_tokens(prompts[:-count]))
    return min(found)


@given(prompts=prompts_of_a_trie())
def test_clusters_hold_every_prompt_once_and_share_what_they_have_in_common(prompts):
    clusters = cluster_prompts(prompts)
    indices = [index for cluster in clusters for group in cluster.groups for index in group]
    assert sorted(indices) == list(range(len(prompts)))
    for cluster in clusters:
        members = [prompts[group[0]] for group in cluster.groups]
        for group, prompt in zip(cluster.groups, members, strict=True):
            assert all(prompts[index] == prompt for index in group)
        assert len(set(members)) == len(members)
        if cluster.beginning_tokens:
            assert cluster.beginning_tokens == common_tokens(members)
        else:
            assert len(members) == 1


@given(prompts=prompts_of_a_trie(max_prompts=6))
def test_no_other_runs_leave_fewer_tokens(prompts):
    assert packed_tokens(prompts) == fewest_tokens(sorted(set(prompts)))


@given(prompts=prompts_of_a_trie(), chosen=st.sets(st.integers(0, 6)))
def test_parts_of_the_prompts_never_need_more_tokens_than_they_do_together(prompts, chosen):
    inside = [prompt for index, prompt in enumerate(prompts) if index in chosen]
    outside = [prompt for index, prompt in enumerate(prompts) if index not in chosen]
    assert packed_tokens(prompts) <= packed_tokens(inside) + packed_tokens(outside)


def test_equal_prompts_share_all_of_themselves_in_the_order_they_are_met():
    clusters = cluster_prompts([(3, 1), (2, 1), (3, 1)])
    assert [cluster.groups for cluster in clusters] == [((0, 2),), ((1,),)]
    assert {cluster.beginning_tokens for cluster in clusters} == {0}


def test_calls_that_read_one_section_share_it_and_first_calls_all_of_theirs():
    """Two rollouts, section first: no memory yet, then different ones, then the answers."""
    first, second = (1,) * 100, (2,) * 100
    prompts = [
        (*first, 9), (*second, 5, 9), (5, 9),
        (*first, 9), (*second, 6, 9), (6, 9),
    ]  # fmt: skip
    found = [(each.beginning_tokens, each.groups) for each in cluster_prompts(prompts)]
    assert found == [(100, ((1,), (4,))), (0, ((0, 3),)), (0, ((2,),)), (0, ((5,),))]


@pytest.mark.parametrize(
    ("common", "rest", "shared"),
    [
        (LEAST_TOKENS, 10, LEAST_TOKENS),
        (LEAST_TOKENS - 1, 10, 0),
        (LEAST_TOKENS, 3 * LEAST_TOKENS, LEAST_TOKENS),  # a quarter of the context
        (LEAST_TOKENS, 3 * LEAST_TOKENS + 1, 0),
    ],
)
def test_a_beginning_too_short_to_pay_is_not_shared(common, rest, shared):
    prompts = [HEAD[:common] + (token + 100,) * rest + (9,) for token in (1, 2)]
    assert {cluster.beginning_tokens for cluster in cluster_prompts(prompts)} == {shared}


def test_nothing_has_no_clusters():
    assert cluster_prompts([]) == []
