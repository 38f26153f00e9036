"""Train one stage by hand."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from longloom.config import FrozenConfig, apply_overrides, parse_config
from longloom.engines.local import LocalEngine
from longloom.errors import ConfigError, DataError
from longloom.memory import MemoryAgent, MemoryConfig
from longloom.recipes.catalogue import load_config
from longloom.recipes.model_source import TINY_BASE, resolve_model
from longloom.recipes.pipeline import RunListener
from longloom.recipes.run_config import StageConfig
from longloom.recipes.verbs.lengths import check_prompt_fits, check_sections_fit
from longloom.recipes.verbs.run import SilentListener
from longloom.recipes.verbs.run_folders import check_run_folder, removed_if_unused
from longloom.records import Context, Example, Split
from longloom.report import ROLLOUT_SCHEMA, rollout_record
from longloom.rewards import RewardConfig, score_rollout
from longloom.rollout import Agent, SinglePassAgent
from longloom.runlog import (
    MetricLog,
    RecordWriter,
    RunFolder,
    describe_run,
    read_manifest,
    read_metrics,
    write_manifest,
)
from longloom.synthesis.storage import read_examples
from longloom.training.loop import StageInputs, StepResult, last_step, train_stage
from longloom.training.stage import TrainingConfig


class StageSettings(FrozenConfig):
    """Everything one stage by hand depends on; kept in its run.yaml."""

    examples: str
    """Folder of the examples."""
    model: str
    """Folder of the model it starts from."""
    stage: str
    """Its name."""
    agent: Literal["single_pass", "memory"]
    """How the model answers."""
    training: TrainingConfig
    """The algorithm."""
    reward: RewardConfig
    """How answers are scored."""
    memory: MemoryConfig
    """How the memory agent reads."""
    template: str
    """Single-pass prompt template."""
    seed: int
    """Names the random streams."""
    num_threads: int
    """Threads of the tensor library."""
    logged_groups: int
    """Rollout groups written to rollouts.jsonl per step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOutcome:
    """What a trained stage left."""

    folder: Path
    """The run folder: run.yaml, metrics.jsonl, rollouts.jsonl, checkpoints."""
    model: Path
    """The trained model's folder."""
    num_steps: int
    """Optimizer steps taken."""
    last_metrics: Mapping[str, float]
    """Figures of the last step."""


def train(
    examples: Path | str,
    *,
    output: Path | str,
    model: Path | str = TINY_BASE,
    recipe: str = "tiny-cpu",
    stage: str = "stage-1",
    overrides: Sequence[str] = (),
    seed: int | None = None,
    fresh: bool = False,
    listener: RunListener | None = None,
) -> TrainingOutcome:
    """Train one stage of a recipe on a folder of examples, or resume it.

    Args:
        examples: a folder written by `synthesize`; its training split is used.
        output: the run folder; if it holds the same training, that is resumed.
        model: the model to start from: a model folder or `tiny-base`.
        recipe: whose settings are used.
        stage: the stage of the recipe.
        overrides: changed settings as `training.a=b`, or of the recipe's other groups.
        seed: replaces the recipe's seed.
        fresh: delete what the folder holds and start again.
        listener: is told every step.

    Raises:
        ConfigError: a setting is refused, or the folder holds something else.
        DataError: the examples cannot be read, or none fits the stage's lengths.
        ModelError: the model cannot be loaded.
    """
    settings = _settings(examples, model, recipe, stage, overrides, seed)
    folder = RunFolder(Path(output))
    check_run_folder(folder)
    if not fresh:
        _check_settings(folder, settings)
    parts = _load(settings)  # whatever cannot be used is found before the folder is touched
    with removed_if_unused(folder), folder.lock():
        if fresh:
            _clear(folder)
        if not folder.run_file.exists():
            _write_manifest(folder, settings)
        final = _train(settings, parts, folder, listener or SilentListener())
    return TrainingOutcome(
        folder=folder.path,
        model=final,
        num_steps=settings.training.num_steps,
        last_metrics=read_metrics(folder.metrics_file)[-1].metrics,
    )


def _settings(
    examples: Path | str,
    model: Path | str,
    recipe: str,
    stage: str,
    overrides: Sequence[str],
    seed: int | None,
) -> StageSettings:
    config = load_config(recipe, seed=seed)
    chosen = _stage(config.stages, stage, recipe)
    assert chosen.training is not None
    plain = config.model_dump(mode="json")
    plain["training"] = chosen.training.model_dump(mode="json")
    shared = ("training", "reward", "memory", "template", "num_threads", "logged_groups")
    changed = apply_overrides({name: plain[name] for name in shared}, overrides)
    fixed = {
        "examples": str(Path(examples).resolve()),
        "model": str(resolve_model(str(model)).resolve()),
        "stage": stage,
        "agent": "memory" if chosen.kind == "memory" else "single_pass",
        "seed": config.seed,
    }
    return parse_config(StageSettings, {**changed, **fixed})


def _stage(stages: Sequence[StageConfig], name: str, recipe: str) -> StageConfig:
    trained = {stage.name: stage for stage in stages if stage.training is not None}
    if name not in trained:
        raise ConfigError(
            f"recipe {recipe!r} trains no stage {name!r}; expected one of {', '.join(trained)}"
        )
    return trained[name]


def _check_settings(folder: RunFolder, settings: StageSettings) -> None:
    if not folder.run_file.exists():
        return
    if read_manifest(folder.run_file).config != settings.model_dump(mode="json"):
        raise ConfigError(
            f"run folder {folder.path} holds a training with other settings; choose another "
            "folder, or start it again with --fresh"
        )


def _clear(folder: RunFolder) -> None:
    shutil.rmtree(folder.checkpoints_folder)
    # run.yaml goes last: without it the folder would not be known as a training's.
    for path in (folder.metrics_file, folder.rollouts_file, folder.report_file, folder.run_file):
        path.unlink(missing_ok=True)
    folder.create()


def _write_manifest(folder: RunFolder, settings: StageSettings) -> None:
    manifest = describe_run(
        recipe=settings.stage,
        seed=settings.seed,
        num_threads=settings.num_threads,
        config=settings.model_dump(mode="json"),
    )
    write_manifest(folder.run_file, manifest)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """The live parts of a training."""

    engine: LocalEngine
    examples: Sequence[Example]
    contexts: Mapping[str, Context]


def _load(settings: StageSettings) -> _Parts:
    torch.set_num_threads(settings.num_threads)
    torch.use_deterministic_algorithms(True)
    found, contexts = read_examples(Path(settings.examples))
    examples = [example for example in found if example.split is Split.TRAIN]
    if not examples:
        raise DataError(f"{settings.examples} holds no training examples; synthesise some")
    engine = LocalEngine(Path(settings.model))
    sampler = engine.sampler
    if settings.agent == "memory":
        check_sections_fit(settings.memory, sampler.tokenizer, "", sampler.window_tokens)
    else:
        check_prompt_fits(
            settings.training.max_prompt_tokens,
            settings.training.max_response_tokens,
            sampler.window_tokens,
        )
    return _Parts(engine=engine, examples=examples, contexts=contexts)


def _train(
    settings: StageSettings, parts: _Parts, folder: RunFolder, listener: RunListener
) -> Path:
    stage_folder = folder.checkpoints_folder / settings.stage
    with ExitStack() as stack:
        metrics = stack.enter_context(MetricLog(folder.metrics_file))
        rollouts = stack.enter_context(RecordWriter(folder.rollouts_file, schema=ROLLOUT_SCHEMA))
        if not (stage_folder / "final").exists():
            metrics.discard_after(last_step(stage_folder))
            rollouts.discard_after(last_step(stage_folder))

        def on_step(result: StepResult) -> None:
            metrics.log(result.step, result.metrics, stage=settings.stage)
            for group in result.groups[: settings.logged_groups]:
                context = parts.contexts[group.example.context_id]
                rollouts.append(rollout_record(result.step, settings.stage, group, context))
            listener.on_step(settings.stage, settings.training.num_steps, result)

        inputs = StageInputs(
            engine=parts.engine,
            agent=_agent(settings),
            score=partial(score_rollout, config=settings.reward),
            examples=parts.examples,
            contexts=parts.contexts,
            seed=settings.seed,
            folder=stage_folder,
        )
        return train_stage(settings.stage, settings.training, inputs, on_step)


def _agent(settings: StageSettings) -> Agent:
    if settings.agent == "memory":
        return MemoryAgent(settings.memory)
    return SinglePassAgent(settings.template)
