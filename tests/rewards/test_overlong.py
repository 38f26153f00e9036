import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

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


@given(first=st.integers(0, 200), second=st.integers(0, 200))
def test_longer_answers_are_never_penalised_less(first, second):
    shorter, longer = sorted((first, second))
    assert -1 <= overlong_penalty(longer, CONFIG) <= overlong_penalty(shorter, CONFIG) <= 0
