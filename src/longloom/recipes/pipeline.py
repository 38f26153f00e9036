"""Carry out a recipe: synthesis, stages, evaluation beside them, report.

Everything a step needs is in the run folder, so the same call resumes a run that was stopped at any
moment: finished sets of examples, stages and evaluation cells are not computed again.
"""

import logging
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from longloom.engines.local import LocalEngine
from longloom.engines.machine import resolve
from longloom.evaluation.results import read_cells
from longloom.memory import MemoryAgent
from longloom.merging.merge import merge_models
from longloom.recipes.background import BackgroundEvaluator
from longloom.recipes.evaluation_jobs import EvaluationJob, compute_cell, jobs_of
from longloom.recipes.model_source import resolve_model
from longloom.recipes.resume import check_resumable, store_changed_settings
from longloom.recipes.run_config import RunConfig, StageConfig, check_lengths, check_sft_rows
from longloom.recipes.run_examples import (
    MEMORY_TRAINING,
    QUESTIONS,
    RunExamples,
    check_examples,
    prepare_examples,
    read_set,
    stage_examples,
)
from longloom.recipes.sampler_source import prepare_torch
from longloom.recipes.scoring import JUDGE_FOLDER, Scoring, open_scoring
from longloom.recipes.stage_data import read_sft_rows
from longloom.recipes.stage_memory import check_memory, recipe_work
from longloom.recipes.stage_messages import skipped_message
from longloom.recipes.step_log import StepLog, open_step_log
from longloom.recipes.windows import check_windows
from longloom.records import Split
from longloom.report import write_merge_page, write_report
from longloom.rollout import Agent, SinglePassAgent
from longloom.runlog import (
    RunFolder,
    config_hash,
    describe_run,
    read_metrics,
    run_folder_name,
    write_manifest,
)
from longloom.text.tokenizer import FolderTokenizer, Tokenizer
from longloom.training.checkpoints import StageCheckpoints
from longloom.training.loop import StageInputs, StepResult, last_step, train_stage
from longloom.training.sft import SftInputs, num_sft_steps, train_sft_stage

logger = logging.getLogger(__name__)


class RunListener(Protocol):
    """Shows a run while it goes on."""

    def on_progress(self, description: str, num_done: int, num_total: int) -> None:
        """Show how far a part of the work is."""

    def on_step(self, stage: str, num_steps: int, result: StepResult) -> None:
        """Show a training step."""

    def on_cell(self, job: EvaluationJob, mean_reward: float) -> None:
        """Show a finished evaluation cell."""

    def on_message(self, message: str) -> None:
        """Show one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """The live parts of a run."""

    config: RunConfig
    folder: RunFolder
    listener: RunListener
    checkpoints: dict[str, Path]
    evaluator: BackgroundEvaluator | None
    log: StepLog
    scoring: Scoring


def default_folder(config: RunConfig, root: Path = Path("runs")) -> Path:
    """Return `runs/RECIPE-confighash`."""
    return root / run_folder_name(config.recipe, config_hash(config.model_dump(mode="json")))


def run_recipe(
    config: RunConfig, *, folder: Path, listener: RunListener, fresh: bool = False
) -> Path:
    """Carry out `config` in `folder`, or resume it there; return the report's path.

    Raises:
        ConfigError: the folder holds another run, or another process works in it.
        LongloomError: a part failed; the message says which and what to do.
    """
    check_lengths(config)
    check_sft_rows(config)
    run_folder = RunFolder(folder)
    with run_folder.lock():
        if fresh:
            _clear(run_folder)
        _write_or_check_manifest(config, run_folder)
        if _is_complete(config, run_folder):
            return write_report(folder)
        prepare_torch(config.num_threads, config.engine)
        return _carry_out(config, run_folder, listener)


def _carry_out(config: RunConfig, folder: RunFolder, listener: RunListener) -> Path:
    base = resolve_model(config.model)
    tokenizer = FolderTokenizer(base)
    check_windows(config, base, tokenizer)
    for stage in config.stages:
        if not (folder.checkpoints_folder / stage.name / "final").exists():
            _check_memory(config, stage, base)
    prepare_examples(config, folder.path / "synthesis", tokenizer, progress=listener.on_progress)
    check_examples(config, folder.path / "synthesis")
    _check_later_rows(config, tokenizer, listener)
    with ExitStack() as stack:
        scoring = stack.enter_context(open_scoring(config.reward, config.judge, folder.path))
        log = stack.enter_context(
            open_step_log(
                folder,
                saved_steps=_saved_steps(config, folder),
                logged_groups=config.logged_groups,
                track=config.track,
                settings=config.model_dump(mode="json"),
                take_metrics=scoring.take_metrics,
            )
        )
        evaluator = None
        if _evaluates_beside(config, listener):
            evaluator = stack.enter_context(
                BackgroundEvaluator(config, folder.path, on_done=listener.on_cell)
            )
        run = _Run(
            config=config,
            folder=folder,
            listener=listener,
            checkpoints={"base": base},
            evaluator=evaluator,
            log=log,
            scoring=scoring,
        )
        _evaluate(run, "base")
        for stage in config.stages:
            run.checkpoints[stage.name] = _run_stage(run, stage)
            _evaluate(run, stage.name)
        if evaluator is not None:
            _wait_for_evaluation(run, evaluator)
    return write_report(folder.path)


def _clear_finished(stage: StageConfig, folder: Path) -> None:
    """Remove the steps that a run left which was killed just after it had written `final`."""
    trained = stage.training or stage.sft
    if trained is not None:
        StageCheckpoints(folder, trained.checkpoints, schema="").is_finished()


def _evaluates_beside(config: RunConfig, listener: RunListener) -> bool:
    """Return whether a second process evaluates; says so where `auto` decides against it."""
    if config.evaluation.in_background != "auto":
        return config.evaluation.in_background
    if resolve(config.engine).device.type != "cuda":
        return True
    listener.on_message(
        "checkpoints are evaluated between the stages, not beside them: a second network would "
        "take memory of the GPU that trains (evaluation.in_background=true does it anyway)"
    )
    return False


def _run_stage(run: _Run, stage: StageConfig) -> Path:
    folder = run.folder.checkpoints_folder / stage.name
    final = folder / "final"
    if final.exists():
        _clear_finished(stage, folder)
        return final
    if stage.kind == "merge":
        assert stage.merge is not None
        merge_models(
            stage.merge,
            pivot=run.checkpoints[stage.start],
            models=[run.checkpoints[name] for name in stage.merged_stages],
            output=final,
            add_files=write_merge_page,
        )
        run.listener.on_message(f"{stage.name}: merged {' and '.join(stage.merged_stages)}")
        return final
    _check_memory(run.config, stage, run.checkpoints[stage.start])
    engine = LocalEngine(run.checkpoints[stage.start], config=run.config.engine, yarn=stage.yarn)
    if stage.sft is not None:
        return _fine_tune(run, stage, engine)
    training = stage.training
    assert training is not None
    found, agent = _stage_parts(run, stage)
    first_step = _steps_before(run.config, run.folder, stage.name)

    def on_step(result: StepResult) -> None:
        logged = run.log.log(first_step + result.step, stage.name, result, found.contexts)
        run.listener.on_step(stage.name, training.num_steps, logged)
        if run.evaluator is not None:
            run.evaluator.collect()

    inputs = StageInputs(
        engine=engine,
        agent=agent,
        score=run.scoring.score_for(training.max_response_tokens),
        examples=stage_examples(found, Split.TRAIN),
        contexts=found.contexts,
        seed=run.config.seed,
        folder=folder,
        validation=stage_examples(found, Split.HELD_OUT),
        on_progress=run.listener.on_progress,
    )
    final = train_stage(stage.name, training, inputs, on_step)
    if skipped := skipped_message(run.folder.metrics_file, stage.name):
        run.listener.on_message(skipped)
    return final


def _check_later_rows(config: RunConfig, tokenizer: Tokenizer, listener: RunListener) -> None:
    """Read the rows of stages behind the first, which would read its own at once anyway."""
    for stage in config.stages[1:]:
        if stage.sft is not None:
            rows = read_sft_rows(Path(stage.sft_rows), tokenizer, progress=listener.on_progress)
            num_sft_steps(stage.sft, rows)


def _check_memory(config: RunConfig, stage: StageConfig, start: Path) -> None:
    work = recipe_work(config, stage)
    if work is not None:
        check_memory(stage.name, start, config.engine, work)


def _fine_tune(run: _Run, stage: StageConfig, engine: LocalEngine) -> Path:
    assert stage.sft is not None
    rows = read_sft_rows(
        Path(stage.sft_rows), engine.sampler.tokenizer, progress=run.listener.on_progress
    )
    num_steps = num_sft_steps(stage.sft, rows)
    first_step = _steps_before(run.config, run.folder, stage.name)

    def on_step(result: StepResult) -> None:
        logged = run.log.log(first_step + result.step, stage.name, result, {})
        run.listener.on_step(stage.name, num_steps, logged)

    inputs = SftInputs(
        engine=engine,
        rows=rows,
        seed=run.config.seed,
        folder=run.folder.checkpoints_folder / stage.name,
    )
    return train_sft_stage(stage.name, stage.sft, inputs, on_step)


def _stage_parts(run: _Run, stage: StageConfig) -> tuple[RunExamples, Agent]:
    synthesis = run.folder.path / "synthesis"
    if stage.kind == "memory":
        return read_set(synthesis, MEMORY_TRAINING), MemoryAgent(run.config.memory)
    return read_set(synthesis, QUESTIONS), SinglePassAgent(run.config.template)


def _steps_before(config: RunConfig, folder: RunFolder, name: str) -> int:
    """Return the steps of all stages before the one called `name`.

    Those of supervised fine-tuning depend on its rows, so they are read from the log.
    """
    total = 0
    for stage in config.stages:
        if stage.name == name:
            break
        total += _num_steps(stage, folder)
    return total


def _num_steps(stage: StageConfig, folder: RunFolder) -> int:
    """Return the steps of a stage; of supervised fine-tuning those logged so far."""
    if stage.training is not None:
        return stage.training.num_steps
    if stage.sft is None or not folder.metrics_file.exists():
        return 0
    rows = read_metrics(folder.metrics_file)
    return len({row.step for row in rows if row.stage == stage.name})


def _saved_steps(config: RunConfig, folder: RunFolder) -> int:
    """Return the steps of the run whose checkpoint, or a later one, reached the disk."""
    saved = 0
    for stage in config.stages:
        stage_folder = folder.checkpoints_folder / stage.name
        first = _steps_before(config, folder, stage.name)
        if (stage_folder / "final").exists():
            saved = first + _num_steps(stage, folder)
        elif last_step(stage_folder):
            saved = first + last_step(stage_folder)
    return saved


def _evaluate(run: _Run, checkpoint: str) -> None:
    computed = {
        (cell.checkpoint, cell.suite, cell.agent)
        for cell in read_cells(run.folder.path / "evaluation")
    }
    for job in jobs_of(run.config, checkpoint, run.checkpoints[checkpoint]):
        if (job.checkpoint, job.suite, job.agent) in computed:
            continue
        if run.evaluator is not None:
            run.evaluator.submit(job)
            continue
        cell = compute_cell(
            job,
            run.config,
            run.folder.path,
            on_progress=partial(run.listener.on_progress, f"evaluating {checkpoint} {job.suite}"),
        )
        rewards = [reward for score in cell.scores for reward in score.rewards]
        run.listener.on_cell(job, sum(rewards) / max(1, len(rewards)))


def _wait_for_evaluation(run: _Run, evaluator: BackgroundEvaluator) -> None:
    while evaluator.num_done < evaluator.num_submitted:
        run.listener.on_progress(
            "waiting for evaluation", evaluator.num_done, evaluator.num_submitted
        )
        evaluator.collect(wait_seconds=0.5)
    run.listener.on_progress("waiting for evaluation", evaluator.num_done, evaluator.num_submitted)


def _is_complete(config: RunConfig, folder: RunFolder) -> bool:
    """Return whether every stage and every evaluation cell are there."""
    finals = [folder.checkpoints_folder / stage.name / "final" for stage in config.stages]
    if not all(final.is_dir() for final in finals):
        return False
    computed = {
        (cell.checkpoint, cell.suite, cell.agent) for cell in read_cells(folder.path / "evaluation")
    }
    checkpoints = {"base": Path(), **{stage.name: Path() for stage in config.stages}}
    wanted = {
        (job.checkpoint, job.suite, job.agent)
        for name, path in checkpoints.items()
        for job in jobs_of(config, name, path)
    }
    return wanted <= computed


def _write_or_check_manifest(config: RunConfig, folder: RunFolder) -> None:
    settings = config.model_dump(mode="json")
    if folder.run_file.exists():
        advice = "choose another folder with --output, or start it again with --fresh"
        check_resumable(folder, config, kind="run", advice=advice)
        store_changed_settings(folder, config)
        return
    manifest = describe_run(
        recipe=config.recipe, seed=config.seed, num_threads=config.num_threads, config=settings
    )
    write_manifest(folder.run_file, manifest)


def _clear(folder: RunFolder) -> None:
    """Remove what a run writes, and nothing that somebody else put there."""
    names = ("checkpoints", "synthesis", "evaluation", "tensorboard", JUDGE_FOLDER)
    parts = [folder.path / name for name in names]
    for part in parts:
        shutil.rmtree(part, ignore_errors=True)
    written = (
        folder.metrics_file,
        folder.rollouts_file,
        folder.report_file,
        folder.path / "wandb_id.txt",
        folder.run_file,  # last: without it the folder would not be known as a run's
    )
    for path in written:
        path.unlink(missing_ok=True)
    folder.create()
