import math

import pytest

from longloom.training.schedule import learning_rate_at


def rates(num_steps, **settings):
    return [
        learning_rate_at(s, peak=1.0, num_steps=num_steps, **settings) for s in range(num_steps)
    ]


def test_the_rate_rises_in_equal_steps_and_then_stays():
    assert rates(6, warmup_steps=3) == pytest.approx([1 / 4, 2 / 4, 3 / 4, 1, 1, 1])


def test_without_warm_up_the_rate_is_constant():
    assert rates(3) == [1.0, 1.0, 1.0]


def test_a_cosine_falls_from_the_peak_by_half_a_wave():
    # Four steps after one of warm-up: angles of 0, 1/4, 2/4, 3/4 of pi.
    expected = [0.5, *[(1 + math.cos(math.pi * part / 4)) / 2 for part in range(4)]]
    assert rates(5, warmup_steps=1, kind="cosine") == pytest.approx(expected)


def test_a_warm_up_longer_than_the_stage_never_reaches_the_peak():
    assert max(rates(3, warmup_steps=9, kind="cosine")) == pytest.approx(0.3)
