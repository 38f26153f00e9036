"""What is measured of each checkpoint, and how one such cell is computed."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from longloom.evaluation.cells import AgentName, EvaluationCell, ExampleScore, write_cell
from longloom.evaluation.evaluate import (
    EvaluatedExample,
    EvaluationRequest,
    evaluate_examples,
    truncated_contexts,
)
from longloom.memory import MemoryAgent
from longloom.recipes.run_config import RunConfig, StageConfig
from longloom.recipes.run_examples import (
    RunExamples,
    limited,
    read_set,
    stage_examples,
    window_suite,
)
from longloom.recipes.sampler_source import open_sampler
from longloom.recipes.scoring import open_scoring
from longloom.records import Context, Example, FinishReason, SamplingParams, Split
from longloom.rollout import Agent, ClosedBookAgent, SinglePassAgent, TokenChat
from longloom.text.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationJob:
    """One cell of the result table."""

    checkpoint: str
    """Name of the checkpoint."""
    model_folder: Path
    """Its model folder."""
    suite: str
    """`stage-1` and so on for the stage lengths, `windows-8` for long documents."""
    agent: AgentName
    """How the model answers."""
    num_samples: int
    """Attempts per example."""
    max_prompt_tokens: int
    """Prompts are at most so long; longer documents are read in sections or cut."""
    min_prompt_tokens: int
    """Only questions with longer prompts belong to the suite."""
    max_response_tokens: int
    """Answers are cut here."""
    examples: Path = Path()
    """Folder of the questions."""
    key: str = ""
    """Ends the name of the cell's file, so that cells of other settings lie beside it."""


def jobs_of(config: RunConfig, checkpoint: str, model_folder: Path) -> list[EvaluationJob]:
    """Return the cells to compute for one checkpoint."""
    jobs: list[EvaluationJob] = []
    stages = _length_stages(config)
    limits = {stage.training.max_prompt_tokens for stage in stages.values() if stage.training}
    for suite, stage in stages.items():
        training = stage.training
        assert training is not None
        job = EvaluationJob(
            checkpoint=checkpoint,
            model_folder=model_folder,
            suite=suite,
            agent="single_pass",
            num_samples=_num_samples(config, checkpoint, suite),
            max_prompt_tokens=training.max_prompt_tokens,
            # A stage may train on shorter prompts too; the suites share no question.
            min_prompt_tokens=max(
                (one for one in limits if one < training.max_prompt_tokens), default=0
            ),
            max_response_tokens=training.max_response_tokens,
        )
        if config.evaluation.num_questions:
            jobs.append(job)
    if not config.evaluation.num_documents or checkpoint not in _long_checkpoints(config):
        return jobs
    last = list(stages.values())[-1].training
    assert last is not None
    jobs += [
        EvaluationJob(
            checkpoint=checkpoint,
            model_folder=model_folder,
            suite=window_suite(windows),
            agent=agent,
            num_samples=1,
            max_prompt_tokens=last.max_prompt_tokens,
            min_prompt_tokens=0,
            max_response_tokens=last.max_response_tokens,
        )
        for windows in config.evaluation.windows
        for agent in config.evaluation.document_agents
    ]
    return jobs


def compute_cell(
    job: EvaluationJob,
    config: RunConfig,
    folder: Path,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> EvaluationCell:
    """Evaluate one cell and write it to `folder`/evaluation.

    Raises:
        ModelError: the checkpoint cannot be loaded.
        DataError: the examples cannot be read, or the cell cannot be written.
        RewardError: the judge was needed and could not be asked.
    """
    started = time.perf_counter()
    found = _suite_examples(job, config)
    sampler = open_sampler(job.model_folder, config=config.engine)
    request = EvaluationRequest(
        examples=found.examples,
        contexts=_contexts(job, found, sampler.tokenizer),
        params=SamplingParams(
            temperature=config.evaluation.temperature,
            top_p=config.evaluation.top_p,
            max_new_tokens=job.max_response_tokens,
        ),
        num_samples=job.num_samples,
        # The same streams for every checkpoint: differences between them are paired.
        key=f"{config.seed}/evaluation/{job.suite}/{job.agent}",
    )
    total = len(found.examples)
    with open_scoring(config.reward, config.judge, folder) as scoring:
        evaluated = evaluate_examples(
            request,
            agent=_agent(job, config),
            sampler=TokenChat(sampler),
            score=scoring.score_for(job.max_response_tokens),
            on_progress=(lambda done: on_progress(done, total)) if on_progress else None,
        )
    cell = EvaluationCell(
        checkpoint=job.checkpoint,
        suite=job.suite,
        agent=job.agent,
        num_samples=job.num_samples,
        max_prompt_tokens=job.max_prompt_tokens,
        seconds=time.perf_counter() - started,
        scores=tuple(
            ExampleScore(
                example_id=entry.example.example_id,
                task_type=entry.example.task_type,
                rewards=tuple(reward.value for reward in entry.rewards),
                num_prompt_tokens=entry.example.num_prompt_tokens,
                finish=_finish(entry),
            )
            for entry in evaluated
        ),
    )
    write_cell(folder / "evaluation", cell, key=job.key)
    return cell


def _finish(entry: EvaluatedExample) -> str:
    """Return why attempts ended: the first error, else `length` if any was cut, else `stop`."""
    errors = [rollout.error for rollout in entry.rollouts if rollout.error]
    if errors:
        return errors[0]
    reasons = {rollout.turns[-1].finish_reason for rollout in entry.rollouts}
    return FinishReason.LENGTH if FinishReason.LENGTH in reasons else FinishReason.STOP


def _length_stages(config: RunConfig) -> Mapping[str, StageConfig]:
    """Return the full-context stages with new lengths: the later ones repeat them."""
    stages: dict[str, StageConfig] = {}
    for stage in config.stages:
        if stage.kind == "full_context" and stage.training is not None:
            limits = {
                known.training.max_prompt_tokens for known in stages.values() if known.training
            }
            if stage.training.max_prompt_tokens not in limits:
                stages[stage.name] = stage
    return stages


def _long_checkpoints(config: RunConfig) -> set[str]:
    """Return who is asked about long documents; see `EvaluationConfig.document_checkpoints`."""
    names = ["base", *(stage.name for stage in config.stages)]
    memory = [stage for stage in config.stages if stage.kind == "memory"]
    if not memory or config.evaluation.document_checkpoints == "all":
        return set(names)
    first = names.index(memory[0].start)
    return {"base", *names[first:]}


def _num_samples(config: RunConfig, checkpoint: str, suite: str) -> int:
    """Return several attempts for pass@k at the shortest length, before and after training."""
    names = [stage.name for stage in _length_stages(config).values()]
    is_counted = suite == names[0] and checkpoint in ("base", names[-1], config.stages[-1].name)
    return config.evaluation.num_samples if is_counted else 1


def _suite_examples(job: EvaluationJob, config: RunConfig) -> RunExamples:
    found = read_set(job.examples)
    if job.suite.startswith("windows-"):
        return found
    fitting: list[Example] = [
        example
        for example in stage_examples(found, Split.HELD_OUT)
        if job.min_prompt_tokens < example.num_prompt_tokens <= job.max_prompt_tokens
    ]
    chosen = limited(fitting, config.evaluation.num_questions)
    return RunExamples(examples=tuple(chosen), contexts=found.contexts)


def _contexts(
    job: EvaluationJob, found: RunExamples, tokenizer: Tokenizer
) -> Mapping[str, Context]:
    if job.agent != "truncated":
        return found.contexts
    return truncated_contexts(
        found.examples, found.contexts, tokenizer, max_prompt_tokens=job.max_prompt_tokens
    )


def _agent(job: EvaluationJob, config: RunConfig) -> Agent:
    match job.agent:
        case "closed_book":
            return ClosedBookAgent()
        case "memory":
            return MemoryAgent(config.memory)
        case "single_pass" | "truncated":
            return SinglePassAgent(config.template)
