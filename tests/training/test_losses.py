import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from longloom.errors import ConfigError
from longloom.training.loss_config import LossConfig, LossDenominators
from longloom.training.losses import k3_kl, policy_gradient_loss

# Three sequences of two tokens, packed.
LOGPROBS = torch.tensor([-1.0, -2.0, -0.5, -0.5, -3.0, -1.0], dtype=torch.float64)
ADVANTAGES = torch.tensor([1.0, 1.0, -2.0, -2.0, 0.0, 0.0], dtype=torch.float64)
LENGTHS = torch.full((6,), 2)
DENOMINATORS = LossDenominators(num_tokens=6, num_sequences=3)


def loss_and_gradient(config, denominators=DENOMINATORS, **inputs):
    logprobs = LOGPROBS.clone().requires_grad_()
    inputs.setdefault("old_logprobs", None)
    loss, metrics = policy_gradient_loss(
        logprobs,
        inputs.pop("old_logprobs"),
        ADVANTAGES,
        config,
        denominators,
        sequence_tokens=LENGTHS,
        **inputs,
    )
    loss.backward()
    return loss.item(), logprobs.grad.tolist(), metrics


def test_on_policy_loss_is_minus_the_mean_advantage_and_its_gradient_the_advantages():
    loss, gradient, metrics = loss_and_gradient(LossConfig())
    # (1 + 1 - 2 - 2) / 6 tokens.
    assert loss == pytest.approx(2 / 6)
    assert gradient == pytest.approx([-1 / 6, -1 / 6, 2 / 6, 2 / 6, 0, 0])
    assert metrics["training/clipped_fraction"].item() == 0
    assert metrics["training/importance_ratio_mean"].item() == pytest.approx(1)


def test_token_mean_divides_by_the_tokens_it_is_given():
    loss, _, _ = loss_and_gradient(LossConfig(), LossDenominators(num_tokens=12, num_sequences=3))
    assert loss == pytest.approx(2 / 12)


def test_sequence_mean_weighs_sequences_not_tokens():
    logprobs = torch.zeros(4, requires_grad=True)
    loss, _ = policy_gradient_loss(
        logprobs,
        None,
        torch.tensor([3.0, 1.0, 1.0, 1.0]),
        LossConfig(aggregation="sequence_mean"),
        LossDenominators(num_tokens=4, num_sequences=2),
        sequence_tokens=torch.tensor([1, 3, 3, 3]),
    )
    loss.backward()
    assert loss.item() == pytest.approx(-(3 / 1 + 3 / 3) / 2)
    assert logprobs.grad.tolist() == pytest.approx([-3 / 2, -1 / 6, -1 / 6, -1 / 6])


def test_clipping_stops_the_gradient_of_tokens_that_moved_far_enough():
    # Ratio 1.5 everywhere: clipped for positive advantages (1.2), not for negative ones.
    old = LOGPROBS - math.log(1.5)
    loss, gradient, metrics = loss_and_gradient(LossConfig(), old_logprobs=old)
    assert loss == pytest.approx(-(1.2 + 1.2 - 3 - 3) / 6)
    assert gradient == pytest.approx([0, 0, 3 / 6, 3 / 6, 0, 0])
    assert metrics["training/clipped_fraction"].item() == pytest.approx(2 / 6)


def test_low_clip_applies_to_negative_advantages():
    # Ratio 0.5: min(r A, clip(r) A) is 0.5 * 1 for positive and 0.8 * -2 for negative ones.
    old = LOGPROBS + math.log(2)
    loss, gradient, _ = loss_and_gradient(LossConfig(), old_logprobs=old)
    assert loss == pytest.approx(-(0.5 + 0.5 - 1.6 - 1.6) / 6)
    assert gradient == pytest.approx([-0.5 / 6, -0.5 / 6, 0, 0, 0, 0])


def test_kl_term_is_the_k3_estimate():
    reference = LOGPROBS + math.log(2)
    loss, _, metrics = loss_and_gradient(LossConfig(kl_coefficient=0.1), ref_logprobs=reference)
    k3 = 2 - math.log(2) - 1
    assert metrics["training/kl_nats"].item() == pytest.approx(k3)
    assert loss == pytest.approx(2 / 6 + 0.1 * k3)


def test_k3_gradient_is_one_minus_the_probability_ratio():
    logprobs = torch.tensor([-1.0], requires_grad=True)
    k3_kl(logprobs, torch.tensor([-1.0 + math.log(3)])).sum().backward()
    assert logprobs.grad.item() == pytest.approx(1 - 3, rel=1e-5)


def test_importance_correction_is_capped_and_not_differentiated():
    # Trainer over sampler probability: 0.5 for the first token, 4 (capped at 2) for the others.
    factors = torch.tensor([0.5, 4, 4, 4, 4, 4], dtype=torch.float64)
    loss, gradient, metrics = loss_and_gradient(
        LossConfig(importance_cap=2.0), rollout_logprobs=LOGPROBS - factors.log()
    )
    assert loss == pytest.approx(-(0.5 + 2 - 4 - 4) / 6)
    assert gradient == pytest.approx([-0.5 / 6, -2 / 6, 4 / 6, 4 / 6, 0, 0])
    assert metrics["training/importance_correction_mean"].item() == pytest.approx(10.5 / 6)


def test_extreme_log_ratios_stay_finite():
    loss, gradient, _ = loss_and_gradient(
        LossConfig(kl_coefficient=1.0),
        old_logprobs=LOGPROBS - 1e4,
        ref_logprobs=LOGPROBS + 1e4,
    )
    assert math.isfinite(loss)
    assert all(math.isfinite(value) for value in gradient)


@pytest.mark.parametrize(
    ("config", "missing"),
    [
        (LossConfig(kl_coefficient=0.1), "ref_logprobs"),
        (LossConfig(importance_cap=2.0), "rollout_logprobs"),
        (LossConfig(aggregation="sequence_mean"), "sequence_tokens"),
    ],
)
def test_missing_input_is_named(config, missing):
    with pytest.raises(ConfigError, match=missing):
        policy_gradient_loss(LOGPROBS, None, ADVANTAGES, config, DENOMINATORS)


def test_zero_denominator_is_refused():
    with pytest.raises(ConfigError, match="num_tokens"):
        loss_and_gradient(LossConfig(), LossDenominators(num_tokens=0, num_sequences=1))


@given(
    seed=st.integers(0, 10_000),
    lengths=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    cut_after=st.integers(0, 20),
    aggregation=st.sampled_from(["sequence_mean", "token_mean"]),
)
def test_micro_batches_add_up_to_the_whole_wherever_they_are_cut(
    seed, lengths, cut_after, aggregation
):
    generator = torch.Generator().manual_seed(seed)
    num_tokens = sum(lengths)
    columns = [torch.randn(num_tokens, generator=generator, dtype=torch.float64) for _ in range(5)]
    tokens = torch.tensor([length for length in lengths for _ in range(length)])
    config = LossConfig(aggregation=aggregation, kl_coefficient=0.3, importance_cap=1.5)
    denominators = LossDenominators(num_tokens=num_tokens, num_sequences=len(lengths))

    def run(part):
        logprobs = columns[0][part].clone().requires_grad_()
        loss, metrics = policy_gradient_loss(
            logprobs,
            columns[1][part],
            columns[2][part],
            config,
            denominators,
            sequence_tokens=tokens[part],
            ref_logprobs=columns[3][part],
            rollout_logprobs=columns[4][part],
        )
        loss.backward()
        return torch.stack([loss.detach(), *metrics.values()]), logprobs.grad

    whole, whole_gradient = run(slice(None))
    first, first_gradient = run(slice(0, cut_after))
    second, second_gradient = run(slice(cut_after, None))
    torch.testing.assert_close(first + second, whole)
    torch.testing.assert_close(torch.cat([first_gradient, second_gradient]), whole_gradient)


@given(seed=st.integers(0, 10_000), num_padding=st.integers(1, 5))
def test_tokens_without_advantage_change_nothing_but_the_denominator(seed, num_padding):
    generator = torch.Generator().manual_seed(seed)
    logprobs = torch.randn(4, generator=generator, dtype=torch.float64)
    advantages = torch.randn(4, generator=generator, dtype=torch.float64)
    padding = torch.zeros(num_padding, dtype=torch.float64)
    bare, _ = policy_gradient_loss(logprobs, None, advantages, LossConfig(), DENOMINATORS)
    padded, _ = policy_gradient_loss(
        torch.cat([logprobs, padding]),
        None,
        torch.cat([advantages, padding]),
        LossConfig(),
        DENOMINATORS,
    )
    torch.testing.assert_close(padded, bare)
