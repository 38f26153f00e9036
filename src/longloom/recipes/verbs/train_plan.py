"""What training one stage by hand will do, without doing it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from longloom.engines.memory_plan import StageWork, plan_memory
from longloom.recipes.model_source import TINY_BASE
from longloom.recipes.recipe_yaml import recipe_yaml
from longloom.recipes.stage_data import check_source
from longloom.recipes.stage_memory import free_memory_lines, sft_work, training_work
from longloom.recipes.stage_settings import StageSettings, stage_settings
from longloom.synthesis.published.files import count_plain_rows
from longloom.training.stage import TrainingConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """What a stage will do and need."""

    settings_yaml: str
    """The resolved settings."""
    work: tuple[tuple[str, str], ...]
    """What will be done: name and amount."""
    memory: tuple[str, ...]
    """What it needs of the memory, what is free, and what to change if that is less."""


def plan_training(
    examples: Path | str,
    *,
    model: Path | str = TINY_BASE,
    recipe: str = "tiny-cpu",
    stage: str = "stage-1",
    overrides: Sequence[str] = (),
    tasks: Sequence[str] = (),
    track: Sequence[str] = (),
    seed: int | None = None,
) -> TrainingPlan:
    """Return what `train` would do with the same arguments; nothing is written or loaded.

    Raises:
        ConfigError: a setting is refused.
        DataError: there are no such examples.
        ModelError: the model's config.json cannot be read.
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
    check_source(
        Path(settings.examples),
        needs_documents=settings.agent == "memory",
        needs_worked_answers=settings.sft is not None,
    )
    plan = plan_memory(Path(settings.model), settings.engine, stage_work(settings))
    return TrainingPlan(
        settings_yaml=recipe_yaml(settings, is_commented=False),
        work=_work_lines(settings),
        memory=(*plan.lines(), *free_memory_lines(plan)),
    )


def stage_work(settings: StageSettings) -> StageWork:
    """Return what a stage by hand asks of the engine."""
    if settings.sft is not None:
        return sft_work(settings.sft)
    assert settings.training is not None
    memory = settings.memory if settings.agent == "memory" else None
    return training_work(settings.training, memory)


def _work_lines(settings: StageSettings) -> tuple[tuple[str, str], ...]:
    source = Path(settings.examples)
    lines = [("data", _described(source))]
    if settings.sft is not None:
        sft = settings.sft
        num_steps = sft.num_epochs * -(-count_plain_rows(source) // sft.batch_size)
        return (
            *lines,
            ("steps", f"{num_steps:,} at most ({sft.num_epochs} epochs of {sft.batch_size} rows)"),
            ("row", f"{sft.max_tokens:,} tokens at most"),
        )
    training = settings.training
    assert training is not None
    num_rollouts = training.num_steps * training.sampling.batch_size * training.group_size
    lines += [
        ("steps", f"{training.num_steps:,}, {training.updates_per_batch} updates each"),
        ("rollouts", f"{num_rollouts:,}{_refills(training)}"),
        ("prompt", f"{training.min_prompt_tokens + 1:,} to {training.max_prompt_tokens:,} tokens"),
        ("answer", f"{training.max_response_tokens:,} tokens at most"),
        ("sampled", f"{num_rollouts * training.max_response_tokens:,} tokens at most"),
        ("judge", settings.judge.endpoint.model if settings.judge else "none: rules alone"),
    ]
    return tuple(lines)


def _refills(training: TrainingConfig) -> str:
    config = training.group_filter
    if not (config.drop_zero_variance and config.max_refills):
        return ""
    return f", and what up to {config.max_refills} refills of a step add"


def _described(source: Path) -> str:
    if source.is_dir():
        return f"folder {source}"
    return f"about {count_plain_rows(source):,} rows of {source}"
