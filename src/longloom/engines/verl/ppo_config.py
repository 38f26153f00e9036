"""verl's configuration of a stage of reinforcement learning, as it differs from `ppo_trainer`.

What a batch is, who is asked and what is learned is decided by Longloom's parts within verl, which
read the section `longloom`; verl's own counterparts are turned off here, so that nothing is done
twice: its filter of groups, its validation, its correction of the sampler's mismatch, its shuffle.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from longloom.engines.local_config import LoraConfig, OptimizerConfig
from longloom.engines.verl.actor_settings import CPU_ROLLOUT, add_actor
from longloom.engines.verl.cluster_config import VERL_FOLDER, ClusterConfig
from longloom.engines.verl.cluster_layout import ClusterLayout, StageLengths
from longloom.engines.verl.hydra_file import Reference, Settings
from longloom.engines.verl.prefix_settings import SHARING_SETTINGS
from longloom.engines.verl.stage_settings import SECTION, VerlStageSettings

TRAINER = "longloom"
"""Name under which the trainer is registered with verl."""
EXAMPLES_FILE = "examples.parquet"
"""Examples within their folder."""
QUESTION_TOKENS = 4_000
"""Room for the question and the wording in a call of the memory agent; assumed."""
_PACKAGE = "pkg://longloom.engines.verl"
_JUDGE_PROMPT_TOKENS = 8_192
_JUDGE_REPLY_TOKENS = 4_096
_JUDGE_FRACTION = 0.85
_CPU_STORE_BYTES = 150_000_000


def stage_lengths(stage: VerlStageSettings) -> StageLengths:
    """Return the longest rows of a stage: of one call, for the memory agent makes many.

    Its prompt is a section, memory and plan, and the question; merging the memories of several
    readers takes as many memories instead.
    """
    training, memory = stage.training, stage.memory
    prompt, response = training.max_prompt_tokens, training.max_response_tokens
    if stage.agent == "memory":
        read = max(
            memory.chunk_tokens + memory.memory_tokens, memory.segments * memory.memory_tokens
        )
        prompt = min(prompt, read + QUESTION_TOKENS)
        response = max(response, memory.update_tokens)
    return StageLengths(
        prompt_tokens=prompt,
        response_tokens=response,
        num_prompts=training.sampling.batch_size,
        group_size=training.group_size,
    )


def ppo_settings(
    stage: VerlStageSettings,
    cluster: ClusterConfig,
    layout: ClusterLayout,
    *,
    optimizer: OptimizerConfig,
    lora: LoraConfig | None = None,
    trackers: Sequence[str] = (),
    ray_init: Mapping[str, Any] | None = None,
) -> Settings:
    """Return what differs from verl's `ppo_trainer`, the cluster's overrides last.

    Args:
        stage: what Longloom's parts within verl are told.
        cluster: what is used of the cluster.
        layout: how the stage is divided.
        optimizer: how gradients become steps.
        lora: adapters in place of all weights.
        trackers: verl's trackers beside the console.
        ray_init: further arguments of `ray.init`.

    Raises:
        ConfigError: verl cannot express a setting, or an override contradicts others.
    """
    settings, lengths = Settings(), stage_lengths(stage)
    _add_trainer(settings, stage, cluster, layout, trackers)
    _add_algorithm(settings)
    _add_examples(settings, stage, lengths)
    add_actor(settings, stage, cluster, layout, lengths, optimizer=optimizer, lora=lora)
    settings.set("critic.enable", False)
    _add_reward(settings, stage, cluster, layout)
    _add_ray(settings, cluster, layout, ray_init or {})
    settings.set(SECTION, stage.model_dump(mode="json"))
    if cluster.shares_prompts:
        for name, value in SHARING_SETTINGS.items():
            settings.set(name, value, "the prompt of a group is computed once")
    add_overrides(settings, cluster)
    return settings


def add_overrides(settings: Settings, cluster: ClusterConfig) -> None:
    """Put the cluster's overrides in place of what was set.

    Raises:
        ConfigError: one sets a group that has settings, or a setting within one that has none.
    """
    for name, value in cluster.overrides.items():
        settings.set(name, value, "cluster.overrides")


def _add_trainer(
    settings: Settings,
    stage: VerlStageSettings,
    cluster: ClusterConfig,
    layout: ClusterLayout,
    trackers: Sequence[str],
) -> None:
    checkpoints = stage.training.checkpoints
    settings.group(
        "trainer",
        {
            "use_v1": True,
            "v1.trainer_mode": TRAINER,
            f"v1.{TRAINER}": {},
            "nnodes": layout.num_nodes,
            "n_gpus_per_node": layout.gpus_per_node,
            "device": cluster.device,
            "project_name": "longloom",
            "experiment_name": stage.stage,
            "logger": ["console", *trackers],
            "total_epochs": 1,
            "total_training_steps": stage.training.num_steps,
            "save_freq": checkpoints.every_steps,
            "default_local_dir": str(Path(stage.folder) / VERL_FOLDER),
            "resume_mode": "auto",
        },
    )
    settings.set(
        "trainer.max_actor_ckpt_to_keep",
        checkpoints.keep_last + 1,
        "verl removes the oldest before it calls the newest complete",
    )
    settings.set("trainer.test_freq", -1, "held-out questions are asked by Longloom's trainer")
    settings.set("trainer.val_before_train", False)


def _add_algorithm(settings: Settings) -> None:
    settings.set("algorithm.adv_estimator", "grpo", "computed by Longloom's trainer")
    settings.set("algorithm.use_kl_in_reward", False)
    settings.set("algorithm.filter_groups.enable", False, "Longloom's trainer draws again itself")
    correction = "algorithm.rollout_correction"
    settings.set(f"{correction}.bypass_mode", False, "AEPO needs the entropies of this pass")
    settings.set(f"{correction}.rollout_is", None, "the correction is in the advantages")


def _add_examples(settings: Settings, stage: VerlStageSettings, lengths: StageLengths) -> None:
    memory = stage.memory
    prompt = "longest prompt"
    if stage.agent == "memory":
        prompt = (
            f"of one call: section {memory.chunk_tokens:,} + memory {memory.memory_tokens:,} + "
            f"question {QUESTION_TOKENS:,}, at most {stage.training.max_prompt_tokens:,}"
        )
    path = str(Path(stage.examples) / EXAMPLES_FILE)
    settings.group(
        "data",
        {
            "train_files": path,
            "val_files": path,
            "custom_cls.path": f"{_PACKAGE}.dataset",
            "custom_cls.name": "StageDataset",
        },
    )
    settings.set("data.train_batch_size", lengths.num_prompts, "P")
    settings.set("data.max_prompt_length", lengths.prompt_tokens, prompt)
    settings.set("data.max_response_length", lengths.response_tokens)
    settings.set("data.shuffle", False, "the dataset has the order")
    settings.set("data.seed", stage.seed)
    settings.set(
        f"data.{SECTION}", Reference(f"${{{SECTION}}}"), "verl shows the dataset this group alone"
    )
    settings.set("data.dataloader_num_workers", 0, "the trainer feeds the dataset")
    settings.set("data.filter_overlong_prompts", False)
    settings.set("data.truncation", "error")


def _add_reward(
    settings: Settings, stage: VerlStageSettings, cluster: ClusterConfig, layout: ClusterLayout
) -> None:
    is_cuda = cluster.device == "cuda"
    settings.group(
        "reward",
        {
            "num_workers": layout.num_workers,
            "reward_manager.source": "importlib",
            "reward_manager.name": "HybridRewardManager",
            "reward_manager.module.path": f"{_PACKAGE}.reward",
        },
    )
    server = "reward.reward_model"
    settings.set(f"{server}.rollout.name", cluster.rollout_backend if is_cuda else CPU_ROLLOUT)
    if not cluster.judge_model:
        return
    gpus, per_node = cluster.num_judge_gpus, cluster.gpus_per_node
    num_nodes = -(-gpus // per_node)
    own = gpus // num_nodes
    degree = own & -own  # the largest power of two that divides it
    settings.set(f"{server}.enable", True)
    settings.set(f"{server}.enable_resource_pool", True, "GPUs of its own, asked while sampling")
    settings.set(f"{server}.nnodes", num_nodes)
    settings.set(f"{server}.n_gpus_per_node", own, f"{gpus} / {num_nodes}")
    settings.set(f"{server}.model_path", cluster.judge_model)
    settings.set(
        "reward.custom_reward_function.path",
        f"{_PACKAGE}.reward",
        "never called; without one verl takes the model for one that gives scores",
    )
    settings.set("reward.custom_reward_function.name", "HybridRewardManager")
    reply = stage.judge.max_reply_tokens if stage.judge else _JUDGE_REPLY_TOKENS
    settings.group(
        f"{server}.rollout",
        {
            "gpu_memory_utilization": _JUDGE_FRACTION,
            "prompt_length": _JUDGE_PROMPT_TOKENS,
            "response_length": reply,
            "enforce_eager": False,
        },
    )
    settings.set(
        f"{server}.rollout.max_model_len",
        _JUDGE_PROMPT_TOKENS + reply,
        f"{_JUDGE_PROMPT_TOKENS:,} + judge.max_reply_tokens {reply:,}",
    )
    settings.set(
        f"{server}.rollout.tensor_model_parallel_size", degree, f"a power of two that divides {own}"
    )
    settings.set(
        f"{server}.rollout.free_cache_engine", False, "verl would put it to sleep and never wake it"
    )


def _add_ray(
    settings: Settings,
    cluster: ClusterConfig,
    layout: ClusterLayout,
    ray_init: Mapping[str, Any],
) -> None:
    units = "transfer_queue.backend.SimpleStorage.num_data_storage_units"
    group = "ray_kwargs.ray_init"
    if cluster.device == "cpu":
        settings.set(units, 1)
        if not cluster.ray_address:
            settings.set(f"{group}.num_gpus", cluster.num_gpus, "as verl counts its processes")
            settings.set(f"{group}.num_cpus", 16, "slots, not cores")
            settings.set(f"{group}.include_dashboard", False)
            settings.set(f"{group}.object_store_memory", _CPU_STORE_BYTES)
    else:
        settings.set(units, max(8, 2 * layout.num_nodes), "two a node, at least 8")
    if cluster.ray_address:
        settings.set(f"{group}.address", cluster.ray_address)
        if cluster.device == "cpu":
            variables = {"OMP_NUM_THREADS": "1", "VERL_PLATFORM": "cpu"}
            settings.set(f"{group}.runtime_env.env_vars", variables, "its nodes may not have them")
    settings.group(group, ray_init)
