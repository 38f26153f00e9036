"""verl's settings of optimizer and learning rate that step as the local engine does.

The local engine warms up by (s + 1) / (w + 1) of the peak in step s of w, and so is never at 0
(`training.schedule`). verl's constant schedule has s / w: its first step learns nothing. What says
the same in verl:

    FSDP       its cosine counted from 1, of w + 1 steps, that falls to 1 of the peak: constant
    Megatron   a linear warm-up of w steps that starts at 1 / (w + 1) of the peak
"""

from typing import Any

from longloom.engines.local_config import LoraConfig, OptimizerConfig
from longloom.errors import ConfigError
from longloom.training.schedule import ScheduleKind


def fsdp_optimizer(
    optimizer: OptimizerConfig,
    *,
    peak: float,
    max_grad_norm: float,
    warmup_steps: int,
    num_steps: int,
    kind: ScheduleKind = "constant",
) -> dict[str, Any]:
    """Return the group `optim` of verl's FSDP engine."""
    found = {
        "lr": peak,
        "betas": [optimizer.beta_first, optimizer.beta_second],
        "weight_decay": optimizer.weight_decay,
        "override_optimizer_config": {"eps": optimizer.epsilon},
        "clip_grad": max_grad_norm,
        "lr_warmup_steps_ratio": 0.0,
        "total_training_steps": num_steps,
    }
    if kind == "constant" and not warmup_steps:
        return {**found, "lr_scheduler_type": "constant", "lr_warmup_steps": -1}
    # verl's cosine is cos(2 pi n (s - w) / (N - w - 1)) where ours is cos(pi (s - w) / (N - w)).
    after = max(1, num_steps - warmup_steps)
    return {
        **found,
        "lr_scheduler_type": "cosine",
        "zero_indexed_step": False,
        "lr_warmup_steps": warmup_steps + 1,
        "min_lr_ratio": 1.0 if kind == "constant" else 0.0,
        "num_cycles": 0.5 * max(1, after - 1) / after,
    }


def megatron_optimizer(
    optimizer: OptimizerConfig,
    *,
    peak: float,
    max_grad_norm: float,
    warmup_steps: int,
    num_steps: int,
) -> dict[str, Any]:
    """Return the group `optim` of verl's Megatron engine."""
    return {
        "lr": peak,
        "betas": [optimizer.beta_first, optimizer.beta_second],
        "weight_decay": optimizer.weight_decay,
        "override_optimizer_config": {
            "adam_beta1": optimizer.beta_first,
            "adam_beta2": optimizer.beta_second,
            "adam_eps": optimizer.epsilon,
        },
        "clip_grad": max_grad_norm,
        "lr_warmup_steps_ratio": 0.0,
        "lr_warmup_steps": warmup_steps,
        "lr_warmup_init": peak / (warmup_steps + 1),
        "lr_decay_style": "constant",
        "total_training_steps": num_steps,
    }


def adapter_settings(lora: LoraConfig | None) -> dict[str, Any]:
    """Return the settings of verl's `model` for low-rank adapters; none without them.

    Raises:
        ConfigError: alpha is no whole number, which verl wants.
    """
    if lora is None:
        return {}
    if lora.alpha != int(lora.alpha):
        raise ConfigError(
            f"engine.lora.alpha is {lora.alpha:g}; verl takes whole numbers alone: set "
            f"engine.lora.alpha={max(1, round(lora.alpha))}"
        )
    return {
        "lora_rank": lora.rank,
        "lora_alpha": int(lora.alpha),
        "target_modules": list(lora.target_modules),
        "lora.merge": True,
    }
