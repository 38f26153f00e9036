import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from longloom.errors import ConfigError
from longloom.records import Reward
from longloom.rewards.overlong import OverlongConfig, overlong_penalty, with_overlong_penalty

CONFIG = OverlongConfig(enabled=True, max_response_tokens=100, buffer_tokens=20)


@pytest.mark.parametrize(
    ("num_response_tokens", "expected"),
    [(0, 0), (80, 0), (81, -0.05), (90, -0.5), (100, -1), (101, -1), (10_000, -1)],
)
def test_penalty_grows_over_the_buffer(num_response_tokens, expected):
    assert overlong_penalty(num_response_tokens, CONFIG) == pytest.approx(expected)


def test_penalty_is_scaled_by_its_weight():
    assert overlong_penalty(90, CONFIG.replace(penalty=0.5)) == pytest.approx(-0.25)


def test_penalty_is_recorded_as_a_part_of_a_new_reward():
    reward = Reward(value=1.0, reward_parts={"rule": 1.0}, extracted_answer="x")
    penalised = with_overlong_penalty(reward, 90, CONFIG)
    assert penalised.value == pytest.approx(0.5)
    assert penalised.reward_parts == {"rule": 1.0, "overlong": -0.5}
    assert reward.value == 1.0


def test_disabled_penalty_changes_nothing():
    reward = Reward(value=1.0, reward_parts={"rule": 1.0}, extracted_answer="x")
    assert with_overlong_penalty(reward, 10**6, OverlongConfig()) is reward
    assert overlong_penalty(10**6, OverlongConfig()) == 0


def test_buffer_beyond_the_limit_is_refused():
    with pytest.raises(ValidationError, match="lower the buffer"):
        OverlongConfig(max_response_tokens=10, buffer_tokens=11)


def test_the_limit_is_the_stages_own_unless_it_is_given():
    config = OverlongConfig(enabled=True, buffer_tokens=20)
    assert config.for_limit(100) == CONFIG
    assert overlong_penalty(45, config.for_limit(50)) == pytest.approx(-0.75)
    assert CONFIG.for_limit(200) == CONFIG.for_limit(100) == CONFIG
    assert OverlongConfig(max_response_tokens=2_000).for_limit(1) == OverlongConfig(
        max_response_tokens=2_000
    )


def test_a_limit_beyond_the_stages_answers_is_refused():
    with pytest.raises(ConfigError, match="is 100, but answers are cut at 99 tokens"):
        CONFIG.for_limit(99)
    with pytest.raises(ConfigError, match=r"buffer_tokens is 20 and max_response_tokens is 19"):
        OverlongConfig(enabled=True, buffer_tokens=20).for_limit(19)


def test_a_penalty_without_a_limit_is_refused():
    with pytest.raises(ConfigError, match="is null; expected a number"):
        overlong_penalty(5, OverlongConfig(enabled=True))


@given(first=st.integers(0, 200), second=st.integers(0, 200))
def test_longer_answers_are_never_penalised_less(first, second):
    shorter, longer = sorted((first, second))
    assert -1 <= overlong_penalty(longer, CONFIG) <= overlong_penalty(shorter, CONFIG) <= 0
