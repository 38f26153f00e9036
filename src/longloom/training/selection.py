"""Choose a stage's examples by what its starting model scores on them.

    examples of the stage's lengths -> too easy or too hard dropped -> like numbers per difficulty
    examples of earlier stages      -> the hard ones come back

The three choices of QwenLong-L1 and L1.5, each off unless asked for: the filter between stages
(L1.5, section 4.1), like numbers from bins of pass@k per task (L1.5, section 4.2), and
retrospective sampling of earlier examples (L1, Eq. 10). All use one measurement (`difficulty.py`)
with the stage's starting model under the stage's limits. Departure: L1 takes the rewards of its
base model for Eq. 10; the starting model says what is still hard.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, PositiveInt

from longloom.config import FrozenConfig
from longloom.errors import DataError
from longloom.records import Example, SamplingParams
from longloom.training.curriculum import (
    RetrospectiveConfig,
    draw_from_bins,
    in_length_band,
    sample_retrospective,
)
from longloom.training.difficulty import MeasuredExample, MeasureSettings, measure_examples
from longloom.training.filters import StageTransitionConfig, filter_for_next_stage
from longloom.training.stage_inputs import AskedStage, check_contexts


class DifficultyBinsConfig(FrozenConfig):
    """Examples of all difficulties in like numbers, task by task."""

    enabled: bool = False
    """Whether examples are drawn by bins."""
    num_bins: PositiveInt = 4
    """Bins of equal width over mean rewards of 0 to 1. Inferred: the paper prints no number."""
    draw: Literal["strictly_equal", "towards_equal"] = "towards_equal"
    """Strictly equal numbers, as the paper says: the smallest bin that is not empty limits all of
    a task, so that a strong model leaves very few. Or a set number of examples, of which a small
    bin gives all it has and the others share the rest."""
    kept_fraction: float = Field(default=0.5, gt=0, le=1)
    """Share of a task's examples that is drawn towards equal numbers, but always enough for a batch
    where there are enough. Inferred."""
    max_per_bin: PositiveInt | None = None
    """At most this many of a bin."""


class SelectionConfig(FrozenConfig):
    """Which examples a stage takes, by what its starting model scores on them."""

    num_rollouts: PositiveInt = 8
    """k: attempts per example. Inferred: the paper's group size; it prints no k."""
    transition: StageTransitionConfig = StageTransitionConfig()
    """Drop what the model always, or never, answers."""
    bins: DifficultyBinsConfig = DifficultyBinsConfig()
    """Equal numbers by difficulty."""
    retrospective: RetrospectiveConfig = RetrospectiveConfig(kind="off")
    """Which examples of earlier stages come back: those up to min_prompt_tokens long."""

    @property
    def measures_own(self) -> bool:
        """Return whether examples of the stage's own lengths must be measured."""
        return self.transition.enabled or self.bins.enabled


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedExamples:
    """What a stage is trained on."""

    examples: tuple[Example, ...]
    """Those of the stage's lengths in their order, then those of earlier stages that come back."""
    metrics: Mapping[str, float]
    """`selection/...` counts; empty if nothing was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthBand:
    """The lengths a stage takes."""

    lower_tokens: int
    """Prompts up to this length belong to earlier stages."""
    upper_tokens: int
    """Longer prompts are left to later stages."""


def select_examples(
    config: SelectionConfig,
    inputs: AskedStage,
    *,
    stage: str,
    band: LengthBand,
    params: SamplingParams,
    examples_at_once: int,
) -> SelectedExamples:
    """Return the examples of a stage; measures them first if `config` asks.

    Raises:
        DataError: no example is of these lengths or left, or one has no context.
        RewardError: a judge was needed and could not be asked.
    """
    own, earlier = own_and_earlier(config, inputs.examples, band)
    check_contexts((*own, *earlier), inputs.contexts)
    wanted = [*(own if config.measures_own else []), *earlier]
    if not wanted:
        return SelectedExamples(examples=tuple(own), metrics={})
    settings = MeasureSettings(
        stage=stage,
        num_rollouts=config.num_rollouts,
        params=params,
        examples_at_once=examples_at_once,
    )
    return choose_examples(
        config,
        own,
        earlier,
        measure_examples(settings, inputs, wanted),
        batch_size=examples_at_once,
        seed=inputs.seed,
    )


def own_and_earlier(
    config: SelectionConfig, examples: Sequence[Example], band: LengthBand
) -> tuple[list[Example], list[Example]]:
    """Return the examples of a stage's lengths, and those of earlier stages that may come back.

    Raises:
        DataError: no example is of these lengths.
    """
    own = [example for example in examples if _is_within(band, example)]
    if not own:
        raise DataError(
            f"none of {len(examples)} examples has a prompt of {band.lower_tokens + 1} to "
            f"{band.upper_tokens} tokens; synthesise examples of that length"
        )
    if config.retrospective.kind == "off":
        return own, []
    return own, [e for e in examples if e.num_prompt_tokens <= band.lower_tokens]


def choose_examples(
    config: SelectionConfig,
    own: Sequence[Example],
    earlier: Sequence[Example],
    measured: Mapping[str, MeasuredExample],
    *,
    batch_size: int,
    seed: int,
) -> SelectedExamples:
    """Return what is chosen of measured examples.

    Args:
        config: The choices.
        own: Examples of the stage's lengths.
        earlier: Examples of earlier stages.
        measured: Measurements by example id, of all that `config` needs.
        batch_size: P; bins leave at least so many where there are so many.
        seed: Breaks ties and draws.

    Raises:
        DataError: none is left.
    """
    reward_by_id = {example_id: found.mean_reward for example_id, found in measured.items()}
    kept = [example.example_id for example in own]
    metrics = {"selection/measured_examples": float(len(measured))}
    if config.transition.enabled:
        outcome = filter_for_next_stage(config.transition, {i: reward_by_id[i] for i in kept})
        kept = list(outcome.kept)
        metrics["selection/too_easy_examples"] = float(len(outcome.too_easy))
        metrics["selection/too_hard_examples"] = float(len(outcome.too_hard))
    if config.bins.enabled:
        kept = _drawn_from_bins(config.bins, own, kept, reward_by_id, batch_size, seed)
    returning = sample_retrospective(
        config.retrospective, {e.example_id: reward_by_id[e.example_id] for e in earlier}, seed=seed
    )
    metrics["selection/own_examples"] = float(len(kept))
    metrics["selection/returning_examples"] = float(len(returning))
    if measured:
        failed = sum(found.num_failed for found in measured.values())
        attempts = sum(len(found.rewards) for found in measured.values())
        metrics["selection/failed_fraction"] = failed / attempts
    chosen = {*kept, *returning}
    examples = tuple(e for e in (*own, *earlier) if e.example_id in chosen)
    if not examples:
        raise DataError(
            f"none of {len(own)} examples is left after selection by difficulty "
            f"({_shown(metrics)}); expected at least one; lower selection.transition or take "
            "other examples"
        )
    return SelectedExamples(examples=examples, metrics=metrics)


def _drawn_from_bins(
    config: DifficultyBinsConfig,
    own: Sequence[Example],
    kept: Sequence[str],
    reward_by_id: Mapping[str, float],
    batch_size: int,
    seed: int,
) -> list[str]:
    """Return what is left of `kept`: like numbers from the bins of each task."""
    rewards_by_task: dict[str, dict[str, float]] = defaultdict(dict)
    still = set(kept)
    for example in own:
        if example.example_id in still:
            rate = min(max(reward_by_id[example.example_id], 0.0), 1.0)
            rewards_by_task[str(example.task_type)][example.example_id] = rate
    fraction = max(config.kept_fraction, min(1.0, batch_size / max(1, len(kept))))
    is_strict = config.draw == "strictly_equal"
    return [
        example_id
        for _, rewards in sorted(rewards_by_task.items())
        for example_id in draw_from_bins(
            rewards,
            num_bins=config.num_bins,
            num_examples=None if is_strict else math.ceil(fraction * len(rewards)),
            max_per_bin=config.max_per_bin,
            seed=seed,
        )
    ]


def _is_within(band: LengthBand, example: Example) -> bool:
    return in_length_band(
        example.num_prompt_tokens, lower_tokens=band.lower_tokens, upper_tokens=band.upper_tokens
    )


def _shown(metrics: Mapping[str, float]) -> str:
    return ", ".join(
        f"{name.removeprefix('selection/')} {value:.4g}" for name, value in metrics.items()
    )
