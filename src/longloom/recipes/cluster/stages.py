"""Carry out a stage of a run on a cluster, in the folder of its key, by verl."""

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from longloom.engines.model_sizes import ModelSizes, read_sizes
from longloom.engines.verl.checkpoint import write_model
from longloom.engines.verl.cluster_config import VERL_FOLDER, ClusterConfig, saved_step
from longloom.engines.verl.hydra_file import HydraFile
from longloom.engines.verl.interfaces import check_version
from longloom.engines.verl.launch import run_to_end
from longloom.engines.verl.longer_window import write_longer_folder
from longloom.engines.verl.resuming import settle_checkpoints
from longloom.engines.verl.stage_file import BASE_BY_BACKEND, CPU_ENVIRONMENT, stage_file
from longloom.engines.verl.stage_settings import VerlStageSettings
from longloom.errors import CheckpointError, ConfigError
from longloom.recipes.cluster.recorder import RECORDER
from longloom.recipes.run_config import RunConfig, StageConfig
from longloom.runlog import METRICS_FILE, MetricLog, atomic_folder, read_metrics
from longloom.training.checkpoints import CheckpointConfig
from longloom.training.stage_inputs import StepListener, StepResult

FILE_NAME = "verl"
"""verl's file in a stage's folder, without `.yaml`: what `--config-name` takes."""
FINAL = "final"
_LONGER_FOLDER = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterStage:
    """A stage with the folders that it reads and writes."""

    config: RunConfig
    """The run."""
    stage: StageConfig
    """The stage."""
    start: Path
    """Model folder that it starts from."""
    examples: Path
    """Folder of its examples."""
    folder: Path
    """Its own folder."""

    @property
    def cluster(self) -> ClusterConfig:
        """What is used of the cluster."""
        assert self.config.cluster is not None
        return self.config.cluster

    @property
    def is_megatron(self) -> bool:
        """Whether Megatron divides the network; fine-tuning is FSDP2's."""
        return self.cluster.train_backend == "megatron" and self.stage.sft is None

    @property
    def verl_folder(self) -> Path:
        """Verl's checkpoints."""
        return self.folder / VERL_FOLDER


def check_on_cluster(config: RunConfig, stage: StageConfig, start: Path) -> None:
    """Refuse what the cluster's engine cannot do, before anything runs.

    Args:
        config: the run.
        stage: one of its stages.
        start: a model folder of the sizes that it starts from.

    Raises:
        MissingDependencyError: verl is not installed.
        ConfigError: the best policy is to be kept, adapters are trained, or verl cannot express a
            setting.
        EngineError: the stage does not fit the cluster, or another verl is installed.
    """
    if stage.merge is not None:
        return
    check_version()
    refuse_unsupported(config, stage)
    one = ClusterStage(config=config, stage=stage, start=start, examples=Path(), folder=Path())
    if stage.training is not None:
        file_of(one, read_sizes(start))


def refuse_unsupported(config: RunConfig, stage: StageConfig) -> None:
    """Refuse settings of a stage that the cluster's engine has nothing for.

    Raises:
        ConfigError: one is set; names it.
    """
    assert config.cluster is not None
    if config.cluster.judge_model and config.judge is None:
        raise ConfigError(
            f"cluster.judge_model is {config.cluster.judge_model!r} and judge is null, so nobody "
            "would ask it; set judge (its address is that of the served model in training, and "
            "where evaluation finds one otherwise), or leave judge_model out"
        )
    trained = stage.training or stage.sft
    if trained is not None and trained.checkpoints.keep_best != "none":
        raise ConfigError(
            f"stage {stage.name!r}: checkpoints.keep_best is {trained.checkpoints.keep_best}; on "
            "verl the last steps are kept alone: set it to none, or train with --engine local"
        )
    if config.engine.lora is not None:
        raise ConfigError(
            "engine.lora is set; on verl all weights are trained: set engine.lora=null, or train "
            "with --engine local"
        )


def file_of(one: ClusterStage, sizes: ModelSizes) -> HydraFile:
    """Return verl's file of a stage of reinforcement learning.

    Raises:
        ConfigError: verl cannot express a setting.
        EngineError: the stage does not fit the cluster.
    """
    return stage_file(
        settings_of_stage(one), one.cluster, sizes, optimizer=one.config.engine.optimizer
    )


def settings_of_stage(one: ClusterStage) -> VerlStageSettings:
    """Return what the plugin is told of a stage of reinforcement learning."""
    config, stage = one.config, one.stage
    assert stage.training is not None
    return VerlStageSettings(
        stage=stage.name,
        seed=config.seed,
        agent="memory" if stage.kind == "memory" else "single_pass",
        template=config.template,
        training=stage.training,
        reward=config.reward,
        judge=config.judge,
        memory=config.memory,
        model=str(one.start.resolve()),
        examples=str(one.examples.resolve()),
        folder=str(one.folder.resolve()),
        keyed_sampling=one.cluster.keyed_sampling or one.cluster.device == "cpu",
        logged_groups=config.logged_groups,
        recorder=RECORDER,
    )


def reinforce_on_cluster(one: ClusterStage, told: StepListener) -> Path:
    """Train a stage of reinforcement learning, from its last checkpoint; return its model.

    Args:
        one: the stage.
        told: is shown every step that the trainer has written down.

    Raises:
        ConfigError: verl cannot express a setting.
        EngineError: the stage does not fit the cluster, or verl failed.
        LongloomError: the stage cannot go on; the message says why and what to do.
    """
    final = one.folder / FINAL
    if final.exists():
        return final
    if "${" in str(one.folder.resolve()):
        raise ConfigError(
            f"the run folder is {one.folder.resolve()}; verl's configuration takes ${{...}} in a "
            "path for a reference to another setting: choose another folder with --output"
        )
    one = with_longer_window(one)
    assert one.stage.training is not None
    num_steps = one.stage.training.num_steps
    num_done = steps_to_go_on_from(one)
    if num_done < num_steps:
        file = file_of(one, read_sizes(one.start))
        one.folder.mkdir(parents=True, exist_ok=True)
        file.write(one.folder / f"{FILE_NAME}.yaml")
        check_overrides(one, BASE_BY_BACKEND[one.cluster.train_backend])
        command = [
            sys.executable, "-m", "verl.trainer.main_ppo",
            "--config-path", str(one.folder.resolve()), "--config-name", FILE_NAME,
        ]  # fmt: skip
        forget_later_steps(one.folder / METRICS_FILE, num_done)
        steps = FollowedSteps(one.folder / METRICS_FILE, told, after=num_done)
        run_to_end(command, one.folder, environment=environment_of(one.cluster), look=steps.look)
    return finish(one, num_steps)


def steps_to_go_on_from(one: ClusterStage) -> int:
    """Return the step to go on after; its checkpoint is whole, and nothing later is left.

    Raises:
        CheckpointError: there are checkpoints, and none is whole.
        ConfigError: they are of another number of ranks.
    """
    trained = one.stage.training or one.stage.sft
    assert trained is not None
    return settle_checkpoints(
        one.verl_folder,
        num_ranks=one.cluster.num_gpus,
        keep_last=trained.checkpoints.keep_last,
        has_state=one.stage.sft is None,
        is_megatron=one.is_megatron,
    )


def check_overrides(one: ClusterStage, base: str) -> None:
    """Ask verl's own classes about its file, where a user has changed it; Hydra asks nobody.

    Raises:
        ConfigError: a setting is unknown or of the wrong kind.
    """
    if not one.cluster.overrides:
        return
    path = (one.folder / f"{FILE_NAME}.yaml").resolve()
    run_to_end(
        [sys.executable, "-m", "longloom.engines.verl.file_checks", str(path), base],
        one.folder,
        environment=environment_of(one.cluster),
        look=lambda: None,
    )


def with_longer_window(one: ClusterStage) -> ClusterStage:
    """Return a stage that lengthens the window, with a start folder that says so."""
    if one.stage.yarn is None:
        return one
    start = write_longer_folder(one.start, one.stage.yarn, one.folder / _LONGER_FOLDER)
    return ClusterStage(
        config=one.config, stage=one.stage, start=start, examples=one.examples, folder=one.folder
    )


def environment_of(cluster: ClusterConfig) -> dict[str, str]:
    """Return the variables that verl's processes need."""
    found = {"HYDRA_FULL_ERROR": "1", "TOKENIZERS_PARALLELISM": "false"}
    if cluster.device == "cpu":
        found |= {**CPU_ENVIRONMENT, "OMP_NUM_THREADS": "1"}
        if not cluster.ray_address:
            found["RAY_ADDRESS"] = "local"  # one with processes for GPUs is started, never joined
    return found


def finish(one: ClusterStage, num_steps: int) -> Path:
    """Write the model of the last step, forget verl's checkpoints, and return its folder.

    Raises:
        CheckpointError: verl's last step is not the stage's last, or its shards are damaged.
    """
    step = saved_step(one.verl_folder)
    if step != num_steps:
        raise CheckpointError(
            f"verl ended after step {step} of {num_steps} of {one.stage.name!r}; expected all; run "
            "the same command again, which resumes from there"
        )
    trained = one.stage.training or one.stage.sft
    assert trained is not None
    with atomic_folder(one.folder / FINAL, error_class=CheckpointError) as partial:
        write_model(
            one.verl_folder / f"global_step_{step}",
            partial,
            like=one.start,
            is_megatron=one.is_megatron,
        )
    forget_steps(one.folder, trained.checkpoints)
    return one.folder / FINAL


def forget_steps(folder: Path, checkpoints: CheckpointConfig) -> None:
    """Remove what verl has kept of a finished stage, unless several steps are to stay."""
    if checkpoints.keep_last == 1 and (folder / FINAL).exists():  # as the local engine
        for name in (VERL_FOLDER, _LONGER_FOLDER):
            shutil.rmtree(folder / name, ignore_errors=True)


def forget_later_steps(path: Path, num_done: int) -> None:
    """Forget the figures of steps that will be done again.

    Raises:
        DataError: the file holds something else, or cannot be written.
    """
    if path.exists():
        with MetricLog(path) as log:
            log.discard_after(num_done)


class FollowedSteps:
    """Tells of steps that another process writes into metrics.jsonl."""

    def __init__(
        self,
        path: Path,
        told: StepListener,
        *,
        after: int,
        read: Callable[[Path], Mapping[int, Mapping[str, float]]] | None = None,
    ) -> None:
        """Follow a file of metrics, from the step behind `after`."""
        self._path = path
        self._told = told
        self._last = after
        self._read = read or metrics_by_step

    def look(self) -> None:
        """Tell of the steps that are new."""
        if not self._path.exists():
            return
        for step, metrics in sorted(self._read(self._path).items()):
            if step > self._last:
                self._told(StepResult(step=step, groups=(), metrics=metrics))
                self._last = step


def metrics_by_step(path: Path) -> dict[int, dict[str, float]]:
    """Return the figures of every step in a metrics.jsonl."""
    found: dict[int, dict[str, float]] = {}
    for row in read_metrics(path):
        found.setdefault(row.step, {}).update(row.metrics)
    return found
