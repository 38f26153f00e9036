"""Our pure functions against verl's own, where it is installed."""

import pytest
import torch

from longloom.models.logprob_head import logprobs_and_entropies
from longloom.training.advantages import group_mean_std_advantages, mean_only_advantages
from longloom.training.entropy_control import batch_entropy
from longloom.training.loss_config import LossConfig
from longloom.training.losses import k3_kl
from parity.padded import NEEDS, grouped_rewards, our_loss, random_batch

verl = pytest.importorskip("verl.trainer.ppo.core_algos", reason=f"verl {NEEDS}")

SEEDS = range(4)
AGGREGATIONS = {"token_mean": "token-mean", "sequence_mean": "seq-mean-token-mean"}


def actor_config(**settings):
    from verl.workers.config import FSDPActorConfig

    return FSDPActorConfig(strategy="fsdp", rollout_n=1, ppo_micro_batch_size_per_gpu=1, **settings)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("divides", [True, False])
def test_group_advantages_are_verls(seed, divides):
    rewards, group_ids = grouped_rewards(seed)
    mask = torch.ones(len(rewards), 3)
    token_rewards = torch.zeros_like(mask)
    token_rewards[:, -1] = rewards
    theirs, _ = verl.compute_grpo_outcome_advantage(
        token_rewards, mask, group_ids.numpy(), norm_adv_by_std_in_grpo=divides
    )
    ours = (group_mean_std_advantages if divides else mean_only_advantages)(rewards, group_ids)
    torch.testing.assert_close(theirs, ours[:, None].expand_as(theirs), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("clip", [(0.2, 0.2), (0.1, 0.3)])
def test_clipped_losses_and_their_gradients_are_verls(seed, aggregation, clip):
    """Without dual clipping, which verl adds for ratios above 3 and neither paper names."""
    batch = random_batch(seed)
    batch.logprobs.requires_grad_()
    theirs, metrics = verl.compute_policy_loss_vanilla(
        batch.old_logprobs,
        batch.logprobs,
        batch.advantages,
        batch.mask.double(),
        AGGREGATIONS[aggregation],
        actor_config(clip_ratio_low=clip[0], clip_ratio_high=clip[1], clip_ratio_c=1e9),
    )
    config = LossConfig(aggregation=aggregation, clip_low=clip[0], clip_high=clip[1])
    ours, our_metrics = our_loss(batch, config)
    torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9)
    gradients = [torch.autograd.grad(loss, batch.logprobs)[0] for loss in (ours, theirs)]
    torch.testing.assert_close(gradients[0], gradients[1] * batch.mask, rtol=1e-7, atol=1e-9)
    if aggregation == "token_mean":
        assert metrics["actor/pg_clipfrac"] == pytest.approx(
            our_metrics["training/clipped_fraction"].item()
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_truncated_importance_sampling_is_verls(seed):
    from verl.trainer.ppo.rollout_corr_helper import compute_rollout_correction_weights

    batch = random_batch(seed)
    weights, _ = compute_rollout_correction_weights(
        batch.old_logprobs - batch.rollout_logprobs,
        batch.mask.double(),
        rollout_is="token",
        rollout_is_threshold=1.5,
    )
    theirs, _ = verl.compute_policy_loss_vanilla(
        batch.old_logprobs,
        batch.logprobs,
        batch.advantages,
        batch.mask.double(),
        "token-mean",
        actor_config(clip_ratio_c=1e9),
        rollout_is_weights=weights,
    )
    ours, _ = our_loss(
        batch, LossConfig(importance_cap=1.5), rollout_logprobs=batch.packed("rollout_logprobs")
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_k3_estimate_is_verls(seed):
    batch = random_batch(seed)
    theirs = verl.kl_penalty_forward(batch.logprobs, batch.ref_logprobs, "low_var_kl")
    ours = k3_kl(batch.logprobs.flatten(), batch.ref_logprobs.flatten())
    torch.testing.assert_close(ours, theirs.flatten())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_means_over_a_batch_are_verls(seed, aggregation):
    """`batch_entropy` is what verl's `agg_loss` makes of token entropies."""
    batch = random_batch(seed)
    entropies = batch.logprobs.abs()
    theirs = verl.agg_loss(entropies, batch.mask.double(), AGGREGATIONS[aggregation])
    rows = [row[keep] for row, keep in zip(entropies, batch.mask, strict=True)]
    assert batch_entropy(rows, aggregation) == pytest.approx(theirs.item(), rel=1e-7)


@pytest.mark.parametrize("seed", SEEDS)
def test_logprobs_and_entropies_of_logits_are_verls(seed):
    from verl.utils import torch_functional

    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(9, 5, generator=generator)
    weight = torch.randn(23, 5, generator=generator)
    token_ids = torch.randint(23, (9,), generator=generator)
    logits = hidden @ weight.T / 0.7
    logprobs, entropies = logprobs_and_entropies(hidden, weight, token_ids, temperature=0.7)
    torch.testing.assert_close(
        logprobs, torch_functional.logprobs_from_logits_naive(logits, token_ids)
    )
    torch.testing.assert_close(entropies, torch_functional.entropy_from_logits(logits))
