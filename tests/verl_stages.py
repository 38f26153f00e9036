"""Stages of recipes as Longloom's parts within verl are told of them."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longloom.engines.local_config import OptimizerConfig
from longloom.engines.verl.cluster_config import ClusterConfig
from longloom.engines.verl.layout import plan_layout
from longloom.engines.verl.ppo_config import ppo_settings, stage_lengths
from longloom.engines.verl.stage_settings import VerlStageSettings
from longloom.recipes.cluster.stages import ClusterStage, settings_of_stage
from longloom.recipes.model_source import resolve_model
from longloom.recipes.run_config import RunConfig, StageConfig


def verl_stage(
    config: RunConfig, stage: StageConfig, *, model="/models/start", folder="/runs/stage"
) -> VerlStageSettings:
    """Return a stage of reinforcement learning."""
    one = ClusterStage(
        config=config.replace(cluster=config.cluster or ClusterConfig()),
        stage=stage,
        start=Path(model),
        examples=Path("/runs/examples"),
        folder=Path(folder),
    )
    return settings_of_stage(one).replace(recorder="", keyed_sampling=False)


def settings_of(stage: VerlStageSettings, cluster, sizes, **options):
    """Return verl's settings of a stage."""
    layout = plan_layout(sizes, cluster, stage_lengths(stage), lora=options.get("lora"))
    options.setdefault("optimizer", OptimizerConfig())
    return ppo_settings(stage, cluster, layout, **options)


def write_model_folder(folder: Path, settings: Mapping[str, Any]) -> Path:
    """Write a folder with this config.json and tiny-base's tokenizer, without weights."""
    folder.mkdir(parents=True)
    for path in resolve_model("tiny-base").iterdir():
        if path.suffix != ".safetensors" and path.name != "config.json":
            shutil.copy(path, folder / path.name)
    kinds = {"qwen2": "Qwen2", "qwen3": "Qwen3", "qwen3_moe": "Qwen3Moe"}
    own = {
        "architectures": [f"{kinds[settings['model_type']]}ForCausalLM"],
        "max_position_embeddings": 262_144,
        **settings,
    }
    (folder / "config.json").write_text(json.dumps(own), "utf-8")
    return folder
