"""Run an agent over held-out examples and score every attempt."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from longloom.errors import ConfigError
from longloom.evaluation.truncation import token_starts, truncate_middle
from longloom.models.protocols import ChatSampler
from longloom.records import Context, Example, Reward, Rollout, SamplingParams
from longloom.rewards import ScoreFunction, score_all
from longloom.rollout import Agent, Attempt, run_attempts
from longloom.text.tokenizer import Tokenizer
from longloom.text.tokenizer_tokens import TokenizerTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedExample:
    """All attempts at one example, scored."""

    example: Example
    """The example."""
    rollouts: tuple[Rollout, ...]
    """The attempts; a failed one counts as wrong."""
    rewards: tuple[Reward, ...]
    """One per attempt, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """What to evaluate, without the live parts."""

    examples: Sequence[Example]
    """Held-out examples."""
    contexts: Mapping[str, Context]
    """Their contexts by id."""
    params: SamplingParams
    """How answers are drawn."""
    num_samples: int
    """Attempts per example."""
    key: str
    """Names the random streams."""
    batch_examples: int = 128
    """Examples whose attempts run together; progress is reported after each batch."""


def evaluate_examples(
    request: EvaluationRequest,
    *,
    agent: Agent,
    sampler: ChatSampler,
    score: ScoreFunction,
    on_progress: Callable[[int], None] | None = None,
) -> tuple[EvaluatedExample, ...]:
    """Return every example with its scored attempts, in order."""
    evaluated: list[EvaluatedExample] = []
    for start in range(0, len(request.examples), request.batch_examples):
        batch = request.examples[start : start + request.batch_examples]
        attempts = [
            Attempt(
                example=example,
                context=request.contexts[example.context_id],
                rollout_index=index,
                policy_version=0,
                params=request.params,
                key=f"{request.key}/{example.example_id}/{index}",
            )
            for example in batch
            for index in range(request.num_samples)
        ]
        rollouts = run_attempts(agent, attempts, sampler=sampler)
        rewards = score_all(score, rollouts, [attempt.example for attempt in attempts])
        for position, example in enumerate(batch):
            own = slice(position * request.num_samples, (position + 1) * request.num_samples)
            evaluated.append(
                EvaluatedExample(
                    example=example, rollouts=tuple(rollouts[own]), rewards=tuple(rewards[own])
                )
            )
        if on_progress:
            on_progress(len(evaluated))
    return tuple(evaluated)


def mean_reward(evaluated: Sequence[EvaluatedExample]) -> float:
    """Return the mean over examples of the mean over attempts (avg@k)."""
    return fmean(fmean(reward.value for reward in entry.rewards) for entry in evaluated)


def truncated_contexts(
    examples: Sequence[Example],
    contexts: Mapping[str, Context],
    tokenizer: Tokenizer,
    *,
    max_prompt_tokens: int,
) -> dict[str, Context]:
    """Return contexts cut in the middle so that every prompt fits.

    Head and tail are kept, as in the paper's evaluation (QwenLong-L1.5, section 5.1). A context of
    several examples is cut for the one with the longest question.

    Raises:
        ConfigError: the prompt of an example does not fit even without its context.
    """
    budget_by_context: dict[str, int] = {}
    for example in examples:
        overhead_tokens = example.num_prompt_tokens - example.num_context_tokens
        budget_tokens = max_prompt_tokens - overhead_tokens
        if budget_tokens < 0:
            raise ConfigError(
                f"max_prompt_tokens is {max_prompt_tokens}, but the prompt of example "
                f"{example.example_id} takes {overhead_tokens} without its context; raise it"
            )
        earlier = budget_by_context.get(example.context_id, budget_tokens)
        budget_by_context[example.context_id] = min(earlier, budget_tokens)
    return {
        context_id: _truncated(contexts[context_id], tokenizer, budget_tokens)
        for context_id, budget_tokens in budget_by_context.items()
    }


def _truncated(context: Context, tokenizer: Tokenizer, budget_tokens: int) -> Context:
    starts = token_starts(context.text, TokenizerTokens(tokenizer))
    if len(starts) <= budget_tokens:
        return context
    text, kept_tokens = context.text, budget_tokens
    while True:
        text = truncate_middle(context.text, starts, kept_tokens)
        # Both sides of the cut may be other tokens together than apart.
        excess_tokens = len(tokenizer.encode(text)) - budget_tokens
        if excess_tokens <= 0 or kept_tokens == 0:
            return replace(context, text=text, parts=())
        kept_tokens = max(0, kept_tokens - excess_tokens)
