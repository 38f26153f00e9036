"""The training loop of one stage: it wires the parts and names no algorithm, task or backend.

    draw -> roll out -> score -> advantages and masks -> update -> save -> log

After every step the policy, the optimizer, the sampler's position and the entropy latch are saved
in one folder that appears under its name only when complete. So a run killed at any moment loses at
most the step in flight, and the resumed run ends in the same bits.
"""

import json
import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from longloom.errors import CheckpointError, DataError
from longloom.records import (
    Context,
    Example,
    RolloutGroup,
    SamplingParams,
)
from longloom.rewards import ScoreFunction, score_all
from longloom.rollout import Agent, Attempt, run_attempts
from longloom.runlog import atomic_folder
from longloom.training.batch import prepare_batch
from longloom.training.engine import TrainEngine, Update
from longloom.training.entropy_control import AepoState
from longloom.training.sampling import PromptSampler, make_sampler
from longloom.training.stage import TrainingConfig
from longloom.training.step_metrics import rollout_metrics

logger = logging.getLogger(__name__)

STATE_FILE = "training_state.json"
STATE_SCHEMA = {"schema": "longloom.training_state", "version": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What one step produced."""

    step: int
    """1 .. num_steps within the stage."""
    groups: tuple[RolloutGroup, ...]
    """All groups of the step with their rewards."""
    metrics: Mapping[str, float]
    """`room/name_unit` figures."""


class StepListener(Protocol):
    """Told after every step, just before its checkpoint is written.

    So a run killed in between has logged a step that it will do again: whoever resumes a stage
    discards what was logged after `last_step`.
    """

    def __call__(self, result: StepResult) -> None:
        """Log or show the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageInputs:
    """The live parts a stage is trained with."""

    engine: TrainEngine
    """Holds the policy, already loaded with the stage's starting weights."""
    agent: Agent
    """Turns examples into rollouts."""
    score: ScoreFunction
    """Turns rollouts into rewards."""
    examples: Sequence[Example]
    """Training examples; those outside the stage's lengths are left out."""
    contexts: Mapping[str, Context]
    """Their contexts by id."""
    seed: int
    """Names the random streams, with stage and step."""
    folder: Path
    """Checkpoints of this stage: `step-000007/` while it runs, `final/` when it is done."""


def train_stage(
    name: str, config: TrainingConfig, inputs: StageInputs, listener: StepListener
) -> Path:
    """Train one stage, from its last checkpoint if there is one; return the final model folder.

    Raises:
        DataError: no example fits the stage's lengths, or one has no context.
        CheckpointError: the last checkpoint is damaged.
    """
    final = inputs.folder / "final"
    if final.exists():
        _forget(inputs.folder, keep=None)  # a run may have been killed before it did
        return final
    examples = _fitting(config, inputs.examples, inputs.contexts)
    sampler = make_sampler(
        config.sampling, task_types=[example.task_type for example in examples], seed=inputs.seed
    )
    step, aepo = _resume(inputs, sampler)
    while step < config.num_steps:
        started = time.perf_counter()
        drawn = [examples[position] for position in sampler.draw()]
        groups = _roll_out(f"{inputs.seed}/{name}/{step}", step, config, inputs, drawn)
        batch = prepare_batch(config, groups, aepo)
        aepo = batch.aepo
        metrics = {**rollout_metrics(groups), **batch.metrics}
        if batch.sequences:
            update = Update(
                sequences=batch.sequences,
                denominators=batch.denominators,
                temperature=config.temperature,
                learning_rate=_learning_rate(config, step),
                max_grad_norm=config.max_grad_norm,
            )
            metrics |= inputs.engine.update(update, loss=config.loss)
        metrics["training/skipped_steps"] = float(not batch.sequences)
        step += 1
        metrics["training/step_seconds"] = time.perf_counter() - started
        listener(StepResult(step=step, groups=groups, metrics=metrics))
        _save(inputs, step, sampler, aepo)
    with atomic_folder(final, error_class=CheckpointError) as partial:
        inputs.engine.save_policy(partial)
    _forget(inputs.folder, keep=None)
    return final


def last_step(folder: Path) -> int:
    """Return the last step of a stage that is safely on disk; 0 if there is none."""
    steps = [
        int(path.name.removeprefix("step-"))
        for path in folder.glob("step-[0-9]*")
        if path.name.removeprefix("step-").isdigit()
    ]
    return max(steps, default=0)


def _fitting(
    config: TrainingConfig, examples: Sequence[Example], contexts: Mapping[str, Context]
) -> list[Example]:
    fitting = [
        example
        for example in examples
        if config.min_prompt_tokens < example.num_prompt_tokens <= config.max_prompt_tokens
    ]
    if not fitting:
        raise DataError(
            f"none of {len(examples)} examples has a prompt of {config.min_prompt_tokens + 1} to "
            f"{config.max_prompt_tokens} tokens; synthesise examples of that length"
        )
    for example in fitting:
        if example.context_id not in contexts:
            raise DataError(
                f"example {example.example_id} refers to context {example.context_id}, which is "
                "missing; expected it among the contexts; synthesise the examples again"
            )
    return fitting


def _roll_out(
    key: str, step: int, config: TrainingConfig, inputs: StageInputs, drawn: Sequence[Example]
) -> tuple[RolloutGroup, ...]:
    params = SamplingParams(
        temperature=config.temperature,
        top_p=config.top_p,
        max_new_tokens=config.max_response_tokens,
    )
    attempts = [
        Attempt(
            example=example,
            context=inputs.contexts[example.context_id],
            rollout_index=index,
            policy_version=step,
            params=params,
            key=f"{key}/{example.example_id}/{index}",
        )
        for example in drawn
        for index in range(config.group_size)
    ]
    rollouts = run_attempts(inputs.agent, attempts, sampler=inputs.engine.sampler)
    rewards = score_all(inputs.score, rollouts, [attempt.example for attempt in attempts])
    groups = []
    for position, example in enumerate(drawn):
        own = slice(position * config.group_size, (position + 1) * config.group_size)
        groups.append(
            RolloutGroup(
                example=example, rollouts=tuple(rollouts[own]), rewards=tuple(rewards[own])
            )
        )
    return tuple(groups)


def _learning_rate(config: TrainingConfig, step: int) -> float:
    if step >= config.warmup_steps:
        return config.learning_rate
    return config.learning_rate * (step + 1) / (config.warmup_steps + 1)


def _save(inputs: StageInputs, step: int, sampler: PromptSampler, aepo: AepoState) -> None:
    state = {**STATE_SCHEMA, "step": step, "sampler": sampler.state_dict(), "aepo": aepo.to_json()}
    folder = inputs.folder / f"step-{step:06d}"
    if folder.exists():  # a leftover of a run that was killed before it logged this step
        shutil.rmtree(folder)
    with atomic_folder(folder, error_class=CheckpointError) as partial:
        inputs.engine.save(partial)
        (partial / STATE_FILE).write_text(json.dumps(state), "utf-8")
    _forget(inputs.folder, keep=folder)


def _forget(stage_folder: Path, keep: Path | None) -> None:
    for path in stage_folder.glob("step-*"):
        if path != keep:
            shutil.rmtree(path)


def _resume(inputs: StageInputs, sampler: PromptSampler) -> tuple[int, AepoState]:
    step = last_step(inputs.folder)
    if step == 0:
        return 0, AepoState()
    folder = inputs.folder / f"step-{step:06d}"
    try:
        state = json.loads((folder / STATE_FILE).read_text("utf-8"))
        found = {key: state[key] for key in (*STATE_SCHEMA, "step")}
        sampler_state, aepo_state = dict(state["sampler"]), dict(state["aepo"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"checkpoint {folder} is damaged ({error!r}); delete it to go back, or use --fresh"
        ) from None
    expected = {**STATE_SCHEMA, "step": step}
    if found != expected:
        raise CheckpointError(
            f"checkpoint {folder} holds {found}; expected {expected}; delete it or use --fresh"
        )
    sampler.load_state_dict(sampler_state)
    inputs.engine.load(folder)
    logger.info("resuming %s after step %d", inputs.folder.name, step)
    return step, AepoState.from_json(aepo_state)
