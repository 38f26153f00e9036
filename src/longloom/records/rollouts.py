"""What a model produced, how it was scored, and what training consumes.

Three rules hold for every tensor made of these records, here and nowhere else stated twice:
masks are bool with True = counts; the log-probability at position t scores token t; padding is
on the right.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from longloom.records.examples import Example


class FinishReason(StrEnum):
    """Why a completion ended."""

    LENGTH = "length"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingParams:
    """How tokens are drawn."""

    temperature: float
    """Divides the logits; 0 takes the most probable token."""
    top_p: float
    """Nucleus mass; 1.0 keeps every token."""
    max_new_tokens: int
    """Completions are cut here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRequest:
    """One completion to draw."""

    prompt_ids: tuple[int, ...]
    """The prompt's tokens."""
    params: SamplingParams
    """How tokens are drawn."""
    key: str
    """Names the random stream: seed, step, example, rollout and turn; never arrival order."""
    cache_salt: str = ""
    """Whose request it is: one finds nothing of what was kept for another, not even by the time
    that it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One sampled continuation of a prompt."""

    token_ids: tuple[int, ...]
    """Sampled tokens, the end token included when it was drawn."""
    logprobs: tuple[float, ...]
    """Log-probability of each token under the sampling temperature, before top-p."""
    entropies: tuple[float, ...]
    """Entropy in nats at each position: full vocabulary, temperature applied, before top-p."""
    finish_reason: FinishReason
    """Why it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One call of the model within a rollout."""

    prompt_ids: tuple[int, ...]
    """The prompt's tokens."""
    response_ids: tuple[int, ...]
    """The sampled tokens."""
    rollout_logprobs: tuple[float, ...]
    """The sampler's log-probability of each sampled token."""
    entropies: tuple[float, ...]
    """The sampler's entropy in nats at each sampled token."""
    finish_reason: FinishReason
    """Why the call ended."""
    prompt_text: str
    """The prompt as text."""
    response_text: str
    """The response as text, thinking included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One attempt at an example: one turn for a single pass, several for the memory agent."""

    example_id: str
    """The example attempted."""
    rollout_index: int
    """0 .. G-1 within its group."""
    policy_version: int
    """Optimizer steps the sampling policy had taken."""
    turns: tuple[Turn, ...]
    """The model calls in order; the last one holds the answer."""
    final_text: str
    """Text of the answer turn, thinking included; empty if the rollout failed."""
    error: str
    """Why the rollout failed, or empty. A failed rollout is counted, never dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """The score of one rollout."""

    value: float
    """What training and evaluation use, within [0, 1] before any length penalty."""
    reward_parts: Mapping[str, float]
    """The parts it was made of: rule, judge, overlong."""
    extracted_answer: str
    """What was taken as the answer; empty if none was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutGroup:
    """All attempts at one example in one step, with their rewards."""

    example: Example
    """The example attempted."""
    rollouts: tuple[Rollout, ...]
    """G attempts."""
    rewards: tuple[Reward, ...]
    """One per rollout, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSequence:
    """One model call to learn from; calls of one trajectory carry the same advantage."""

    prompt_ids: tuple[int, ...]
    """The prompt's tokens; sequences with equal prompts share their computation."""
    response_ids: tuple[int, ...]
    """The tokens the loss is taken over."""
    rollout_logprobs: tuple[float, ...]
    """The sampler's log-probabilities of the response tokens."""
    advantages: tuple[float, ...]
    """One per response token; 0 where a mask removed the token from the gradient."""
    old_logprobs: tuple[float, ...] | None = None
    """The trainer's log-probabilities before the step's first update; None if this is the first."""
