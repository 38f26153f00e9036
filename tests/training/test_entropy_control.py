import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from longloom.errors import CheckpointError, ConfigError, DataError, ModelError
from longloom.training.aepo_config import AepoConfig
from longloom.training.entropy_control import (
    AepoState,
    batch_entropy,
    denominator_tokens,
    entropy_bounds_nats,
    mask_negatives,
    update_latch,
)

CONFIG = AepoConfig(entropy_low=0.1, entropy_high=0.3)


def modes(entropies, config=CONFIG, state=None):
    found = []
    state = state or AepoState()
    for entropy_nats in entropies:
        state = update_latch(state, entropy_nats, config)
        found.append(state.negatives_on)
    return found


def test_negatives_go_off_above_the_upper_bound_and_return_below_the_lower():
    entropies = [0.2, 0.3, 0.31, 0.29, 0.2, 0.1, 0.09, 0.2, 0.31]
    assert modes(entropies) == [True, True, False, False, False, False, True, True, False]


def test_latch_follows_the_steps_of_figure_11():
    # Steps 87, 88, 89, 90, 93, 98, 103, 104, 105, 143 of the paper's first cycle.
    entropies = [0.268, 0.268, 0.260, 0.274, 0.247, 0.187, 0.138, 0.133, 0.140, 0.240]
    expected = [True, True, True, False, False, False, False, True, True, True]
    assert modes(entropies, AepoConfig(entropy_low=0.135, entropy_high=0.27)) == expected


def test_relative_bounds_are_multiples_of_the_first_entropy():
    config = AepoConfig(bounds="multiple_of_first", entropy_low=0.5, entropy_high=2.0)
    assert modes([0.4, 0.79, 0.81, 0.21, 0.19], config) == [True, True, False, False, True]


def test_disabled_control_never_turns_negatives_off_but_remembers_the_first_entropy():
    state = update_latch(AepoState(), 9.0, AepoConfig(enabled=False))
    assert state == AepoState(negatives_on=True, first_entropy_nats=9.0)


@given(
    entropies=st.lists(st.floats(0.1, 0.3), max_size=20),
    negatives_on=st.booleans(),
)
def test_mode_persists_within_the_band(entropies, negatives_on):
    state = AepoState(negatives_on=negatives_on, first_entropy_nats=0.2)
    assert set(modes(entropies, state=state)) <= {negatives_on}


def test_bounds_out_of_order_are_refused():
    with pytest.raises(ValidationError, match="expected entropy_low < entropy_high"):
        AepoConfig(entropy_low=0.3, entropy_high=0.3)


def test_zero_first_entropy_with_relative_bounds_is_refused():
    config = AepoConfig(bounds="multiple_of_first", entropy_low=0.5, entropy_high=2.0)
    with pytest.raises(ConfigError, match="absolute_nats"):
        entropy_bounds_nats(config, 0.0)


@pytest.mark.parametrize("entropy_nats", [float("nan"), float("inf")])
def test_entropy_that_is_not_finite_is_an_error(entropy_nats):
    with pytest.raises(ModelError, match="finite"):
        update_latch(AepoState(), entropy_nats, CONFIG)


def test_batch_entropy_is_the_mean_of_sequence_means_or_of_tokens():
    sequences = [[1.0, 2.0, 3.0], torch.tensor([6.0]), []]
    assert batch_entropy(sequences, "sequence_mean") == pytest.approx((2 + 6) / 2)
    assert batch_entropy(sequences, "token_mean") == pytest.approx(12 / 4)


def test_batch_entropy_of_no_tokens_is_an_error():
    with pytest.raises(DataError, match="no response token"):
        batch_entropy([[], ()], "sequence_mean")


@pytest.mark.parametrize("first", [None, 0.25])
def test_state_survives_json(first):
    state = AepoState(negatives_on=False, first_entropy_nats=first)
    assert AepoState.from_json(json.loads(json.dumps(state.to_json()))) == state


@pytest.mark.parametrize(
    "saved",
    [
        {},
        {"negatives_on": 1, "first_entropy_nats": None},
        {"negatives_on": True, "first_entropy_nats": "x"},
    ],
)
def test_damaged_state_is_refused(saved):
    with pytest.raises(CheckpointError, match="negatives_on"):
        AepoState.from_json(saved)


def test_mask_keeps_everything_while_negatives_are_on():
    advantages = torch.tensor([-1.0, 0.0, 1.0])
    assert mask_negatives(advantages, AepoState()).tolist() == [True, True, True]


def test_mask_drops_negative_rollouts_while_negatives_are_off():
    advantages = torch.tensor([-1.0, 0.0, 1.0])
    off = AepoState(negatives_on=False)
    assert mask_negatives(advantages, off).tolist() == [False, True, True]


def test_nothing_is_kept_when_negatives_are_off_and_nothing_is_positive():
    off = AepoState(negatives_on=False)
    assert not mask_negatives(torch.tensor([-1.0, 0.0, 0.0]), off).any()


def test_denominator_counts_all_or_kept_tokens():
    tokens = torch.tensor([10, 20, 30])
    kept = torch.tensor([True, False, True])
    assert denominator_tokens(tokens, kept, AepoConfig(denominator="all_tokens")) == 60
    assert denominator_tokens(tokens, kept, AepoConfig(denominator="kept_tokens")) == 40
    none = torch.zeros(3, dtype=torch.bool)
    assert denominator_tokens(tokens, none, AepoConfig(denominator="kept_tokens")) == 1
