"""Supervised fine-tuning: the warm-up of QwenLong-L1 before reinforcement learning.

QwenLong-L1, Eq. 11: the mean negative log-likelihood over all response
tokens of a batch. Rows are packed by the engine, so there is no padding and no truncation: rows
that are too long are left out and counted. QwenLong-L1.5 has no such stage.

The order of an epoch is keyed by (seed, stage, epoch) and a step's rows follow from its number, so
a resumed run needs nothing but the step, and ends in the same bits.
"""

import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from longloom.config import FrozenConfig
from longloom.errors import CheckpointError, DataError
from longloom.records import TrainingSequence
from longloom.training.checkpoints import CheckpointConfig, StageCheckpoints
from longloom.training.digests import rows_digest
from longloom.training.engine import TrainEngine, Update
from longloom.training.loss_config import LossDenominators, SupervisedLossConfig
from longloom.training.schedule import ScheduleKind, learning_rate_at
from longloom.training.sft_rows import SftExample
from longloom.training.stage_inputs import StepListener, StepResult

STATE_SCHEMA = "longloom.sft_state"


class SftConfig(FrozenConfig):
    """A stage of supervised fine-tuning (its values in QwenLong-L1 are the defaults)."""

    num_epochs: PositiveInt = 3
    """Times every row is learned."""
    batch_size: PositiveInt = 128
    """Rows of a step; the last step of an epoch takes what is left."""
    max_tokens: PositiveInt = 20_000
    """Rows whose prompt and response are longer together are left out."""
    learning_rate: PositiveFloat = 5e-6
    """Peak, after the warm-up."""
    schedule: ScheduleKind = "constant"
    """What follows the warm-up: the same rate, or a half cosine to zero. The paper does not say."""
    warmup_fraction: float = Field(default=0.0, ge=0, lt=1)
    """Share of all steps with a linear warm-up. The paper does not say."""
    max_grad_norm: PositiveFloat = 1.0
    """Gradient clipping; verl's default."""
    checkpoints: CheckpointConfig = CheckpointConfig()
    """Which steps are kept."""

    @model_validator(mode="after")
    def _check_what_is_kept(self) -> Self:
        if self.checkpoints.keep_best != "none":
            raise ValueError(
                f"checkpoints.keep_best is {self.checkpoints.keep_best}; supervised fine-tuning "
                "measures no reward: set it to none"
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class SftInputs:
    """The live parts of a stage of supervised fine-tuning."""

    engine: TrainEngine
    """Holds the policy, already loaded with the stage's starting weights."""
    rows: Sequence[SftExample]
    """What is learned."""
    seed: int
    """Names the order of the rows, with stage and epoch."""
    folder: Path
    """The stage's folder: `step-000007/` while it runs, `final/` when it is done."""


def train_sft_stage(
    name: str, config: SftConfig, inputs: SftInputs, listener: StepListener
) -> Path:
    """Fine-tune, from the last checkpoint if there is one; return the final model folder.

    Raises:
        DataError: no row is short enough, or one has no response.
        CheckpointError: the last checkpoint is damaged, or of other rows.
        EngineError: a loss or gradient is not finite.
    """
    checkpoints = StageCheckpoints(inputs.folder, config.checkpoints, schema=STATE_SCHEMA)
    if checkpoints.is_finished():
        return checkpoints.final
    rows = fitting_rows(config, inputs.rows)
    steps_per_epoch = math.ceil(len(rows) / config.batch_size)
    num_steps = config.num_epochs * steps_per_epoch
    written = {"num_rows": len(rows), "rows": rows_digest(rows)}
    step = _resume(checkpoints, inputs, written)
    while step < num_steps:
        started = time.perf_counter()
        epoch, index = divmod(step, steps_per_epoch)
        order = epoch_order(len(rows), key=f"{inputs.seed}/{name}/epoch/{epoch}")
        taken = order[index * config.batch_size : (index + 1) * config.batch_size]
        metrics = _learn(config, inputs.engine, [rows[i] for i in taken], step, num_steps)
        step += 1
        metrics["training/epoch"] = step / steps_per_epoch
        if step == 1:
            metrics["training/dropped_rows"] = float(len(inputs.rows) - len(rows))
        metrics["training/step_seconds"] = time.perf_counter() - started
        listener(StepResult(step=step, groups=(), metrics=metrics))
        checkpoints.save(step, num_steps, inputs.engine, written)
    return checkpoints.finish(inputs.engine)


def _resume(
    checkpoints: StageCheckpoints, inputs: SftInputs, expected: Mapping[str, object]
) -> int:
    """Return the steps taken so far; a step's rows follow from its number and theirs."""
    step, state = checkpoints.load(inputs.engine)
    if step and state != expected:
        raise CheckpointError(
            f"the checkpoint of step {step} in {inputs.folder} is of {state.get('num_rows')} rows "
            f"(digest {state.get('rows')}); expected {expected['num_rows']} ({expected['rows']}), "
            "as there are; resume with the rows of the run that wrote it, or use --fresh"
        )
    return step


def num_sft_steps(config: SftConfig, rows: Sequence[SftExample]) -> int:
    """Return the optimizer steps of a stage.

    Raises:
        DataError: see `fitting_rows`.
    """
    return config.num_epochs * math.ceil(len(fitting_rows(config, rows)) / config.batch_size)


def fitting_rows(config: SftConfig, rows: Sequence[SftExample]) -> list[SftExample]:
    """Return the rows that are short enough.

    Raises:
        DataError: none is, or a row has an empty prompt or response.
    """
    for number, row in enumerate(rows, start=1):
        if not len(row.prompt_ids) or not len(row.response_ids):
            raise DataError(
                f"row {number} has {len(row.prompt_ids)} prompt and {len(row.response_ids)} "
                "response tokens; expected at least 1 of each; leave the row out"
            )
    fitting = [row for row in rows if row.num_tokens <= config.max_tokens]
    if not fitting:
        raise DataError(
            f"none of {len(rows)} rows has at most {config.max_tokens} tokens; expected some; "
            "raise max_tokens or take shorter rows"
        )
    return fitting


def epoch_order(num_rows: int, *, key: str) -> list[int]:
    """Return the order in which an epoch takes its rows; `key` names it."""
    order = list(range(num_rows))
    random.Random(key).shuffle(order)
    return order


def _learn(
    config: SftConfig, engine: TrainEngine, rows: Sequence[SftExample], step: int, num_steps: int
) -> dict[str, float]:
    num_tokens = sum(len(row.response_ids) for row in rows)
    learning_rate = learning_rate_at(
        step,
        peak=config.learning_rate,
        num_steps=num_steps,
        warmup_steps=round(config.warmup_fraction * num_steps),
        kind=config.schedule,
    )
    update = Update(
        sequences=[_to_sequence(row) for row in rows],
        denominators=LossDenominators(num_tokens=num_tokens, num_sequences=len(rows)),
        temperature=1.0,
        learning_rate=learning_rate,
        max_grad_norm=config.max_grad_norm,
    )
    return {
        **engine.update(update, loss=SupervisedLossConfig()),
        "training/response_tokens": float(num_tokens),
        "training/learning_rate": learning_rate,
    }


def _to_sequence(row: SftExample) -> TrainingSequence:
    """Return the row for the engine: nobody sampled it, and every token counts alike."""
    return TrainingSequence(
        prompt_ids=tuple(row.prompt_ids),
        response_ids=tuple(row.response_ids),
        rollout_logprobs=(),
        advantages=(1.0,) * len(row.response_ids),
    )
