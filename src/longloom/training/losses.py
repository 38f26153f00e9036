"""The policy-gradient loss over packed response tokens.

What it leaves out: it knows no task, group, entropy or mask. What the algorithms decide is in the
advantages, 0 where a mask removed a token. The default is the paper's: strictly on-policy, so the
importance ratio is 1 in value and its gradient is that of the log-probability; clipping is idle
and there is no KL term (QwenLong-L1.5, section 2.2, Eq. 4).

A batch may be cut into micro-batches anywhere, even inside a sequence: the denominators are those
of the whole batch, so losses, gradients and metrics of the micro-batches add up to the whole's.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from longloom.errors import ConfigError
from longloom.training.loss_config import LossConfig, LossDenominators

MAX_LOG_RATIO = 20.0
"""Log ratios are cut here before `exp`, as in verl, so that one stale token cannot overflow."""


def policy_gradient_loss(
    logprobs: Float[Tensor, " N"],
    old_logprobs: Float[Tensor, " N"] | None,
    advantages: Float[Tensor, " N"],
    config: LossConfig,
    denominators: LossDenominators,
    *,
    sequence_tokens: Int[Tensor, " N"] | None = None,
    ref_logprobs: Float[Tensor, " N"] | None = None,
    rollout_logprobs: Float[Tensor, " N"] | None = None,
) -> tuple[Float[Tensor, ""], Mapping[str, Float[Tensor, ""]]]:
    """Return the clipped policy-gradient loss and its metrics (QwenLong-L1.5, Eq. 4).

    Args:
        logprobs: Current policy, differentiable.
        old_logprobs: Policy before the update; None for a strictly on-policy step.
        advantages: One per token; constant.
        config: Clipping, KL and aggregation.
        denominators: Sizes of the whole batch.
        sequence_tokens: Length of the whole response each token belongs to; for `sequence_mean`.
        ref_logprobs: Reference policy; needed when `kl_coefficient` is above 0.
        rollout_logprobs: The sampler's; needed when `importance_cap` is set.

    Returns:
        The loss, and detached metrics that add up over micro-batches like the loss.

    Raises:
        ConfigError: an input that `config` needs is missing, or a denominator is not positive.

    Normalised by `denominators.num_tokens` (`token_mean`), or by each response's own length and
    `denominators.num_sequences` (`sequence_mean`).
    """
    weights = _token_weights(logprobs, config, denominators, sequence_tokens)
    old = logprobs.detach() if old_logprobs is None else old_logprobs.detach()
    ratio = (logprobs - old).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp()
    clipped_ratio = ratio.clamp(1 - config.clip_low, 1 + config.clip_high)
    gain = torch.minimum(ratio * advantages, clipped_ratio * advantages)
    is_clipped = clipped_ratio * advantages < ratio * advantages
    metrics = {
        "training/clipped_fraction": (is_clipped * weights).sum(),
        "training/importance_ratio_mean": (ratio.detach() * weights).sum(),
        "training/policy_shift_nats": ((old - logprobs.detach()) * weights).sum(),
    }
    if config.importance_cap is not None:
        sampler_logprobs = _required(rollout_logprobs, "rollout_logprobs", "importance_cap")
        correction = truncated_correction(old, sampler_logprobs, config.importance_cap)
        gain = gain * correction
        metrics["training/importance_correction_mean"] = (correction * weights).sum()
    loss = -(gain * weights).sum()
    if config.kl_coefficient > 0:
        reference = _required(ref_logprobs, "ref_logprobs", "kl_coefficient")
        kl_nats = (k3_kl(logprobs, reference) * weights).sum()
        loss = loss + config.kl_coefficient * kl_nats
        metrics["training/kl_nats"] = kl_nats.detach()
    return loss, metrics


def supervised_loss(
    logprobs: Float[Tensor, " N"], denominators: LossDenominators
) -> tuple[Float[Tensor, ""], Mapping[str, Float[Tensor, ""]]]:
    """Return the negative log-likelihood of the response tokens and its metric.

    QwenLong-L1, Eq. 11. The metric is detached and adds up over micro-batches like the loss.

    Raises:
        ConfigError: the denominator is not positive.

    Normalised by `denominators.num_tokens`.
    """
    loss = -logprobs.sum() / _positive(denominators.num_tokens, "num_tokens")
    return loss, {"training/nll_nats": loss.detach()}


def k3_kl(logprobs: Float[Tensor, " N"], ref_logprobs: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    """Return the k3 estimate of KL(policy || reference) at each token, never negative.

    k3 = exp(d) - d - 1 with d = reference - policy log-probability. Normalised by nothing.
    """
    difference = (ref_logprobs.detach() - logprobs).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
    return difference.exp() - difference - 1


def truncated_correction(
    old_logprobs: Float[Tensor, " N"], rollout_logprobs: Float[Tensor, " N"], cap: float
) -> Float[Tensor, " N"]:
    """Return min(trainer's / sampler's probability, cap) of each token, without gradient.

    A factor of the gain, so it may as well be one of the advantages. Normalised by nothing.
    """
    log_ratio = (old_logprobs - rollout_logprobs).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
    return log_ratio.exp().clamp(max=cap).detach()


def _token_weights(
    logprobs: Tensor,
    config: LossConfig,
    denominators: LossDenominators,
    sequence_tokens: Tensor | None,
) -> Float[Tensor, " N"]:
    if config.aggregation == "token_mean":
        divisor = _positive(denominators.num_tokens, "num_tokens")
        return torch.full_like(logprobs.detach(), 1 / divisor)
    divisor = _positive(denominators.num_sequences, "num_sequences")
    lengths = _required(sequence_tokens, "sequence_tokens", "aggregation=sequence_mean")
    return 1 / (lengths.to(logprobs.dtype) * divisor)


def _positive(divisor: int, name: str) -> int:
    if divisor < 1:
        raise ConfigError(
            f"{name} of the loss is {divisor}; expected at least 1; skip a batch without tokens"
        )
    return divisor


def _required(tensor: Tensor | None, name: str, setting: str) -> Tensor:
    if tensor is None:
        raise ConfigError(f"{name} is missing; the loss setting {setting} needs it; pass {name}")
    return tensor
