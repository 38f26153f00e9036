from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.errors import ConfigError, DataError
from longloom.training.curriculum import (
    RetrospectiveConfig,
    difficulty_bin,
    draw_equal_from_bins,
    in_length_band,
    length_band,
    retrospective_weights,
    sample_retrospective,
)

LIMITS = [96, 192, 384]


@pytest.mark.parametrize(
    ("num_prompt_tokens", "band"),
    [(1, 0), (96, 0), (97, 1), (192, 1), (193, 2), (384, 2), (385, None)],
)
def test_band_is_open_below_and_closed_above(num_prompt_tokens, band):
    assert length_band(num_prompt_tokens, LIMITS) == band


def test_two_stages_of_one_length_leave_the_second_band_empty():
    assert length_band(120, [60, 120, 120]) == 1


def test_falling_limits_are_refused():
    with pytest.raises(ConfigError, match="do not fall"):
        length_band(1, [192, 96])


@given(num_prompt_tokens=st.integers(1, 500))
def test_every_length_is_in_exactly_the_band_that_is_named(num_prompt_tokens):
    bounds = list(zip([0, *LIMITS[:-1]], LIMITS, strict=True))
    holding = [
        band
        for band, (low, high) in enumerate(bounds)
        if in_length_band(num_prompt_tokens, lower_tokens=low, upper_tokens=high)
    ]
    band = length_band(num_prompt_tokens, LIMITS)
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
    chosen = draw_equal_from_bins(RATES, num_bins=4, seed=0)
    assert Counter(difficulty_bin(RATES[example_id], 4) for example_id in chosen) == {
        0: 2,
        2: 2,
        3: 2,
    }


def test_bins_give_no_more_than_asked():
    chosen = draw_equal_from_bins(RATES, num_bins=4, max_per_bin=1, seed=0)
    assert Counter(difficulty_bin(RATES[example_id], 4) for example_id in chosen) == {
        0: 1,
        2: 1,
        3: 1,
    }


def test_bins_of_nothing_give_nothing():
    assert draw_equal_from_bins({}, num_bins=4, seed=0) == []


def test_less_than_one_bin_is_refused():
    with pytest.raises(ConfigError, match="num_bins"):
        draw_equal_from_bins(RATES, num_bins=0, seed=0)
