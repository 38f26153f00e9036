"""Evaluate a model on benchmarks, suites and examples of one's own."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from longloom.evaluation.asking.answers import CALL_FAILURES
from longloom.evaluation.results import EvaluationResults
from longloom.models.protocols import ChatSampler
from longloom.recipes.evaluating.evaluation_run import (
    MEMORY,
    EvaluationPlan,
    Notify,
    OnProgress,
    run_evaluation,
)
from longloom.recipes.evaluating.examples import label_of
from longloom.recipes.evaluating.missing_files import check_files
from longloom.recipes.evaluating.planned import PlannedBenchmark, planned_benchmark
from longloom.recipes.evaluating.request import EvaluationSettings, Targeted, resolve_request
from longloom.recipes.evaluating.run_folder import begin, check_clearable, clear, default_folder
from longloom.recipes.verbs.lengths import check_sections_fit
from longloom.recipes.verbs.read_model import ReadModel, open_read_model
from longloom.report import write_evaluation_report
from longloom.runlog import RunFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationOutcome:
    """What an evaluation found, and where it lies."""

    results: EvaluationResults
    """Scores of every question; `evaluation.summary` computes figures of them."""
    folder: Path
    """Answers, scores, results.json and the report."""
    report: Path
    """The page."""

    @property
    def has_replies(self) -> bool:
        """Whether any question got a reply; otherwise the figures say nothing of the model."""
        return any(
            answer.failure not in CALL_FAILURES
            for benchmark in self.results.benchmarks
            for question in benchmark.questions
            for answer in question.answers
        )


def evaluate(
    targets: Targeted,
    *,
    output: Path | str | None = None,
    fresh: bool = False,
    on_progress: OnProgress | None = None,
    notify: Notify = lambda message: None,
    **settings: Unpack[EvaluationSettings],
) -> EvaluationOutcome:
    """Ask a model the questions of benchmarks, score its answers, and write a report.

    The same call goes on where an earlier one was interrupted; a complete one is scored anew.

    Args:
        targets: suites (`qwenlong-l15`), benchmarks (`longbench-v2`), folders of examples.
        output: folder of the evaluation; one in `runs`, named by what is asked, if not given.
        fresh: delete what an earlier evaluation left in the folder.
        on_progress: is told after every answer.
        notify: is told what a person should read, in whole lines.
        settings: the model and how it is asked; see `EvaluationSettings`.

    Raises:
        ConfigError: a setting is refused, or the folder holds another evaluation.
        DataError: official files are missing or damaged, or the disk is full.
        ModelError: the model or the judge cannot be loaded or reached; what was answered is kept.
    """
    model, plan, connection = resolve_request(targets, settings)
    check_files(plan.targets.targets, settings.get("files"))
    if plan.is_local:
        from longloom.recipes.sampler_source import prepare_torch  # loads torch

        prepare_torch(plan.config.num_threads, plan.config.engine)

    async def run() -> EvaluationOutcome:
        async with open_read_model(model, plan.config, connection) as chat:
            if plan.agent == MEMORY:
                window = chat.window_tokens
                check_sections_fit(plan.memory(window), chat.num_prompt_tokens, "", window)
            folder = RunFolder(_folder(output, plan, model, chat))
            if fresh:
                check_clearable(folder.path)
            with folder.lock():
                if fresh:
                    clear(folder)
                return await _run_in(folder, plan, chat, on_progress, notify)

    return asyncio.run(run())


def plan_evaluation(
    targets: Targeted, **settings: Unpack[EvaluationSettings]
) -> tuple[PlannedBenchmark, ...]:
    """Return how much `evaluate` would ask with these arguments; nobody is called.

    Raises:
        ConfigError: a setting is refused.
        DataError: official files are missing or damaged.
    """
    _, plan, _ = resolve_request(targets, settings)
    check_files(plan.targets.targets, settings.get("files"))
    return tuple(planned_benchmark(target, plan) for target in plan.targets.targets)


async def _run_in(
    folder: RunFolder,
    plan: EvaluationPlan,
    chat: ChatSampler,
    on_progress: OnProgress | None,
    notify: Notify,
) -> EvaluationOutcome:
    settings, num_threads = plan.settings(chat.name, chat.window_tokens), plan.config.num_threads
    begin(folder, settings, seed=plan.asking.seed, num_threads=num_threads)
    notify(f"evaluation in {folder.path}")
    results, texts = await run_evaluation(
        plan, chat, folder.path, on_progress=on_progress, notify=notify
    )
    report = write_evaluation_report(folder.path, texts)
    return EvaluationOutcome(results=results, folder=folder.path, report=report)


def _folder(
    output: Path | str | None, plan: EvaluationPlan, model: ReadModel, chat: ChatSampler
) -> Path:
    if output is not None:
        return Path(output)
    name = model.model_name or Path(model.model).name
    label = label_of(Path(model.model)) if model.endpoint is None else label_of(Path(name))
    return default_folder(
        plan.targets.label, f"{label}-{plan.agent}", plan.settings(chat.name, chat.window_tokens)
    )
