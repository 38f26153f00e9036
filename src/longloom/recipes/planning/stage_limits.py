"""What a run will do, computed from its configuration alone."""

import math
from dataclasses import dataclass
from pathlib import Path

from longloom.recipes.evaluation_jobs import jobs_of
from longloom.recipes.run_config import RunConfig, StageConfig
from longloom.synthesis.published.files import count_plain_rows
from longloom.training.sft import SftConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStage:
    """The size of one stage; all sizes are 0 for a merge."""

    name: str
    """Its name."""
    kind: str
    """full_context, memory, merge or sft."""
    start: str
    """The checkpoint it starts from."""
    num_steps: int
    """Steps; of supervised fine-tuning as the number of its rows says, 0 if they are not there."""
    num_rollouts: int
    """Attempts in all steps together."""
    max_prompt_tokens: int
    """Longest prompt, or for the memory agent the longest document with its question."""
    max_response_tokens: int
    """Longest answer."""
    max_sampled_tokens: int
    """Tokens drawn in all steps if every call runs to its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSuite:
    """Questions that are put in one way to some checkpoints."""

    name: str
    """stage-1 and so on, or windows-8."""
    agent: str
    """How they are asked."""
    num_samples: int
    """Attempts per question."""
    num_questions: int
    """Most questions; there may be fewer."""
    checkpoints: tuple[str, ...]
    """Who is asked."""


def plan_stages(config: RunConfig) -> tuple[PlannedStage, ...]:
    """Return the stages in the order in which they run."""
    return tuple(_planned(config, stage) for stage in config.stages)


def plan_evaluation(config: RunConfig) -> tuple[PlannedSuite, ...]:
    """Return what is asked, and of which checkpoints."""
    checkpoints: dict[tuple[str, str, int], list[str]] = {}
    for name in ("base", *(stage.name for stage in config.stages)):
        for job in jobs_of(config, name, Path()):
            checkpoints.setdefault((job.suite, job.agent, job.num_samples), []).append(name)
    evaluation = config.evaluation
    return tuple(
        PlannedSuite(
            name=suite,
            agent=agent,
            num_samples=num_samples,
            num_questions=evaluation.num_documents
            if suite.startswith("windows-")
            else evaluation.num_questions,
            checkpoints=tuple(names),
        )
        for (suite, agent, num_samples), names in sorted(checkpoints.items())
    )


def _planned(config: RunConfig, stage: StageConfig) -> PlannedStage:
    if stage.sft is not None:
        num_answers = stage.num_worked_answers * len(config.synthesis.length_bands)
        return _planned_sft(stage, stage.sft, num_answers)
    training = stage.training
    if training is None:
        sizes = dict.fromkeys(
            (
                "num_steps", "num_rollouts", "max_prompt_tokens", "max_response_tokens",
                "max_sampled_tokens",
            ),
            0,
        )  # fmt: skip
        return PlannedStage(name=stage.name, kind=stage.kind, start=stage.start, **sizes)
    num_rollouts = training.num_steps * training.sampling.batch_size * training.group_size
    sampled_tokens = training.max_response_tokens
    if stage.kind == "memory":
        sections = math.ceil(config.memory_document_tokens / config.memory.chunk_tokens)
        sampled_tokens += sections * config.memory.update_tokens
    return PlannedStage(
        name=stage.name,
        kind=stage.kind,
        start=stage.start,
        num_steps=training.num_steps,
        num_rollouts=num_rollouts,
        max_prompt_tokens=training.max_prompt_tokens,
        max_response_tokens=training.max_response_tokens,
        max_sampled_tokens=num_rollouts * sampled_tokens,
    )


def _planned_sft(stage: StageConfig, sft: SftConfig, num_answers: int) -> PlannedStage:
    num_rows = count_plain_rows(Path(stage.sft_rows)) if stage.sft_rows else num_answers
    return PlannedStage(
        name=stage.name,
        kind=stage.kind,
        start=stage.start,
        num_steps=sft.num_epochs * math.ceil(num_rows / sft.batch_size),
        num_rollouts=0,
        max_prompt_tokens=sft.max_tokens,
        max_response_tokens=0,
        max_sampled_tokens=0,
    )
