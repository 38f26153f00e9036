"""What the tiny base model can do before any reinforcement learning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

from longloom.evaluation.evaluate import EvaluatedExample, EvaluationRequest, evaluate_examples
from longloom.evaluation.statistics import pass_at_k
from longloom.memory import MemoryAgent, MemoryConfig, MemoryState, parse_update
from longloom.models.local_sampler import LocalSampler
from longloom.models.qwen3 import Qwen3
from longloom.records import Context, Example, SamplingParams, TaskType
from longloom.rewards import RewardConfig, score_rollout
from longloom.rollout import Agent, ClosedBookAgent, SinglePassAgent, TokenChat
from longloom.text.tokenizer import Tokenizer

NUM_SAMPLES = 8
SUCCESS_REWARD = 0.999
"""A reward of at least this counts as a pass; only dialogues have rewards between 0 and 1."""
TINY_REWARDS = RewardConfig(cover_match="whole_words", numeric_scales=())
"""Names contain each other and numbers are small, so substrings and scalings would score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMeasures:
    """Figures of one task over held-out examples."""

    num_examples: int
    """Examples measured."""
    mean_reward: float
    """Mean over examples and attempts (avg@8)."""
    pass_at_1: float
    """Chance that one attempt passes."""
    pass_at_8: float
    """Chance that one of eight passes, unbiased."""
    closed_book: float
    """Mean reward without the document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseMeasures:
    """Figures of the base model on stage-1 lengths."""

    by_task: Mapping[TaskType, TaskMeasures]
    """One entry per task type."""
    memory_format_fraction: float
    """Updates of the memory agent that could be parsed."""


def measure_base(
    model: Qwen3,
    tokenizer: Tokenizer,
    examples: Sequence[Example],
    contexts: Mapping[str, Context],
    *,
    max_response_tokens: int,
    seed: int,
) -> BaseMeasures:
    """Sample eight answers per example, with and without the document, and memory updates."""
    sampler = LocalSampler(model, tokenizer)
    score = partial(score_rollout, config=TINY_REWARDS)
    params = SamplingParams(temperature=1.0, top_p=1.0, max_new_tokens=max_response_tokens)

    def run(agent: Agent, chosen: Sequence[Example], key: str) -> tuple[EvaluatedExample, ...]:
        request = EvaluationRequest(
            examples=chosen, contexts=contexts, params=params, num_samples=NUM_SAMPLES,
            key=f"{seed}/{key}",
        )  # fmt: skip
        return evaluate_examples(request, agent=agent, sampler=TokenChat(sampler), score=score)

    with_document = run(SinglePassAgent("plain"), examples, "base")
    without = run(ClosedBookAgent(), examples, "closed-book")
    readable = [
        example for example in examples if example.task_type is not TaskType.DIALOGUE_MEMORY
    ]
    memory_agent = MemoryAgent(
        MemoryConfig(
            chunk_tokens=64,
            memory_tokens=48,
            wording="compact",
            decomposition="off",
            num_repairs=0,
            overflow="keep",
        )
    )
    notes = run(memory_agent, readable[:60], "memory")
    return BaseMeasures(
        by_task={
            task: _task_measures(task, with_document, without)
            for task in sorted({example.task_type for example in examples})
        },
        memory_format_fraction=_format_fraction(notes),
    )


def _task_measures(
    task: TaskType,
    with_document: Sequence[EvaluatedExample],
    without: Sequence[EvaluatedExample],
) -> TaskMeasures:
    rewards = [
        [reward.value for reward in entry.rewards]
        for entry in with_document
        if entry.example.task_type is task
    ]
    passes = [sum(value >= SUCCESS_REWARD for value in row) for row in rewards]
    return TaskMeasures(
        num_examples=len(rewards),
        mean_reward=fmean(fmean(row) for row in rewards),
        pass_at_1=fmean(pass_at_k(NUM_SAMPLES, count, 1) for count in passes),
        pass_at_8=fmean(pass_at_k(NUM_SAMPLES, count, 8) for count in passes),
        closed_book=fmean(
            reward.value
            for entry in without
            if entry.example.task_type is task
            for reward in entry.rewards
        ),
    )


def _format_fraction(evaluated: Sequence[EvaluatedExample]) -> float:
    parsed = [
        parse_update(turn.response_text, previous=MemoryState(), finish_reason=turn.finish_reason)
        is not None
        for entry in evaluated
        for rollout in entry.rollouts
        for turn in rollout.turns[:-1]
    ]
    return fmean(parsed)
