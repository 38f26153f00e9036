"""verl's configuration of supervised fine-tuning, as it differs from `sft_trainer_engine`.

verl's trainer draws the order of an epoch itself and drops what does not fill a batch, where the
local engine takes the rest as a smaller one; so steps and rows of an epoch's end differ. It runs on
FSDP2, whatever trains later: the next stage reads its Hugging Face folder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from longloom.engines.local_config import LoraConfig, OptimizerConfig
from longloom.engines.verl.actor_settings import add_model, fsdp_settings
from longloom.engines.verl.cluster_config import VERL_FOLDER, ClusterConfig
from longloom.engines.verl.cluster_layout import ClusterLayout, StageLengths
from longloom.engines.verl.hydra_file import Settings
from longloom.engines.verl.optimizer_settings import fsdp_optimizer
from longloom.engines.verl.ppo_config import add_overrides
from longloom.errors import ConfigError
from longloom.training.sft import SftConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class SftStage:
    """A stage of supervised fine-tuning on a cluster."""

    stage: str
    """Its name."""
    seed: int
    """Seed of verl's order."""
    config: SftConfig
    """What is learned how."""
    model: str
    """Folder of the model it starts from."""
    rows: str
    """File of the rows, as `SftRowsDataset` reads them; every node must see it."""
    num_rows: int
    """Rows in it that are short enough."""
    folder: str
    """The stage's folder; every node must see it."""

    @property
    def num_steps(self) -> int:
        """Steps that verl takes: whole batches alone."""
        return self.config.num_epochs * (self.num_rows // self.config.batch_size)


def sft_lengths(config: SftConfig) -> StageLengths:
    """Return the longest row."""
    return StageLengths(
        prompt_tokens=1,
        response_tokens=max(1, config.max_tokens - 1),
        num_prompts=config.batch_size,
        group_size=1,
        samples=False,
    )


def sft_settings(
    stage: SftStage,
    cluster: ClusterConfig,
    layout: ClusterLayout,
    *,
    optimizer: OptimizerConfig,
    lora: LoraConfig | None = None,
    trackers: Sequence[str] = (),
) -> Settings:
    """Return what differs from verl's `sft_trainer_engine`, the cluster's overrides last.

    Raises:
        ConfigError: a batch cannot be divided, there are too few rows, or verl cannot express a
            setting.
    """
    _check(stage, layout)
    settings, config = Settings(), stage.config
    _add_rows(settings, stage, layout)
    add_model(settings, "model", stage.model, cluster, lora)
    settings.set("engine.strategy", "fsdp2")
    for name, (value, reason) in fsdp_settings(cluster, layout, stage.seed).items():
        settings.set(f"engine.{name}", value, reason)
    optim = fsdp_optimizer(
        optimizer,
        peak=config.learning_rate,
        max_grad_norm=config.max_grad_norm,
        warmup_steps=round(config.warmup_fraction * stage.num_steps),
        num_steps=stage.num_steps,
        kind=config.schedule,
    )
    settings.group("optim", optim)
    settings.set("checkpoint.save_contents", ["model", "optimizer", "extra"])
    settings.group(
        "trainer",
        {
            "device": cluster.device,
            "nnodes": layout.num_nodes,
            "n_gpus_per_node": layout.gpus_per_node,
            "project_name": "longloom",
            "experiment_name": stage.stage,
            "logger": ["console", *trackers],
            "seed": stage.seed,
            "total_epochs": config.num_epochs,
            "save_freq": config.checkpoints.every_steps,
            "default_local_dir": str(Path(stage.folder) / VERL_FOLDER),
            "resume_mode": "auto",
            "test_freq": -1,
        },
    )
    settings.set(
        "trainer.max_ckpt_to_keep",
        config.checkpoints.keep_last + 1,
        "verl removes the oldest before it calls the newest complete",
    )
    settings.set(
        "trainer.total_training_steps",
        stage.num_steps,
        f"{config.num_epochs} epochs x ({stage.num_rows:,} rows // {config.batch_size})",
    )
    add_overrides(settings, cluster)
    return settings


def _add_rows(settings: Settings, stage: SftStage, layout: ClusterLayout) -> None:
    config = stage.config
    settings.group(
        "data",
        {
            "train_files": stage.rows,
            "custom_cls.path": "pkg://longloom.engines.verl.sft_dataset",
            "custom_cls.name": "SftRowsDataset",
            "train_batch_size": config.batch_size,
            "max_length": config.max_tokens,
            "truncation": "error",
            "pad_mode": "no_padding",
            "use_dynamic_bsz": True,
            "num_workers": 0,
        },
    )
    reason = layout.reasons.get("update_tokens_per_gpu", "")
    settings.set("data.max_token_len_per_gpu", layout.update_tokens_per_gpu, reason)


def _check(stage: SftStage, layout: ClusterLayout) -> None:
    batch, parts = stage.config.batch_size, layout.data_parallel
    if batch % parts:
        raise ConfigError(
            f"stage {stage.stage!r}: sft.batch_size is {batch} and verl divides a batch by "
            f"{parts}; expected a multiple: set sft.batch_size={parts * -(-batch // parts)}"
        )
    if stage.num_rows < batch:
        raise ConfigError(
            f"stage {stage.stage!r} has {stage.num_rows} rows that are short enough and "
            f"sft.batch_size is {batch}; verl learns whole batches alone: lower sft.batch_size, or "
            "give more rows"
        )
