"""What of a cluster is used, and how.

But for `overrides`, which may be anything, none of it changes what is learned other than by
rounding.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, JsonValue, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from longloom.config import FrozenConfig

VERL_FOLDER = "verl"
"""In a stage's folder: verl's checkpoints."""
LATEST_FILE = "latest_checkpointed_iteration.txt"
"""There: the last complete step."""
_OWNED = (
    "actor_rollout_ref.actor.checkpoint.async_save", "actor_rollout_ref.actor.loss_agg_mode",
    "actor_rollout_ref.actor.policy_loss", "actor_rollout_ref.actor.ppo_epochs",
    "actor_rollout_ref.actor.ppo_mini_batch_size", "actor_rollout_ref.model.path",
    "actor_rollout_ref.rollout.agent.default_agent_loop", "actor_rollout_ref.rollout.n",
    "actor_rollout_ref.rollout.temperature", "actor_rollout_ref.rollout.top_p", "algorithm",
    "data", "defaults", "hydra", "longloom", "reward.reward_manager",
    "trainer.default_local_dir", "trainer.del_local_ckpt_after_load", "trainer.device",
    "trainer.max_actor_ckpt_to_keep", "trainer.max_ckpt_to_keep", "trainer.resume_from_path",
    "trainer.resume_mode", "trainer.save_freq", "trainer.test_freq", "trainer.total_epochs",
    "trainer.total_training_steps", "trainer.use_v1", "trainer.v1.trainer_mode",
    "trainer.val_before_train", "trainer.val_only",
)  # fmt: skip
"""Settings of verl that are the plugin's, with all below them."""


class ClusterConfig(FrozenConfig):
    """A cluster on which verl trains; how models are laid out over it follows from their sizes."""

    num_gpus: PositiveInt = 8
    """GPUs that train and sample, judges' not among them; on `device: cpu` processes."""
    gpus_per_node: PositiveInt = 8
    """GPUs of one node; a smaller `num_gpus` is one node of so many."""
    gpu_memory_gb: PositiveFloat = 80.0
    """Memory of one GPU in 10^9 bytes."""
    device: Literal["cpu", "cuda"] = "cuda"
    """What it trains on. `cpu` is there to try everything without a GPU: it trains on processes of
    this machine, and samples with Longloom's own sampler."""
    train_backend: Literal["fsdp2", "megatron"] = "fsdp2"
    """What divides the network for training."""
    rollout_backend: Literal["sglang", "vllm"] = "vllm"
    """What samples on GPUs."""
    shares_prompts: bool = False
    """Compute the prompt of a group once in training (`prefix_engine.py`); FSDP2 alone, without
    sequence parallelism."""
    keyed_sampling: bool = False
    """Give every request a seed of its own, so that a step repeated after a restart samples the
    same; costs speed in vLLM. Always so on `device: cpu`."""
    judge_model: str = ""
    """Model of a judge to serve on GPUs of its own; empty for none. The recipe's `judge` says how
    it is asked."""
    num_judge_gpus: NonNegativeInt = 0
    """GPUs of that judge, beside `num_gpus`."""
    ray_address: str = ""
    """Ray cluster to join, `auto` or as `ray start` printed it; empty starts one on this machine,
    or joins the one that RAY_ADDRESS names (on `device: cpu` it always starts one)."""
    overrides: dict[str, JsonValue] = Field(default_factory=dict)
    """Settings of verl by their dotted names, in place of what Longloom would set."""

    @model_validator(mode="after")
    def _overrides_leave_the_plugin_alone(self) -> Self:
        for name in self.overrides:
            if not all(name.split(".")):
                raise ValueError(f"overrides names {name!r}; expected a dotted name such as a.b.c")
            owned = next((own for own in _OWNED if f"{name}.".startswith(f"{own}.")), None)
            if owned is not None or any(own.startswith(f"{name}.") for own in _OWNED):
                raise ValueError(
                    f"overrides names {name!r}, which Longloom sets for its own trainer; change "
                    "the recipe's setting instead, or start verl by hand with another file"
                )
        return self

    @model_validator(mode="after")
    def _judge_has_gpus(self) -> Self:
        if bool(self.judge_model) != bool(self.num_judge_gpus):
            raise ValueError(
                f"judge_model is {self.judge_model!r} and num_judge_gpus is {self.num_judge_gpus}; "
                "expected both or neither"
            )
        num_nodes = max(1, -(-self.num_judge_gpus // self.gpus_per_node))
        if self.num_judge_gpus % num_nodes:
            raise ValueError(
                f"num_judge_gpus is {self.num_judge_gpus} and gpus_per_node is "
                f"{self.gpus_per_node}; expected as many on each of {num_nodes} nodes: a multiple"
            )
        return self

    @model_validator(mode="after")
    def _seeds_are_taken(self) -> Self:
        if self.keyed_sampling and self.rollout_backend == "sglang":
            raise ValueError(
                "keyed_sampling is on and rollout_backend is sglang, which takes no seed of a "
                "request; set rollout_backend=vllm, or keyed_sampling=false"
            )
        return self

    @model_validator(mode="after")
    def _nodes_are_whole(self) -> Self:
        if self.num_gpus > self.gpus_per_node and self.num_gpus % self.gpus_per_node:
            raise ValueError(
                f"num_gpus is {self.num_gpus} and gpus_per_node is {self.gpus_per_node}; expected "
                "whole nodes: a multiple"
            )
        return self

    @property
    def num_nodes(self) -> int:
        """Nodes that train."""
        return max(1, self.num_gpus // self.gpus_per_node)


def saved_step(folder: Path) -> int:
    """Return the last step that verl has completely written into its folder; 0 if there is none."""
    try:
        return int((folder / LATEST_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return 0
