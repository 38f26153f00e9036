"""How long the work of a stage takes, and what of it binds.

Of R rows with answers of A tokens on average, R' run at once as far as the caches hold them:

    steps = longest answer + (R / R' - 1) A            rows in a step, on average: R A / steps

The first A of these steps are needed however large the machine is; the steps up to the longest
answer are the tail, in which few rows are left; the others are waited for room in the caches.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from longloom.engines.model_sizes import ModelSizes
from longloom.models.prefill import PASS_TOKENS
from longloom.recipes.planning.expected_work import CallBatch, ExpectedWork
from longloom.recipes.planning.operations import (
    Number,
    Operations,
    answer_operations,
    context_operations,
    trained,
)
from longloom.recipes.planning.rates import DecodingLoad, Rates

PREFILL = "passes over prompts"
OVERHEAD = "overhead of decoding steps"
WEIGHTS = "reading the weights in decoding steps"
ROWS = "caches and arithmetic of decoding rows"
TAIL = "the tail of rollouts: few rows wait for the longest answer"
WAITING = "room in the caches: rows wait for one another"
UPDATE = "forward and backward passes"
SCORING = "scoring before the update"
OPTIMIZER = "optimizer steps"
REST = "rewards, bookkeeping, checkpoints"
DISK = "reading and writing models"
_TRAINED = (UPDATE, SCORING, OPTIMIZER)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineUse:
    """How the engine is set up on the machine."""

    num_devices: int
    """Devices that work together."""
    num_copies: int
    """Copies of the network in rollouts."""
    cache_tokens: Number
    """Tokens that the caches of one copy hold."""
    batch_tokens: Number
    """Tokens of a micro-batch."""
    has_adapters: bool
    """Whether adapters are trained, not the weights."""
    recomputes_layers: bool
    """Whether layers are computed again going back."""
    num_trained: Number
    """Weights that are stepped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageOperations:
    """Floating-point operations of a stage."""

    prefill: Operations
    """Passes over prompts."""
    decoding: Operations
    """Drawing."""
    forward: Operations
    """Forward passes of updates."""
    training: Operations
    """Forward and backward passes of updates."""
    scoring: Operations
    """Forward passes for old log-probabilities and the reference."""

    @property
    def total(self) -> Number:
        """All of them."""
        parts = (self.prefill, self.decoding, self.training, self.scoring)
        return sum(part.total for part in parts)


def stage_operations(sizes: ModelSizes, work: ExpectedWork, use: EngineUse) -> StageOperations:
    """Return the operations of a stage on all devices together."""
    prefill = decoding = forward = Operations()
    for batch in work.batches:
        contexts = _contexts(sizes, batch)
        answers = answer_operations(sizes, batch.prompt_tokens, batch.response_tokens)
        answers = answers.times(batch.num_calls)
        if batch.is_sampled:
            prefill += contexts.times(batch.num_drawn)
            decoding += answers.times(batch.num_drawn)
        if batch.is_trained:
            forward += contexts + answers
    num_scored = work.scored_fraction + (1 if work.has_reference else 0)
    return StageOperations(
        prefill=prefill,
        decoding=decoding,
        forward=forward,
        training=trained(
            forward, has_adapters=use.has_adapters, recomputes_layers=use.recomputes_layers
        ),
        scoring=forward.times(num_scored),
    )


def stage_seconds(
    sizes: ModelSizes, work: ExpectedWork, use: EngineUse, rates: Rates
) -> dict[str, Number]:
    """Return the seconds of a stage by what they are spent on; checkpoints and rest left out."""
    found = stage_operations(sizes, work, use)
    num_filled = sum(
        each.num_batches * max(1.0, each.num_prompts * each.prompt_tokens / PASS_TOKENS)
        for each in work.batches
        if each.is_sampled
    )
    num_learned = max(work.num_updates, work.trained_tokens / use.batch_tokens)
    num_scored = num_learned * found.scoring.linear / max(found.forward.linear, 1.0)
    seconds = {
        PREFILL: rates.prefill_seconds(found.prefill, num_filled) / use.num_devices,
        UPDATE: rates.training_seconds(found.forward, num_learned) / use.num_devices,
        SCORING: rates.prefill_seconds(found.scoring, num_scored) / use.num_devices,
        OPTIMIZER: work.num_updates * rates.optimizer_seconds(use.num_trained) / use.num_devices,
    }
    for batch in work.batches:
        if batch.is_sampled and batch.num_calls:
            for name, spent in _decoding(batch, use, rates).items():
                seconds[name] = seconds.get(name, 0.0) + spent
    return seconds


def rollout_seconds(seconds: Mapping[str, Number]) -> Number:
    """Return what rollouts take of the seconds of a stage."""
    return sum(seconds.get(name, 0.0) for name in (PREFILL, OVERHEAD, WEIGHTS, ROWS, TAIL, WAITING))


def training_seconds(seconds: Mapping[str, Number]) -> Number:
    """Return what updates take of the seconds of a stage."""
    return sum(seconds.get(name, 0.0) for name in _TRAINED)


def _contexts(sizes: ModelSizes, batch: CallBatch) -> Operations:
    num_contexts = batch.num_batches * batch.num_prompts
    return context_operations(sizes, batch.prompt_tokens).times(num_contexts)


def _decoding(batch: CallBatch, use: EngineUse, rates: Rates) -> dict[str, Number]:
    """Return the seconds of drawing by what they are spent on."""
    num_rows = batch.num_drawn * batch.num_prompts * batch.group_size / use.num_copies
    at_once = min(num_rows, rows_at_once(batch, use.cache_tokens))
    mean, longest = batch.response_tokens, max(batch.longest_tokens, batch.response_tokens)
    waited = (num_rows / at_once - 1) * mean
    num_steps = longest + waited
    rows = num_rows * mean / num_steps
    step = rates.step_seconds(
        DecodingLoad(
            rows=rows,
            groups=max(1.0, rows / batch.group_size),
            prompt_tokens=batch.prompt_tokens,
            own_tokens=mean / 2,
        )
    )
    times = batch.num_batches
    return {
        OVERHEAD: times * mean * step.overhead,
        WEIGHTS: times * mean * step.weights,
        TAIL: times * (longest - mean) * step.fixed,
        WAITING: times * waited * step.fixed,
        ROWS: times * num_steps * step.rows,
    }


def rows_at_once(batch: CallBatch, cache_tokens: Number) -> Number:
    """Return the rows that the caches hold, a group's prompt once; at least one.

    A prompt that fills the caches makes them larger, to 5/4 of it (`models.generate`).
    """
    room = max(cache_tokens, batch.prompt_tokens * 5 / 4)
    answers = batch.group_size * batch.response_tokens
    group_tokens = batch.prompt_tokens + answers
    if group_tokens <= room:
        return room // group_tokens * batch.group_size
    return max(1.0, (room - batch.prompt_tokens) // batch.response_tokens)
