"""Train one stage by hand."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from longloom.engines.local import LocalEngine
from longloom.memory import MemoryAgent
from longloom.recipes.inputs import check_inputs, input_digests
from longloom.recipes.model_source import TINY_BASE
from longloom.recipes.resume import (
    check_resumable,
    lasting_settings,
    store_changed_settings,
    stored_settings,
)
from longloom.recipes.run_listener import RunListener, SilentListener
from longloom.recipes.sampler_source import prepare_torch
from longloom.recipes.scoring import JUDGE_FOLDER, open_scoring
from longloom.recipes.stage_data import (
    StageData,
    check_source,
    is_own_file,
    read_folder,
    read_own_rows,
    read_sft_rows,
)
from longloom.recipes.stage_memory import check_memory
from longloom.recipes.stage_messages import left_out_message, long_rows_message, skipped_message
from longloom.recipes.stage_settings import StageSettings, stage_settings
from longloom.recipes.step_log import StepLog, open_step_log
from longloom.recipes.verbs.lengths import check_prompt_fits, check_sections_fit, prompt_tokens
from longloom.recipes.verbs.run_folders import check_run_folder, removed_if_unused
from longloom.recipes.verbs.train_plan import stage_work
from longloom.rollout import Agent, SinglePassAgent
from longloom.runlog import RunFolder, describe_run, read_manifest, read_metrics, write_manifest
from longloom.runlog.trackers import open_trackers
from longloom.training.checkpoints import StageCheckpoints
from longloom.training.loop import StageInputs, StepResult, last_step, train_stage
from longloom.training.sft import SftInputs, num_sft_steps, train_sft_stage
from longloom.training.stage_checks import check_stage


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOutcome:
    """What a trained stage left."""

    folder: Path
    """The run folder: run.yaml, metrics.jsonl, rollouts.jsonl, checkpoints."""
    model: Path
    """The trained model's folder."""
    num_steps: int
    """Steps taken."""
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
    tasks: Sequence[str] = (),
    track: Sequence[str] = (),
    seed: int | None = None,
    fresh: bool = False,
    listener: RunListener | None = None,
) -> TrainingOutcome:
    """Train one stage of a recipe on examples or rows, or resume it.

    Args:
        examples: a folder written by `synthesize`, or a file of rows (Parquet, JSON Lines, JSON)
            as verl or TRL have them; for the stage `sft` a file of chats with their answers.
        output: the run folder; if it holds the same training, that is resumed.
        model: the model to start from: a model folder or `tiny-base`.
        recipe: whose settings are used.
        stage: the stage of the recipe, or `sft`.
        overrides: changed settings as `training.a=b`, or of the recipe's other groups.
        tasks: the task type of rows whose `data_source` is not known: `TASK` for all of them, or
            `SOURCE=TASK`.
        track: `tensorboard`, `wandb`: where metrics are shown beside metrics.jsonl.
        seed: replaces the recipe's seed.
        fresh: delete what the folder holds and start again.
        listener: is told every step.

    Raises:
        ConfigError: a setting is refused, or the folder holds something else.
        DataError: the examples cannot be read, or none fits the stage's lengths.
        ModelError: the model cannot be loaded.
        RewardError: the judge was needed and stayed away for too long; the same call resumes.
        EngineError: the stage does not fit the memory.
    """
    settings = stage_settings(
        examples,
        model=model,
        recipe=recipe,
        stage=stage,
        overrides=overrides,
        tasks=tasks,
        track=track,
        seed=seed,
    )
    folder = RunFolder(Path(output))
    check_run_folder(folder)
    check_source(
        Path(settings.examples),
        needs_documents=settings.agent == "memory",
        needs_worked_answers=settings.sft is not None,
    )
    inputs = input_digests(settings)
    begins_anew = fresh or _can_be_replaced(folder, settings, inputs)
    if folder.run_file.exists() and not begins_anew:
        advice = "choose another folder, or start it again with --fresh"
        check_resumable(folder, settings, kind="training", advice=advice)
        check_inputs(folder, settings, inputs)
    if settings.training is not None:
        settings.reward.for_limit(settings.training.max_response_tokens)
    parts = _load(settings)  # whatever cannot be used is found before the folder is touched
    with removed_if_unused(folder), folder.lock():
        if begins_anew:
            _clear(folder, keeps_verdicts=not fresh)
        if folder.run_file.exists():
            store_changed_settings(folder, settings)
        else:
            _write_manifest(folder, settings, inputs)
        final = _train(settings, parts, folder, listener or SilentListener())
    rows = read_metrics(folder.metrics_file)  # none if somebody deleted those of a finished one
    return TrainingOutcome(
        folder=folder.path,
        model=final,
        num_steps=rows[-1].step if rows else 0,
        last_metrics=rows[-1].metrics if rows else {},
    )


def _can_be_replaced(folder: RunFolder, settings: StageSettings, inputs: Mapping[str, str]) -> bool:
    """Return whether a folder holds another training that never saved anything: nothing is lost."""
    if not folder.run_file.exists() or any(map(_has_steps, folder.checkpoints_folder.glob("*"))):
        return False
    found = stored_settings(folder, StageSettings)
    is_same = (
        found is not None
        and lasting_settings(found) == lasting_settings(settings)
        and read_manifest(folder.run_file).inputs == inputs
    )
    return found is not None and not is_same


def _has_steps(stage_folder: Path) -> bool:
    return last_step(stage_folder) > 0 or (stage_folder / "final").exists()


def _clear(folder: RunFolder, *, keeps_verdicts: bool) -> None:
    """Delete a training; rows of the same files are dear, and good for the next one."""
    parts = [folder.checkpoints_folder, folder.path / "tensorboard"]
    if not keeps_verdicts:
        parts.append(folder.path / JUDGE_FOLDER)
    for part in parts:
        shutil.rmtree(part, ignore_errors=True)
    # run.yaml goes last: without it the folder would not be known as a training's.
    written = (
        folder.metrics_file, folder.rollouts_file, folder.report_file,
        folder.path / "wandb_id.txt", folder.run_file,
    )  # fmt: skip
    for path in written:
        path.unlink(missing_ok=True)
    folder.create()


def _write_manifest(folder: RunFolder, settings: StageSettings, inputs: Mapping[str, str]) -> None:
    manifest = describe_run(
        recipe=settings.stage,
        seed=settings.seed,
        num_threads=settings.num_threads,
        config=settings.model_dump(mode="json"),
        inputs=inputs,
    )
    write_manifest(folder.run_file, manifest)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """The live parts of a training."""

    engine: LocalEngine
    found: StageData | None
    """Examples of a folder; None for files, which are read into the run folder."""


def _load(settings: StageSettings) -> _Parts:
    source = Path(settings.examples)
    found = None
    if settings.training is not None and not is_own_file(source):
        found = read_folder(source)
        check_stage(settings.training, found.examples, found.validation, seed=settings.seed)
    prepare_torch(settings.num_threads, settings.engine)
    check_memory(settings.stage, Path(settings.model), settings.engine, stage_work(settings))
    engine = LocalEngine(Path(settings.model), config=settings.engine, yarn=settings.yarn)
    sampler = engine.sampler
    if settings.agent == "memory":
        check_sections_fit(
            settings.memory, partial(prompt_tokens, sampler.tokenizer), "", sampler.window_tokens
        )
    elif settings.training is not None:
        check_prompt_fits(
            settings.training.max_prompt_tokens,
            settings.training.max_response_tokens,
            sampler.window_tokens,
        )
    return _Parts(engine=engine, found=found)


def _train(
    settings: StageSettings, parts: _Parts, folder: RunFolder, listener: RunListener
) -> Path:
    stage_folder = folder.checkpoints_folder / settings.stage
    is_done = _is_done(settings, stage_folder)
    with ExitStack() as stack:
        scoring = stack.enter_context(open_scoring(settings.reward, settings.judge, folder.path))
        saved_steps = last_step(stage_folder)
        trackers = open_trackers(
            () if is_done else settings.track,
            folder.path,
            first_step=saved_steps + 1,
            settings=settings.model_dump(mode="json"),
        )
        log = stack.enter_context(
            open_step_log(
                folder.path,
                saved_steps=None if is_done else saved_steps,
                logged_groups=settings.logged_groups,
                trackers=stack.enter_context(trackers),
                take_metrics=scoring.take_metrics,
            )
        )
        if is_done:
            return stage_folder / "final"
        if settings.sft is not None:
            return _fine_tune(settings, parts.engine, stage_folder, log, listener)
        training = settings.training
        assert training is not None
        found = parts.found or read_own_rows(
            Path(settings.examples),
            settings.rows,
            run_folder=folder.path,
            model=Path(settings.model),
            tokenizer=parts.engine.sampler.tokenizer,
            progress=listener.on_progress,
        )

        if left_out := left_out_message(training, found.examples):
            listener.on_message(left_out)

        def on_step(result: StepResult) -> None:
            logged = log.log(settings.stage, result, found.contexts)
            listener.on_step(settings.stage, training.num_steps, logged)

        inputs = StageInputs(
            engine=parts.engine,
            agent=found.agent or _agent(settings),
            score=scoring.score_for(training.max_response_tokens),
            examples=found.examples,
            contexts=found.contexts,
            seed=settings.seed,
            folder=stage_folder,
            validation=found.validation,
            on_progress=listener.on_progress,
        )
        final = train_stage(settings.stage, training, inputs, on_step)
        if skipped := skipped_message(folder.metrics_file, settings.stage):
            listener.on_message(skipped)
        return final


def _is_done(settings: StageSettings, stage_folder: Path) -> bool:
    stage = settings.training or settings.sft
    assert stage is not None
    return StageCheckpoints(stage_folder, stage.checkpoints, schema="").is_finished()


def _fine_tune(
    settings: StageSettings,
    engine: LocalEngine,
    stage_folder: Path,
    log: StepLog,
    listener: RunListener,
) -> Path:
    assert settings.sft is not None
    rows = read_sft_rows(
        Path(settings.examples), engine.sampler.tokenizer, progress=listener.on_progress
    )
    num_steps = num_sft_steps(settings.sft, rows)
    if left_out := long_rows_message(settings.sft, rows):
        listener.on_message(left_out)

    def on_step(result: StepResult) -> None:
        listener.on_step(settings.stage, num_steps, log.log(settings.stage, result, {}))

    inputs = SftInputs(engine=engine, rows=rows, seed=settings.seed, folder=stage_folder)
    return train_sft_stage(settings.stage, settings.sft, inputs, on_step)


def _agent(settings: StageSettings) -> Agent:
    if settings.agent == "memory":
        return MemoryAgent(settings.memory)
    return SinglePassAgent(settings.template)
