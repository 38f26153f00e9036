import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from longloom.training.negative_clipping import negative_keep_mask
from longloom.training.negative_clipping_config import NegativeClippingConfig

# Three sequences of two tokens; the first and the last are negative.
ENTROPIES = torch.tensor([0.1, 0.9, 2.0, 3.0, 0.4, 1.0])
ADVANTAGES = torch.tensor([-1.0, -1.0, 2.0, 2.0, -0.5, -0.5])
SEQUENCES = torch.tensor([7, 7, 3, 3, 5, 5])


def dropped(**settings):
    mask = negative_keep_mask(ENTROPIES, ADVANTAGES, SEQUENCES, NegativeClippingConfig(**settings))
    return [position for position, keeps in enumerate(mask.tolist()) if not keeps]


def test_off_keeps_everything():
    assert dropped(mode="off", threshold_kind="absolute_nats", threshold=0.0) == []


def test_high_entropy_negative_tokens_are_dropped_by_absolute_threshold():
    assert dropped(mode="token", threshold_kind="absolute_nats", threshold=0.5) == [1, 5]


def test_low_entropy_negative_tokens_are_dropped_by_absolute_threshold():
    found = dropped(mode="token", side="low", threshold_kind="absolute_nats", threshold=0.5)
    assert found == [0, 4]


def test_sequences_are_judged_by_their_mean_entropy():
    # Means of the negatives: 0.5 and 0.7.
    assert dropped(mode="sequence", threshold_kind="absolute_nats", threshold=0.6) == [4, 5]
    found = dropped(mode="sequence", side="low", threshold_kind="absolute_nats", threshold=0.6)
    assert found == [0, 1]


def test_quantile_is_taken_among_negative_tokens():
    # Negative entropies in order: 0.1 0.4 0.9 1.0; the quantile 0.7 is the third (0.7 * 3 = 2.1).
    assert dropped(mode="token", threshold=0.7) == [5]
    assert dropped(mode="token", threshold=0.0) == [1, 4, 5]
    assert dropped(mode="token", threshold=1.0) == []


def test_quantile_of_sequences_weighs_each_sequence_once():
    assert dropped(mode="sequence", threshold=0.5) == [4, 5]


def test_batch_without_negatives_keeps_everything():
    config = NegativeClippingConfig(mode="token")
    assert negative_keep_mask(ENTROPIES, ADVANTAGES.abs(), SEQUENCES, config).all()


def test_quantile_above_one_is_refused():
    with pytest.raises(ValidationError, match="absolute_nats"):
        NegativeClippingConfig(threshold=1.5)


@given(
    entropies=st.lists(st.floats(0, 5, width=32), min_size=6, max_size=6),
    order=st.permutations(range(6)),
    mode=st.sampled_from(["sequence", "token"]),
    side=st.sampled_from(["high", "low"]),
    threshold=st.floats(0, 1),
)
def test_only_negatives_are_dropped_and_order_does_not_matter(
    entropies, order, mode, side, threshold
):
    config = NegativeClippingConfig(mode=mode, side=side, threshold=threshold)
    values = torch.tensor(entropies, dtype=torch.float64)
    mask = negative_keep_mask(values, ADVANTAGES, SEQUENCES, config)
    permutation = torch.tensor(order)
    permuted = negative_keep_mask(
        values[permutation], ADVANTAGES[permutation], SEQUENCES[permutation], config
    )
    assert mask[ADVANTAGES >= 0].all()
    assert torch.equal(permuted, mask[permutation])
