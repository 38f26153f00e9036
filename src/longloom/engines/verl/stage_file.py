"""From a stage and a cluster to the file that verl is started with.

    stage, cluster, sizes -> plan_layout -> ppo_settings -> HydraFile

`stage_file(...)` and `sft_file(...)` are all that a recipe needs of the configuration:

    file = stage_file(settings, cluster, sizes, optimizer=..., lora=...)
    file.write(folder / "verl.yaml")
    # python -m verl.trainer.main_ppo --config-path FOLDER --config-name verl
    # torchrun --nproc-per-node 8 -m verl.trainer.sft_trainer --config-path FOLDER ...
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from longloom.engines.local_config import LoraConfig, OptimizerConfig
from longloom.engines.model_sizes import ModelSizes
from longloom.engines.verl.cluster_config import ClusterConfig
from longloom.engines.verl.cluster_layout import ClusterLayout
from longloom.engines.verl.hydra_file import HydraFile, Settings, hydra_text
from longloom.engines.verl.layout import plan_layout
from longloom.engines.verl.ppo_config import ppo_settings, stage_lengths
from longloom.engines.verl.sft_config import SftStage, sft_lengths, sft_settings
from longloom.engines.verl.stage_settings import VerlStageSettings

CPU_ENVIRONMENT: Mapping[str, str] = {"VERL_PLATFORM": "cpu"}
"""What verl's processes need in their environment on `device: cpu`."""
BASE_BY_BACKEND: Mapping[str, str] = {"fsdp2": "ppo_trainer", "megatron": "ppo_megatron_trainer"}
"""verl's own configuration under that of a stage of reinforcement learning."""
SFT_BASE = "sft_trainer_engine"
"""The same of supervised fine-tuning."""


def stage_file(
    stage: VerlStageSettings,
    cluster: ClusterConfig,
    sizes: ModelSizes,
    *,
    optimizer: OptimizerConfig,
    lora: LoraConfig | None = None,
    trackers: Sequence[str] = (),
    ray_init: Mapping[str, Any] | None = None,
) -> HydraFile:
    """Return the configuration of a stage of reinforcement learning.

    A longer window (YaRN) must be in the config.json of the folder that `stage.model` names:
    verl's `override_config` cannot set it, and its servers would not see it.

    Args:
        stage: what Longloom's parts within verl are told.
        cluster: what is used of the cluster, and settings of verl that come last.
        sizes: of the model.
        optimizer: how gradients become steps.
        lora: adapters in place of all weights.
        trackers: verl's trackers beside the console, as `tensorboard`.
        ray_init: further arguments of `ray.init`, as `_temp_dir`.

    Raises:
        ConfigError: settings contradict each other, or verl cannot express one.
        EngineError: the stage does not fit the cluster; says how many GPUs would do.
    """
    layout = plan_layout(sizes, cluster, stage_lengths(stage), lora=lora)
    settings = ppo_settings(
        stage,
        cluster,
        layout,
        optimizer=optimizer,
        lora=lora,
        trackers=trackers,
        ray_init=ray_init,
    )
    base = BASE_BY_BACKEND[cluster.train_backend]
    title = f"verl 0.9.1: stage {stage.stage} on {_described(cluster)}"
    return _file(settings, layout, base=base, folder=stage.folder, title=title)


def sft_file(
    stage: SftStage,
    cluster: ClusterConfig,
    sizes: ModelSizes,
    *,
    optimizer: OptimizerConfig,
    lora: LoraConfig | None = None,
    trackers: Sequence[str] = (),
) -> HydraFile:
    """Return the configuration of supervised fine-tuning, which runs on FSDP2.

    Raises:
        ConfigError: settings contradict each other, or verl cannot express one.
        EngineError: the stage does not fit the cluster; says how many GPUs would do.
    """
    plain = cluster.replace(train_backend="fsdp2", shares_prompts=False)
    layout = plan_layout(sizes, plain, sft_lengths(stage.config), lora=lora)
    settings = sft_settings(stage, plain, layout, optimizer=optimizer, lora=lora, trackers=trackers)
    title = f"verl 0.9.1: stage {stage.stage} on {_described(plain)}"
    return _file(settings, layout, base=SFT_BASE, folder=stage.folder, title=title)


def _file(
    settings: Settings, layout: ClusterLayout, *, base: str, folder: str, title: str
) -> HydraFile:
    text = hydra_text(settings, base=base, run_folder=str(Path(folder) / "hydra"), title=title)
    return HydraFile(text=text, settings=settings.nested(), layout=layout)


def _described(cluster: ClusterConfig) -> str:
    if cluster.device == "cpu":
        return f"{cluster.num_gpus} processes of a CPU"
    return (
        f"{cluster.num_gpus} GPUs of {cluster.gpu_memory_gb:g} GB ({cluster.train_backend}, "
        f"{cluster.rollout_backend})"
    )
