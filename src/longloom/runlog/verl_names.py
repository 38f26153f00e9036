"""What verl calls our metrics, so that charts of both can be laid over each other.

Only names whose meaning is the same: the reward of a sequence is verl's score, for neither has a
KL term in it. What has no counterpart keeps our name alone.
"""

from collections.abc import Mapping

VERL_NAMES: Mapping[str, str] = {
    "reward/mean": "critic/score/mean",
    "rollout/response_tokens": "response_length/mean",
    "rollout/truncated_fraction": "response_length/clip_ratio",
    "rollout/turns": "num_turns/mean",
    "training/clipped_fraction": "actor/pg_clipfrac",
    "training/entropy_nats": "actor/entropy",
    "training/grad_norm": "actor/grad_norm",
    "training/kl_nats": "actor/kl_loss",
    "training/learning_rate": "actor/lr",
    "training/loss": "actor/pg_loss",
    "training/policy_shift_nats": "actor/ppo_kl",
    "training/step_seconds": "timing_s/step",
    "validation/reward_mean": "val-core/all/reward/mean@1",
}
"""Name in verl by our name."""


def with_verl_names(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return metrics under our names, and again under verl's where it has one."""
    aliases = {VERL_NAMES[name]: value for name, value in metrics.items() if name in VERL_NAMES}
    return {**metrics, **aliases}
