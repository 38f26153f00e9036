"""The CPU at hand, measured."""

import pytest

from longloom.engines.local_config import LocalEngineConfig
from longloom.engines.machine import resolve
from longloom.recipes import api
from longloom.recipes.planning.calibration import _fitted, calibrate
from longloom.recipes.planning.known_models import model_sizes
from longloom.recipes.planning.operations import answer_operations, context_operations
from longloom.recipes.planning.rates import DecodingLoad
from tiny_folder import toy


def test_terms_are_found_again() -> None:
    rows = [(1.0, 10.0, 1.0), (1.0, 100.0, 20.0), (1.0, 100.0, 400.0), (1.0, 1_000.0, 3.0)]
    seconds = [2 * each + 0.5 * linear + 0.25 * keys for each, linear, keys in rows]
    assert _fitted(rows, seconds) == pytest.approx((2, 0.5, 0.25))


def test_no_term_is_negative() -> None:
    rows = [(1.0, 10.0, 1.0), (1.0, 100.0, 20.0), (1.0, 100.0, 400.0)]
    found = _fitted(rows, [30.0, 20.0, 10.0])
    assert all(term >= 0 for term in found)
    assert any(found)


def test_measured_rates_never_fall_with_the_work() -> None:
    """They are measured: on a busy machine a term may be lost in the noise, and is 0 then."""
    sizes = model_sizes(str(toy().model))
    rates = calibrate(sizes, resolve(LocalEngineConfig(device="cpu")))
    short, long = context_operations(sizes, 100), context_operations(sizes, 10_000)
    assert 0 < rates.prefill_seconds(short, 1) <= rates.prefill_seconds(long, 1)
    answer = answer_operations(sizes, 100, 10)
    assert rates.training_seconds(answer, 1) <= rates.training_seconds(answer.times(1_000), 1)
    few = DecodingLoad(rows=1, groups=1, prompt_tokens=10, own_tokens=1)
    many = DecodingLoad(rows=1_000, groups=1, prompt_tokens=10, own_tokens=1)
    assert rates.step_seconds(few).rows <= rates.step_seconds(many).rows
    assert rates.step_seconds(few).overhead > 0
    assert rates.optimizer_seconds(10) == pytest.approx(10 * rates.optimizer_seconds(1))


def test_a_recipe_is_planned_for_the_cpu_at_hand() -> None:
    parts = toy()
    plan = api.plan("tiny-cpu", cpu=True, model=str(parts.model))
    assert plan.machine.num_devices == 1
    assert 0 < plan.total_seconds < 36_000
    assert plan.fits
