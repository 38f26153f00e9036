"""Evaluate a model on benchmarks, suites and examples of one's own."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from longloom.config import apply_overrides, overrides_of, parse_config
from longloom.errors import ConfigError
from longloom.evaluation.asking import CLOSED_BOOK, SINGLE_PASS
from longloom.evaluation.results import EvaluationResults
from longloom.evaluation.settings import AskingConfig
from longloom.models.endpoint.config import EndpointConfig
from longloom.models.protocols import ChatSampler
from longloom.recipes.evaluating.evaluation_run import (
    MEMORY,
    EvaluationPlan,
    OnProgress,
    run_evaluation,
)
from longloom.recipes.evaluating.examples import label_of
from longloom.recipes.evaluating.planned import PlannedBenchmark, planned_benchmark
from longloom.recipes.evaluating.run_folder import begin, clear, default_folder
from longloom.recipes.evaluating.targets import Targets, resolve_targets
from longloom.recipes.model_source import TINY_BASE
from longloom.recipes.run_config import RunConfig
from longloom.recipes.verbs.read_model import ReadModel, open_read_model
from longloom.records import Split
from longloom.rewards.judge_config import JudgeConfig
from longloom.runlog import RunFolder

Targeted = Sequence[str | Path] | str | Path
"""Suites, benchmarks and folders of examples: one of them, or several."""
AGENTS = (SINGLE_PASS, MEMORY, CLOSED_BOOK)
"""How a model can be asked."""
_LOCAL_CONCURRENCY = 128
"""A model in this process answers so many questions as one batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationOutcome:
    """What an evaluation found, and where it lies."""

    results: EvaluationResults
    """Scores of every question; `evaluation.summary` computes figures of them."""
    folder: Path
    """Answers, scores, results.json and the report."""
    report: Path
    """The page."""


def evaluate(
    targets: Targeted,
    *,
    model: Path | str | ReadModel = TINY_BASE,
    agent: str = SINGLE_PASS,
    files: Path | str | None = None,
    output: Path | str | None = None,
    split: str = "held_out",
    recipe: str | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    judge: str | None = None,
    judge_model: str | None = None,
    download: bool = False,
    fresh: bool = False,
    on_progress: OnProgress | None = None,
    notify: Callable[[str], None] = lambda message: None,
) -> EvaluationOutcome:
    """Ask a model the questions of benchmarks, score its answers, and write a report.

    The same call goes on where an earlier one was interrupted; a complete one is scored anew.

    Args:
        targets: suites (`qwenlong-l15`), benchmarks (`longbench-v2`), folders of examples.
        model: a model folder, `tiny-base`, or a `ReadModel` for a server.
        agent: `single_pass` (prompts that are too long lose their middle), `memory` section by
            section, or `closed_book` without the context.
        files: folder with the official files, in a folder for each benchmark.
        output: folder of the evaluation; one in `runs`, named by what is asked, if not given.
        split: `held_out` or `train`, of examples.
        recipe: whose settings are used for examples and the memory agent; by the model's size if
            not given.
        overrides: changed settings as `asking.a=b`, `memory.a=b`, `reward.a=b`, `endpoint.a=b`.
        seed: replaces the seed of sampling.
        judge: address of the judge; its key is read from the environment (`LONGLOOM_API_KEY`).
        judge_model: the judge's name at its address.
        download: take missing official files from the hub.
        fresh: delete what an earlier evaluation left in the folder.
        on_progress: is told after every answer.
        notify: is told what a person should read, in whole lines.

    Raises:
        ConfigError: a setting is refused, or the folder holds another evaluation.
        DataError: official files are missing or damaged, or the disk is full.
        ModelError: the model or the judge cannot be loaded or reached; what was answered is kept.
    """
    asked, plan, connection = _resolved(
        targets,
        model=model,
        agent=agent,
        files=files,
        split=split,
        recipe=recipe,
        overrides=overrides,
        seed=seed,
        judge=judge,
        judge_model=judge_model,
        download=download,
    )
    if asked.endpoint is None:
        from longloom.recipes.sampler_source import prepare_torch  # loads torch

        prepare_torch(plan.config.num_threads, plan.config.engine)

    async def run() -> EvaluationOutcome:
        async with open_read_model(asked, plan.config, connection) as chat:
            folder = RunFolder(_folder(output, plan, asked, chat))
            if fresh:
                clear(folder.path)
            with folder.lock():
                begin(
                    folder,
                    plan.settings(chat.name),
                    seed=plan.asking.seed,
                    num_threads=plan.config.num_threads,
                )
                notify(f"evaluation in {folder.path}")
                results = await run_evaluation(
                    plan, chat, folder.path, on_progress=on_progress, notify=notify
                )
            return EvaluationOutcome(results=results, folder=folder.path, report=folder.report_file)

    return asyncio.run(run())


def plan_evaluation(
    targets: Targeted,
    *,
    model: Path | str | ReadModel = TINY_BASE,
    agent: str = SINGLE_PASS,
    files: Path | str | None = None,
    split: str = "held_out",
    recipe: str | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    judge: str | None = None,
    judge_model: str | None = None,
    download: bool = False,
) -> tuple[PlannedBenchmark, ...]:
    """Return how much `evaluate` would ask with these arguments; nobody is called.

    Raises:
        ConfigError: a setting is refused.
        DataError: official files are missing or damaged.
    """
    _, plan, _ = _resolved(
        targets,
        model=model,
        agent=agent,
        files=files,
        split=split,
        recipe=recipe,
        overrides=overrides,
        seed=seed,
        judge=judge,
        judge_model=judge_model,
        download=download,
    )
    return tuple(planned_benchmark(target, plan) for target in plan.targets.targets)


def _resolved(
    targets: Targeted,
    *,
    model: Path | str | ReadModel,
    agent: str,
    files: Path | str | None,
    split: str,
    recipe: str | None,
    overrides: Sequence[str],
    seed: int | None,
    judge: str | None,
    judge_model: str | None,
    download: bool,
) -> tuple[ReadModel, EvaluationPlan, EndpointConfig | None]:
    asked = model if isinstance(model, ReadModel) else ReadModel(model=str(model))
    asked.check()
    if agent not in AGENTS:
        raise ConfigError(f"agent {agent!r} is unknown; expected one of {', '.join(AGENTS)}")
    if split not in tuple(Split):
        raise ConfigError(f"split {split!r} is unknown; expected one of {', '.join(Split)}")
    connecting, overrides = overrides_of("endpoint", overrides)
    stated, overrides = overrides_of("asking", overrides)
    connection = asked.connection(connecting)
    config = asked.config(recipe, overrides, seed)
    names = [targets] if isinstance(targets, str | Path) else list(targets)
    found = resolve_targets(
        [str(name) for name in names],
        config=config,
        split=split,
        files=None if files is None else Path(files),
        generated=Path("runs") / "benchmarks",
        download=download,
        seed=config.seed,
    )
    plan = EvaluationPlan(
        config=config,
        targets=found,
        asking=_asking(found, stated, seed, is_local=asked.endpoint is None),
        agent=agent,
        overrides=overrides,
        judge=_judge(config, judge, judge_model),
        is_local=asked.endpoint is None,
    )
    return asked, plan, connection


def _asking(
    targets: Targets, stated: Sequence[str], seed: int | None, *, is_local: bool
) -> AskingConfig:
    """Return the settings: defaults, then what the targets bring, then what was stated."""
    settings = AskingConfig().model_dump() | dict(targets.settings)
    if is_local:
        settings["concurrency"] = _LOCAL_CONCURRENCY
    if seed is not None:
        settings["seed"] = seed
    return parse_config(AskingConfig, apply_overrides(settings, stated))


def _judge(config: RunConfig, url: str | None, name: str | None) -> JudgeConfig | None:
    if (url is None) != (name is None):
        raise ConfigError(
            f"judge is {url!r} and the judge's name {name!r}; expected both or neither "
            "(--judge URL --judge-model NAME)"
        )
    if url is None:
        return config.judge
    return parse_config(JudgeConfig, {"endpoint": {"url": url, "model": name}})


def _folder(
    output: Path | str | None, plan: EvaluationPlan, model: ReadModel, chat: ChatSampler
) -> Path:
    if output is not None:
        return Path(output)
    name = model.model_name or Path(model.model).name
    label = label_of(Path(model.model)) if model.endpoint is None else label_of(Path(name))
    return default_folder(plan.targets.label, f"{label}-{plan.agent}", plan.settings(chat.name))
