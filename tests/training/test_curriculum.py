from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.errors import ConfigError, DataError
from longloom.training.curriculum import (
    RetrospectiveConfig,
    difficulty_bin,
    draw_from_bins,
    in_length_band,
    retrospective_weights,
    sample_retrospective,
)

LIMITS = [96, 192, 384]


@pytest.mark.parametrize(
    ("num_prompt_tokens", "band"),
    [(1, 0), (96, 0), (97, 1), (192, 1), (193, 2), (384, 2), (385, None)],
)
def test_a_band_is_open_below_and_closed_above(num_prompt_tokens, band):
    bounds = zip([0, *LIMITS[:-1]], LIMITS, strict=True)
    holding = [
        index
        for index, (low, high) in enumerate(bounds)
        if in_length_band(num_prompt_tokens, lower_tokens=low, upper_tokens=high)
    ]
    assert holding == ([] if band is None else [band])


def test_retrospective_weights_are_inverse_mean_rewards():
    # 1 / 0.5 = 2, 1 / 1 = 1, and 1 / epsilon = 4 for a reward of 0; together 7.
    weights = retrospective_weights({"half": 0.5, "always": 1.0, "never": 0.0}, epsilon=0.25)
    assert weights == pytest.approx({"half": 2 / 7, "always": 1 / 7, "never": 4 / 7})


REWARDS = {"a": 0.0, "b": 0.5, "c": 0.0, "d": 0.25}


def test_zero_accuracy_brings_back_only_what_was_never_solved():
    assert sorted(sample_retrospective(RetrospectiveConfig(), REWARDS, seed=0)) == ["a", "c"]


def test_hardest_first_goes_up_in_mean_reward():
    config = RetrospectiveConfig(kind="hardest_first", max_examples=3)
    found = sample_retrospective(config, REWARDS, seed=0)
    assert sorted(found[:2]) == ["a", "c"]
    assert found[2:] == ["d"]


def test_off_brings_nothing_back():
    assert sample_retrospective(RetrospectiveConfig(kind="off"), REWARDS, seed=0) == []


def test_inverse_reward_draws_in_proportion_to_the_weights():
    config = RetrospectiveConfig(kind="inverse_reward", max_examples=1, epsilon=0.25)
    rewards = {"half": 0.5, "always": 1.0, "never": 0.0}
    drawn = Counter(sample_retrospective(config, rewards, seed=seed)[0] for seed in range(3000))
    # Expected shares 2/7, 1/7, 4/7; four standard errors of 3,000 draws are below 0.037.
    assert drawn["half"] / 3000 == pytest.approx(2 / 7, abs=0.037)
    assert drawn["always"] / 3000 == pytest.approx(1 / 7, abs=0.037)
    assert drawn["never"] / 3000 == pytest.approx(4 / 7, abs=0.037)


@given(
    rewards=st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=8),
    kind=st.sampled_from(["hardest_first", "inverse_reward", "zero_accuracy"]),
    max_examples=st.none() | st.integers(0, 5),
    seed=st.integers(0, 100),
)
def test_retrospective_sample_is_unique_bounded_and_independent_of_order(
    rewards, kind, max_examples, seed
):
    config = RetrospectiveConfig(kind=kind, max_examples=max_examples)
    found = sample_retrospective(config, rewards, seed=seed)
    backwards = dict(reversed(list(rewards.items())))
    assert sample_retrospective(config, backwards, seed=seed) == found
    assert len(found) == len(set(found)) <= (len(rewards) if max_examples is None else max_examples)


@pytest.mark.parametrize(
    ("pass_rate", "expected"), [(0.0, 0), (0.24, 0), (0.25, 1), (0.99, 3), (1.0, 3)]
)
def test_difficulty_bins_have_equal_widths(pass_rate, expected):
    assert difficulty_bin(pass_rate, 4) == expected


def test_pass_rate_outside_zero_to_one_is_refused():
    with pytest.raises(DataError, match="pass rate"):
        difficulty_bin(1.01, 4)


RATES = {"a": 0.0, "b": 0.1, "c": 0.2, "d": 0.6, "e": 0.7, "f": 1.0, "g": 0.9}


def test_bins_give_as_many_as_the_smallest_of_them_holds():
    # Bins of width 0.25: a b c | none | d e | f g.
    chosen = draw_from_bins(RATES, num_bins=4, seed=0)
    assert Counter(difficulty_bin(RATES[example_id], 4) for example_id in chosen) == {
        0: 2,
        2: 2,
        3: 2,
    }


def test_bins_give_no_more_than_asked():
    chosen = draw_from_bins(RATES, num_bins=4, max_per_bin=1, seed=0)
    assert Counter(difficulty_bin(RATES[example_id], 4) for example_id in chosen) == {
        0: 1,
        2: 1,
        3: 1,
    }


def strong_model_rates():
    """Return a thousand pass rates of a strong model: 8, 12, 80 and 900 by quarters."""
    sizes = {0.1: 8, 0.3: 12, 0.6: 80, 0.9: 900}
    return {f"{rate}-{n}": rate for rate, size in sizes.items() for n in range(size)}


def counts_of(chosen, rates):
    return Counter(difficulty_bin(rates[example_id], 4) for example_id in chosen)


@pytest.mark.parametrize(
    ("num_examples", "expected"),
    [
        (500, [8, 12, 80, 400]),  # the three small ones give all they have
        (112, [8, 12, 46, 46]),  # 112 - 20 is shared by two
        (30, [8, 8, 7, 7]),  # an equal share is 7; the two left over go to the hardest
        (2, [1, 1, 0, 0]),
        (5_000, [8, 12, 80, 900]),
    ],
)
def test_small_bins_give_all_they_have_and_the_others_share_the_rest(num_examples, expected):
    rates = strong_model_rates()
    chosen = draw_from_bins(rates, num_bins=4, num_examples=num_examples, seed=0)
    assert len(set(chosen)) == len(chosen) == min(num_examples, 1_000)
    assert [counts_of(chosen, rates)[index] for index in range(4)] == expected


def test_a_limit_per_bin_holds_for_shared_numbers_too():
    rates = strong_model_rates()
    chosen = draw_from_bins(rates, num_bins=4, num_examples=500, max_per_bin=50, seed=0)
    assert counts_of(chosen, rates) == {0: 8, 1: 12, 2: 50, 3: 50}


@given(sizes=st.lists(st.integers(0, 30), min_size=4, max_size=4), num_examples=st.integers(1, 130))
def test_no_bin_is_passed_over_for_a_fuller_one(sizes, num_examples):
    rates = {f"{b}-{n}": b / 4 for b, size in enumerate(sizes) for n in range(size)}
    counts = counts_of(draw_from_bins(rates, num_bins=4, num_examples=num_examples, seed=0), rates)
    assert counts.total() == min(num_examples, sum(sizes))
    most = max(counts.values(), default=0)
    assert all(counts[b] in (size, most, most - 1) for b, size in enumerate(sizes))


def test_bins_of_nothing_give_nothing():
    assert draw_from_bins({}, num_bins=4, seed=0) == []


def test_less_than_one_bin_is_refused():
    with pytest.raises(ConfigError, match="num_bins"):
        draw_from_bins(RATES, num_bins=0, seed=0)
