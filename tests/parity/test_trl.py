"""Our pure functions against TRL's own, where it is installed.

TRL's loss is a method of its trainer; it is called on an object with the settings it reads, and
log-probabilities in place of a model.
"""

from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch

from longloom.models.logprob_head import logprobs_and_entropies
from longloom.training.advantages import (
    batch_std_advantages,
    group_mean_std_advantages,
    mean_only_advantages,
)
from longloom.training.loss_config import LossConfig
from longloom.training.negative_clipping import negative_keep_mask
from longloom.training.negative_clipping_config import NegativeClippingConfig
from parity.padded import NEEDS, grouped_rewards, our_loss, random_batch

pytest.importorskip("trl", reason=f"TRL {NEEDS}")

SEEDS = range(4)
LOSS_TYPES = {"token_mean": "dapo", "sequence_mean": "grpo"}


def trainer(batch, *, loss_type="dapo", clip=(0.2, 0.2), beta=0.0, corrects=False):
    """Return what `GRPOTrainer._compute_loss` reads of its trainer."""
    settings = {
        "delta": None,
        "use_bias_correction_kl": False,
        "steps_per_generation": 1,
    }
    return SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *a, **k: (
            batch.logprobs,
            batch.logprobs.detach().abs(),
            None,
        ),
        _metrics={"train": defaultdict(list)},
        _entropy_bonus_enabled=False,
        accelerator=SimpleNamespace(
            num_processes=1,
            gather=lambda tensor: tensor,
            reduce=lambda tensor, reduction: tensor,
            pad_across_processes=lambda tensor, **_: tensor,
        ),
        args=SimpleNamespace(**settings),
        aux_loss_enabled=False,
        beta=beta,
        current_gradient_accumulation_steps=1,
        epsilon_high=clip[1],
        epsilon_low=clip[0],
        importance_sampling_level="token",
        loss_type=loss_type,
        model=SimpleNamespace(training=True),
        off_policy_mask_threshold=None,
        top_entropy_quantile=1.0,
        use_vllm=corrects,
        vllm_importance_sampling_correction=corrects,
    )


def their_loss(batch, self, **inputs):
    from trl import GRPOTrainer

    ids = torch.zeros(batch.mask.shape, dtype=torch.int64)
    return GRPOTrainer._compute_loss(
        self,
        None,
        {
            "prompt_ids": ids[:, :1],
            "prompt_mask": ids[:, :1],
            "completion_ids": ids,
            "completion_mask": batch.mask.double(),
            "advantages": batch.advantages,
            "old_per_token_logps": batch.old_logprobs,
            "num_items_in_batch": batch.mask.sum().double(),
            **inputs,
        },
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("aggregation", LOSS_TYPES)
@pytest.mark.parametrize("clip", [(0.2, 0.2), (0.1, 0.3)])
def test_clipped_losses_and_their_gradients_are_trls(seed, aggregation, clip):
    batch = random_batch(seed)
    batch.logprobs.requires_grad_()
    self = trainer(batch, loss_type=LOSS_TYPES[aggregation], clip=clip)
    theirs = their_loss(batch, self)
    config = LossConfig(aggregation=aggregation, clip_low=clip[0], clip_high=clip[1])
    ours, metrics = our_loss(batch, config)
    torch.testing.assert_close(ours, theirs)
    gradients = [torch.autograd.grad(loss, batch.logprobs)[0] for loss in (ours, theirs)]
    torch.testing.assert_close(gradients[0], gradients[1])
    if aggregation == "token_mean":
        (clipped,) = self._metrics["train"]["clip_ratio/region_mean"]
        assert metrics["training/clipped_fraction"].item() == pytest.approx(clipped)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_kl_term_is_trls(seed):
    batch = random_batch(seed)
    theirs = their_loss(batch, trainer(batch, beta=0.3), ref_per_token_logps=batch.ref_logprobs)
    ours, _ = our_loss(
        batch, LossConfig(kl_coefficient=0.3), ref_logprobs=batch.packed("ref_logprobs")
    )
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("seed", SEEDS)
def test_truncated_importance_sampling_is_trls(seed):
    batch = random_batch(seed)
    ratio = (batch.old_logprobs - batch.rollout_logprobs).exp().clamp(max=1.5)
    theirs = their_loss(batch, trainer(batch, corrects=True), importance_sampling_ratio=ratio)
    ours, _ = our_loss(
        batch, LossConfig(importance_cap=1.5), rollout_logprobs=batch.packed("rollout_logprobs")
    )
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("seed", SEEDS)
def test_advantages_divide_by_trls_standard_deviation(seed):
    """TRL's arithmetic stands inside its generation; its `nanstd` is what it divides by."""
    from trl.trainer.utils import nanstd

    rewards, group_ids = grouped_rewards(seed)
    groups = rewards.view(5, 4)
    centred = (groups - groups.mean(1, keepdim=True)).flatten()
    torch.testing.assert_close(mean_only_advantages(rewards, group_ids), centred)
    by_group = nanstd(groups, dim=1).repeat_interleave(4)
    torch.testing.assert_close(
        group_mean_std_advantages(rewards, group_ids, epsilon=1e-4), centred / (by_group + 1e-4)
    )
    torch.testing.assert_close(
        batch_std_advantages(rewards, group_ids, epsilon=1e-4), centred / (nanstd(rewards) + 1e-4)
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_high_entropy_tokens_are_trls(seed):
    """Up to the token at the quantile itself, which TRL counts as high and we keep."""
    from trl import GRPOTrainer

    batch = random_batch(seed, num_rows=1, num_columns=11, dtype=torch.float32)
    full = torch.ones(1, 11, dtype=torch.bool)
    entropies = batch.logprobs.abs()
    theirs = GRPOTrainer.get_high_entropy_mask(trainer(batch), entropies, full, 0.8)[0]
    clipping = NegativeClippingConfig(mode="token", threshold=0.8)
    ours = ~negative_keep_mask(
        entropies[0], -torch.ones(11), torch.zeros(11, dtype=torch.int64), clipping
    )
    # Of 11 the 0.8 quantile is the 9th: 3 at or above it, 2 above it.
    assert int(theirs.sum()) == 3
    assert int(ours.sum()) == 2
    assert bool((ours <= theirs).all())


@pytest.mark.parametrize("seed", SEEDS)
def test_logprobs_and_entropies_of_logits_are_trls(seed):
    from trl.trainer.utils import entropy_from_logits, selective_log_softmax

    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(9, 5, generator=generator)
    weight = torch.randn(23, 5, generator=generator)
    token_ids = torch.randint(23, (9,), generator=generator)
    logits = hidden @ weight.T / 0.7
    logprobs, entropies = logprobs_and_entropies(hidden, weight, token_ids, temperature=0.7)
    torch.testing.assert_close(logprobs, selective_log_softmax(logits, token_ids))
    torch.testing.assert_close(entropies, entropy_from_logits(logits))
