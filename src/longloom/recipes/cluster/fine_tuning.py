"""Supervised fine-tuning of a run's stage on a cluster, by verl's own trainer."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from longloom.engines.model_sizes import read_sizes
from longloom.engines.verl.launch import run_to_end
from longloom.engines.verl.sft_config import SftStage
from longloom.engines.verl.sft_dataset import write_sft_rows
from longloom.engines.verl.stage_file import SFT_BASE, sft_file
from longloom.recipes.cluster.stages import (
    FILE_NAME,
    FINAL,
    ClusterStage,
    FollowedSteps,
    check_overrides,
    environment_of,
    finish,
    steps_to_go_on_from,
    with_longer_window,
)
from longloom.recipes.run_config import RunConfig, StageConfig
from longloom.runlog import atomic_write_text
from longloom.training.sft import SftConfig, fitting_rows
from longloom.training.sft_rows import SftExample
from longloom.training.stage_inputs import StepListener

ROWS_FILE = "verl-rows.parquet"
STEPS_FILE = "verl-steps.jsonl"
"""verl's own figures of each step, by its logger `file`."""
_NAMES = {
    "train/global_tokens": "training/tokens",
    "train/loss": "training/nll_nats",
    "train/grad_norm": "training/grad_norm",
    "train/lr": "training/learning_rate",
}


def sft_stage_of(one: ClusterStage, num_rows: int) -> SftStage:
    """Return what verl's trainer is told of a stage with so many rows that fit."""
    assert one.stage.sft is not None
    folder = one.folder.resolve()
    return SftStage(
        stage=one.stage.name,
        seed=one.config.seed,
        config=one.stage.sft,
        model=str(one.start.resolve()),
        rows=str(folder / ROWS_FILE),
        num_rows=num_rows,
        folder=str(folder),
    )


def check_fine_tuning(config: RunConfig, stage: StageConfig, start: Path) -> None:
    """Refuse fine-tuning that verl cannot divide or that does not fit, before anything runs.

    Raises:
        ConfigError: verl cannot express a setting, or a batch cannot be divided.
        EngineError: it does not fit the cluster.
    """
    assert stage.sft is not None
    one = ClusterStage(config=config, stage=stage, start=start, examples=Path(), folder=Path())
    told = sft_stage_of(one, stage.sft.batch_size)  # how many rows there are is not known yet
    sft_file(told, one.cluster, read_sizes(start), optimizer=config.engine.optimizer)


def num_verl_steps(config: SftConfig, rows: Sequence[SftExample]) -> int:
    """Return the steps that verl takes: whole batches alone.

    Raises:
        DataError: no row is short enough.
    """
    return config.num_epochs * (len(fitting_rows(config, rows)) // config.batch_size)


def fine_tune_on_cluster(one: ClusterStage, rows: Sequence[SftExample], told: StepListener) -> Path:
    """Fine-tune, from the last checkpoint if there is one; return the model's folder.

    Steps are those of verl: whole batches alone, in an order of its own.

    Raises:
        DataError: no row is short enough.
        EngineError: the stage does not fit the cluster, or verl failed.
    """
    final = one.folder / FINAL
    if final.exists():
        return final
    sft = one.stage.sft
    assert sft is not None
    one = with_longer_window(one)
    fitting = fitting_rows(sft, rows)
    stage = sft_stage_of(one, len(fitting))
    num_done = steps_to_go_on_from(one)
    if num_done < stage.num_steps:
        one.folder.mkdir(parents=True, exist_ok=True)
        write_sft_rows(one.folder / ROWS_FILE, fitting)
        file = sft_file(
            stage,
            one.cluster,
            read_sizes(one.start),
            optimizer=one.config.engine.optimizer,
            trackers=("file",),
        )
        file.write(one.folder / f"{FILE_NAME}.yaml")
        check_overrides(one, SFT_BASE)
        steps_file = one.folder / STEPS_FILE
        if steps_file.exists():  # steps after the last checkpoint will be done again
            lines = steps_file.read_text("utf-8").splitlines(keepends=True)
            kept = [line for line in lines if _step_of(line) <= num_done]
            atomic_write_text(steps_file, "".join(kept))
        steps = FollowedSteps(steps_file, told, after=num_done, read=verls_steps)
        run_to_end(
            _command(one),
            one.folder,
            environment={
                **environment_of(one.cluster),
                "VERL_FILE_LOGGER_PATH": str(steps_file.resolve()),
                **({"RAY_ADDRESS": address} if (address := one.cluster.ray_address) else {}),
            },
            look=steps.look,
        )
    return finish(one, stage.num_steps)


def _command(one: ClusterStage) -> list[str]:
    """Return the command that runs verl's trainer: here, or on the nodes of a Ray cluster."""
    files = ["--config-path", str(one.folder.resolve()), "--config-name", FILE_NAME]
    if one.cluster.num_nodes > 1:
        return [sys.executable, "-m", "verl.trainer.sft_trainer_ray", *files]
    return [
        sys.executable, "-m", "torch.distributed.run", "--standalone",
        "--nproc-per-node", str(min(one.cluster.num_gpus, one.cluster.gpus_per_node)),
        "-m", "verl.trainer.sft_trainer", *files,
    ]  # fmt: skip


def _step_of(line: str) -> float:
    """Return the step of a line of verl's; infinite if it is no whole line."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf


def verls_steps(path: Path) -> dict[int, Mapping[str, float]]:
    """Return the figures of every step in verl's file, under our names; a half line is left."""
    found: dict[int, Mapping[str, float]] = {}
    for line in path.read_text("utf-8").splitlines():
        try:
            written = json.loads(line)
            figures = written["data"]
            found[int(written["step"])] = {
                ours: float(figures[name]) for name, ours in _NAMES.items() if name in figures
            }
        except (ValueError, KeyError, TypeError):
            continue
    return found
