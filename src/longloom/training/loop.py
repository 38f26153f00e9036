"""The training loop of one stage: it wires the parts and names no algorithm, task or backend.

    select -> (draw -> roll out -> score -> advantages and masks -> updates -> save -> log) x steps

At every checkpoint the policy, the optimizer, the sampler's position and the entropy latch are
saved in one folder that appears under its name only when complete. So a run killed at any moment
loses at most the steps since then (by default the one in flight), and the resumed run ends in the
same bits.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from longloom.errors import CheckpointError, EngineError
from longloom.records import Example, RolloutGroup
from longloom.training.batch import prepare_batch
from longloom.training.checkpoints import (
    STATE_FILE,
    BestPolicy,
    KeepBest,
    StageCheckpoints,
    last_step,
)
from longloom.training.digests import examples_digest
from longloom.training.dynamic_sampling import collect_groups
from longloom.training.entropy_control import AepoState
from longloom.training.sampling import PromptSampler, make_sampler
from longloom.training.schedule import learning_rate_at
from longloom.training.selection import LengthBand, SelectedExamples, select_examples
from longloom.training.stage import TrainingConfig, sampling_params
from longloom.training.stage_checks import check_stage
from longloom.training.stage_inputs import (
    StageInputs,
    StepListener,
    StepResult,
    check_contexts,
)
from longloom.training.step_metrics import rollout_metrics
from longloom.training.updates import take_updates
from longloom.training.validation import validate, validation_examples

__all__ = [
    "STATE_FILE",
    "StageInputs",
    "StepListener",
    "StepResult",
    "last_step",
    "train_stage",
]

STATE_SCHEMA = "longloom.training_state"
BEST_METRICS: dict[KeepBest, str] = {
    "reward": "reward/mean",
    "validation": "validation/reward_mean",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """The parts of a stage that every step uses."""

    config: TrainingConfig
    inputs: StageInputs
    examples: tuple[Example, ...]
    validation: tuple[Example, ...]
    sampler: PromptSampler
    checkpoints: StageCheckpoints
    key: str
    """Prefix of all random streams: seed and stage."""


def train_stage(
    name: str, config: TrainingConfig, inputs: StageInputs, listener: StepListener
) -> Path:
    """Train one stage, from its last checkpoint if there is one; return the final model folder.

    Raises:
        DataError: no example fits the stage's lengths, there are too few for a batch, or one has
            no context.
        ConfigError: a weight is of a task or category without examples, or missing.
        CheckpointError: the last checkpoint is damaged, or of other examples.
        RewardError: a judge was needed and could not be asked.
        EngineError: a loss or gradient is not finite, or all rollouts of a step failed.
    """
    checkpoints = StageCheckpoints(inputs.folder, config.checkpoints, schema=STATE_SCHEMA)
    if checkpoints.is_finished():
        return checkpoints.final
    # A batch that asks too much is found before hours of measuring.
    check_stage(config, inputs.examples, inputs.validation, seed=inputs.seed)
    validation = validation_examples(
        config.validation,
        inputs.validation,
        max_prompt_tokens=config.max_prompt_tokens,
        seed=inputs.seed,
    )
    check_contexts(validation, inputs.contexts)
    selected = _select(name, config, inputs)
    stage = _Stage(
        config=config,
        inputs=inputs,
        examples=selected.examples,
        validation=validation,
        sampler=make_sampler(
            config.sampling,
            task_types=[example.task_type for example in selected.examples],
            abilities=[example.ability for example in selected.examples],
            seed=inputs.seed,
        ),
        checkpoints=checkpoints,
        key=f"{inputs.seed}/{name}",
    )
    step, aepo = _resume(stage)
    while step < config.num_steps:
        started = time.perf_counter()
        groups, metrics, aepo = _take_step(stage, step, aepo)
        step += 1
        metrics |= _validate(stage, step)
        if step == 1:
            metrics |= selected.metrics
        metrics["training/step_seconds"] = time.perf_counter() - started
        listener(StepResult(step=step, groups=groups, metrics=metrics))
        _check_a_rollout_lived(name, step, groups)
        state = {
            "examples": examples_digest(stage.examples),
            "sampler": stage.sampler.state_dict(),
            "aepo": aepo.to_json(),
        }
        checkpoints.save(step, config.num_steps, inputs.engine, state)
    return checkpoints.finish(inputs.engine)


def _select(name: str, config: TrainingConfig, inputs: StageInputs) -> SelectedExamples:
    return select_examples(
        config.selection,
        inputs,
        stage=name,
        band=LengthBand(
            lower_tokens=config.min_prompt_tokens, upper_tokens=config.max_prompt_tokens
        ),
        params=sampling_params(config),
        examples_at_once=config.sampling.batch_size,
    )


def _take_step(
    stage: _Stage, step: int, aepo: AepoState
) -> tuple[tuple[RolloutGroup, ...], dict[str, float], AepoState]:
    """Return the groups, figures and latch of the step after `step` others."""
    config, engine = stage.config, stage.inputs.engine
    key = f"{stage.key}/{step}"

    def roll_out_positions(positions: Sequence[int]) -> tuple[RolloutGroup, ...]:
        return stage.inputs.roll_out(
            [stage.examples[position] for position in positions],
            num_rollouts=config.group_size,
            params=sampling_params(config),
            policy_version=step,
            key=key,
        )

    collected = collect_groups(config.group_filter, stage.sampler, roll_out_positions)
    metrics = {**rollout_metrics(collected.groups), **collected.metrics}
    # These rollouts are of the policy as it is before this step's updates.
    _keep_if_best(stage, "reward", metrics, num_steps=step)
    batch = prepare_batch(config, collected.groups, aepo, key=key)
    metrics |= batch.metrics
    if batch.updates:
        learning_rate = learning_rate_at(
            step,
            peak=config.learning_rate,
            num_steps=config.num_steps,
            warmup_steps=config.warmup_steps,
        )
        metrics |= take_updates(engine, config, batch.updates, learning_rate=learning_rate)
        metrics["training/learning_rate"] = learning_rate
    metrics["training/skipped_steps"] = float(not batch.updates)
    return collected.groups, metrics, batch.aepo


def _check_a_rollout_lived(name: str, step: int, groups: Sequence[RolloutGroup]) -> None:
    """Stop after a step, already logged, in which every rollout failed: so would the next ones."""
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    if all(rollout.error for rollout in rollouts):
        raise EngineError(
            f"all {len(rollouts)} rollouts of step {step} of {name} failed, the first with: "
            f"{rollouts[0].error}; expected one that does not; put that right and run the same "
            "command again, which resumes from the step's last checkpoint"
        )


def _validate(stage: _Stage, step: int) -> dict[str, float]:
    config = stage.config
    if not config.validation.is_due(step, config.num_steps):
        return {}
    metrics = validate(
        config.validation,
        stage.inputs,
        stage.validation,
        max_response_tokens=config.max_response_tokens,
        step=step,
        key=stage.key,
    )
    _keep_if_best(stage, "validation", metrics, num_steps=step)
    return metrics


def _keep_if_best(
    stage: _Stage, kind: KeepBest, metrics: Mapping[str, float], *, num_steps: int
) -> None:
    metric = BEST_METRICS[kind]
    best = BestPolicy(num_steps=num_steps, metric=metric, value=metrics[metric])
    stage.checkpoints.keep_if_best(kind, best, stage.inputs.engine)


def _resume(stage: _Stage) -> tuple[int, AepoState]:
    step, state = stage.checkpoints.load(stage.inputs.engine)
    if step == 0:
        return 0, AepoState()
    parts = (state.get("sampler"), state.get("aepo"))
    sampler, aepo = parts
    if not isinstance(sampler, Mapping) or not isinstance(aepo, Mapping):
        raise CheckpointError(
            f"the state of step {step} in {stage.inputs.folder} has sampler and aepo "
            f"{str(parts)[:200]}; expected two groups; delete the checkpoint or use --fresh"
        )
    digest = examples_digest(stage.examples)
    if state.get("examples") != digest:
        raise CheckpointError(
            f"the checkpoint of step {step} in {stage.inputs.folder} is of other examples (digest "
            f"{state.get('examples')}; these {len(stage.examples)} have {digest}); resume with the "
            "examples of the run that wrote it, or use --fresh"
        )
    stage.sampler.load_state_dict(sampler)
    return step, AepoState.from_json(aepo)
