"""What a stage is expected to read, draw and learn: calls to the model, in batches.

A *call* is one prompt with one answer. P prompts with G answers each are a batch; a stage of S
steps has S of them. The memory agent makes one call for each section and one for the answer, and
from its second call on every rollout has a prompt of its own.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from longloom.recipes.evaluation_jobs import EvaluationJob, jobs_of
from longloom.recipes.planning.assumptions import PlanAssumptions
from longloom.recipes.planning.operations import Number
from longloom.recipes.planning.prompt_lengths import (
    mean_prompt_tokens,
    num_examples_between,
    num_sft_rows,
)
from longloom.recipes.run_config import RunConfig, StageConfig
from longloom.recipes.run_examples import window_tokens
from longloom.training.sft import SftConfig
from longloom.training.stage import TrainingConfig

INSTRUCTION_TOKENS = {"compact": 40, "full": 400}
"""What the memory agent's prompts say beside section and memory, the question among it, by wording:
about so much of `text/prompts.yaml`."""
_CLOSED_BOOK_TOKENS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBatch:
    """Calls that are made at the same time, and how often that happens."""

    num_batches: Number
    """How often."""
    num_prompts: Number
    """P: different prompts of one batch."""
    group_size: Number
    """G: answers to each."""
    prompt_tokens: Number
    """T: mean length of a prompt."""
    response_tokens: Number
    """A: mean length of an answer."""
    longest_tokens: Number
    """Length of the longest answer of a batch."""
    num_drawn: Number = 1.0
    """Batches that are drawn for one that counts: what dynamic sampling draws again."""
    is_sampled: bool = True
    """Whether answers are drawn."""
    is_trained: bool = True
    """Whether they are learned from."""

    @property
    def num_calls(self) -> Number:
        """Answers of all batches that count."""
        return self.num_batches * self.num_prompts * self.group_size

    @property
    def context_tokens(self) -> Number:
        """Prompt tokens of all batches that count, a group's once."""
        return self.num_batches * self.num_prompts * self.prompt_tokens

    @property
    def unshared_context_tokens(self) -> Number:
        """Prompt tokens of all batches that count, once for every answer."""
        return self.num_calls * self.prompt_tokens

    @property
    def answer_tokens(self) -> Number:
        """Answer tokens of all batches that count."""
        return self.num_calls * self.response_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedWork:
    """The work of one stage, or of the evaluation."""

    name: str
    """Its name."""
    kind: str
    """full_context, memory, sft, merge or evaluation."""
    num_steps: Number
    """Steps; 0 where nothing is trained."""
    num_rollouts: Number
    """Attempts that are drawn, those of selection, validation and refills among them."""
    batches: tuple[CallBatch, ...] = ()
    """Its calls."""
    num_updates: Number = 0.0
    """Optimizer steps."""
    scored_fraction: Number = 0.0
    """Part of the learned calls that is scored once before, for updates after the first."""
    has_reference: bool = False
    """Whether a reference scores them too."""

    @property
    def prefilled_tokens(self) -> Number:
        """Prompt tokens computed for rollouts, a group's once."""
        return sum(each.num_drawn * each.context_tokens for each in self._sampled)

    @property
    def unshared_prefilled_tokens(self) -> Number:
        """The same if every answer had its prompt computed for itself."""
        return sum(each.num_drawn * each.unshared_context_tokens for each in self._sampled)

    @property
    def drawn_tokens(self) -> Number:
        """Tokens of answers that are drawn."""
        return sum(each.num_drawn * each.answer_tokens for each in self._sampled)

    @property
    def trained_tokens(self) -> Number:
        """Tokens of forward and backward passes, a group's prompt once."""
        return sum(each.context_tokens + each.answer_tokens for each in self._trained)

    @property
    def unshared_trained_tokens(self) -> Number:
        """The same if every answer had its prompt computed for itself."""
        return sum(each.unshared_context_tokens + each.answer_tokens for each in self._trained)

    @property
    def _sampled(self) -> Iterator[CallBatch]:
        return (each for each in self.batches if each.is_sampled)

    @property
    def _trained(self) -> Iterator[CallBatch]:
        return (each for each in self.batches if each.is_trained)


def expected_work(config: RunConfig, assumed: PlanAssumptions) -> tuple[ExpectedWork, ...]:
    """Return the work of every stage in order, and of the evaluation behind them."""
    stages = tuple(_of_stage(config, stage, assumed) for stage in config.stages)
    evaluation = _of_evaluation(config, assumed)
    return (*stages, evaluation) if evaluation.batches else stages


def _of_stage(config: RunConfig, stage: StageConfig, assumed: PlanAssumptions) -> ExpectedWork:
    if stage.sft is not None:
        return _of_sft(stage, stage.sft, assumed)
    training = stage.training
    if training is None:
        return ExpectedWork(name=stage.name, kind=stage.kind, num_steps=0, num_rollouts=0)
    own = _step_calls(config, stage, training, assumed)
    measured = tuple(_measured_calls(config, stage, training, assumed))
    attempts = [*own[-1:], *measured[-1:]] if stage.kind == "memory" else [*own, *measured]
    updates = training.updates_per_batch
    return ExpectedWork(
        name=stage.name,
        kind=stage.kind,
        num_steps=training.num_steps,
        num_rollouts=sum(each.num_drawn * each.num_calls for each in attempts),
        batches=(*own, *measured),
        num_updates=training.num_steps * updates,
        scored_fraction=(updates - 1) / updates,
        has_reference=training.loss.kl_coefficient > 0,
    )


def _step_calls(
    config: RunConfig, stage: StageConfig, training: TrainingConfig, assumed: PlanAssumptions
) -> tuple[CallBatch, ...]:
    """Return the calls of the steps themselves."""
    group_filter = training.group_filter
    is_refilled = group_filter.drop_zero_variance and group_filter.max_refills > 0
    batch = CallBatch(
        num_batches=training.num_steps,
        num_prompts=training.sampling.batch_size,
        group_size=training.group_size,
        prompt_tokens=mean_prompt_tokens(config, stage, assumed),
        response_tokens=assumed.answer_fraction * training.max_response_tokens,
        longest_tokens=assumed.longest_fraction * training.max_response_tokens,
        num_drawn=1 / (1 - assumed.dropped_group_fraction) if is_refilled else 1.0,
    )
    return _as_agent(config, stage.kind == "memory", batch, assumed)


def _measured_calls(
    config: RunConfig, stage: StageConfig, training: TrainingConfig, assumed: PlanAssumptions
) -> Iterator[CallBatch]:
    """Yield the calls that measure: before the stage to select examples, within it to validate."""
    whole = CallBatch(
        num_batches=1,
        num_prompts=0,
        group_size=training.selection.num_rollouts,
        prompt_tokens=mean_prompt_tokens(config, stage, assumed),
        response_tokens=assumed.answer_fraction * training.max_response_tokens,
        longest_tokens=assumed.longest_fraction * training.max_response_tokens,
        is_trained=False,
    )
    found = []
    if training.selection.measures_own:
        num_own = num_examples_between(config, stage)
        found.append(replace(whole, num_prompts=num_own))
    validation = training.validation
    if validation.every_steps:
        steps = range(1, training.num_steps + 1)
        found.append(
            replace(
                whole,
                num_batches=sum(validation.is_due(step, training.num_steps) for step in steps),
                num_prompts=validation.num_examples,
                group_size=validation.num_rollouts,
            )
        )
    for batch in found:
        yield from _as_agent(config, stage.kind == "memory", batch, assumed)


def _as_agent(
    config: RunConfig, is_memory: bool, batch: CallBatch, assumed: PlanAssumptions
) -> tuple[CallBatch, ...]:
    """Return a batch as it is, or the calls of the memory agent over documents of that length."""
    if not is_memory:
        return (batch,)
    memory = config.memory
    num_sections = math.ceil(batch.prompt_tokens / memory.chunk_tokens)
    section_tokens = batch.prompt_tokens / num_sections
    written = assumed.answer_fraction * memory.update_tokens
    said = INSTRUCTION_TOKENS[memory.wording]
    first = replace(
        batch,
        prompt_tokens=section_tokens + said,
        response_tokens=written,
        longest_tokens=assumed.longest_fraction * memory.update_tokens,
    )
    num_rollouts = batch.num_prompts * batch.group_size
    later = replace(
        first,
        num_batches=batch.num_batches * (num_sections - 1),
        prompt_tokens=section_tokens + written + said,
        num_prompts=num_rollouts,
        group_size=1,
    )
    answer = replace(
        batch,
        prompt_tokens=written + said,
        num_prompts=num_rollouts,
        group_size=1,
    )
    return (first, answer) if num_sections == 1 else (first, later, answer)


def _of_sft(stage: StageConfig, sft: SftConfig, assumed: PlanAssumptions) -> ExpectedWork:
    num_rows = num_sft_rows(stage, assumed)
    steps_per_epoch = math.ceil(num_rows / sft.batch_size)
    num_steps = sft.num_epochs * steps_per_epoch
    row_tokens = assumed.sft_row_fraction * sft.max_tokens
    rows = CallBatch(
        num_batches=num_steps,
        num_prompts=num_rows / max(1, steps_per_epoch),
        group_size=1,
        prompt_tokens=0,
        response_tokens=row_tokens,
        longest_tokens=row_tokens,
        is_sampled=False,
    )
    return ExpectedWork(
        name=stage.name,
        kind=stage.kind,
        num_steps=num_steps,
        num_rollouts=0,
        batches=(rows,),
        num_updates=num_steps,
    )


def _of_evaluation(config: RunConfig, assumed: PlanAssumptions) -> ExpectedWork:
    batches: list[CallBatch] = []
    num_attempts = 0.0
    for name in ("base", *(stage.name for stage in config.stages)):
        for job in jobs_of(config, name, Path()):
            calls = _job_calls(config, job, assumed)
            batches += calls
            num_attempts += calls[-1].num_calls
    return ExpectedWork(
        name="evaluation",
        kind="evaluation",
        num_steps=0,
        num_rollouts=num_attempts,
        batches=tuple(batches),
    )


def _job_calls(
    config: RunConfig, job: EvaluationJob, assumed: PlanAssumptions
) -> tuple[CallBatch, ...]:
    is_long = job.suite.startswith("windows-")
    evaluation = config.evaluation
    if not is_long:
        stage = next(stage for stage in config.stages if stage.name == job.suite)
        prompt_tokens = mean_prompt_tokens(config, stage, assumed)
    elif job.agent == "memory":
        prompt_tokens = float(int(job.suite.removeprefix("windows-")) * window_tokens(config))
    else:
        prompt_tokens = _CLOSED_BOOK_TOKENS if job.agent == "closed_book" else job.max_prompt_tokens
    batch = CallBatch(
        num_batches=1,
        num_prompts=evaluation.num_documents if is_long else evaluation.num_questions,
        group_size=job.num_samples,
        prompt_tokens=prompt_tokens,
        response_tokens=assumed.answer_fraction * job.max_response_tokens,
        longest_tokens=assumed.longest_fraction * job.max_response_tokens,
        is_trained=False,
    )
    return _as_agent(config, is_long and job.agent == "memory", batch, assumed)
