"""Take the optimizer steps of one batch.

One update per batch is strictly on-policy: the importance ratio is 1. With several, the policy has
moved on by the second one, so the log-probabilities from before the first are what later ones are
compared with (QwenLong-L1: 4 updates of 32 prompts; MemAgent: 16). The first update needs none.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from longloom.training.batch import MiniBatch
from longloom.training.engine import TrainEngine, Update
from longloom.training.loss_config import LossConfig
from longloom.training.stage import TrainingConfig

_RATIO_FIGURES = (
    "training/clipped_fraction",
    "training/importance_correction_mean",
    "training/importance_ratio_mean",
    "training/policy_shift_nats",
)


def take_updates(
    engine: TrainEngine,
    config: TrainingConfig,
    mini_batches: Sequence[MiniBatch],
    *,
    learning_rate: float,
) -> dict[str, float]:
    """Learn from every mini-batch in order; return the figures of the updates.

    Figures are means over the updates, and maxima where the name says `_max`.

    Raises:
        EngineError: a loss or gradient is not finite.
    """
    found = []
    for mini_batch in _with_old_logprobs(engine, config, mini_batches):
        update = Update(
            sequences=mini_batch.sequences,
            denominators=mini_batch.denominators,
            temperature=config.temperature,
            learning_rate=learning_rate,
            max_grad_norm=config.max_grad_norm,
        )
        metrics = engine.update(update, loss=config.loss)
        found.append({**metrics, **_means_over_learned(metrics, mini_batch, config.loss)})
    return _combined(found)


def _with_old_logprobs(
    engine: TrainEngine, config: TrainingConfig, mini_batches: Sequence[MiniBatch]
) -> list[MiniBatch]:
    """Return the mini-batches, all but the first with the present policy's log-probabilities."""
    later = [sequence for mini_batch in mini_batches[1:] for sequence in mini_batch.sequences]
    if not later:
        return list(mini_batches)
    scored = iter(engine.score(later, temperature=config.temperature))
    return [
        mini_batches[0],
        *(
            replace(
                mini_batch,
                sequences=tuple(
                    replace(sequence, old_logprobs=next(scored))
                    for sequence in mini_batch.sequences
                ),
            )
            for mini_batch in mini_batches[1:]
        ),
    ]


def _means_over_learned(
    metrics: Mapping[str, float], mini_batch: MiniBatch, loss: LossConfig
) -> dict[str, float]:
    """Return figures of the ratio as means over the tokens that were learned from.

    The loss gives them with its own denominator, which counts masked tokens too.
    """
    sequences = mini_batch.sequences
    if loss.aggregation == "token_mean":
        num_learned = sum(len(sequence.response_ids) for sequence in sequences)
        factor = mini_batch.denominators.num_tokens / num_learned
    else:
        factor = mini_batch.denominators.num_sequences / len(sequences)
    return {name: metrics[name] * factor for name in _RATIO_FIGURES if name in metrics}


def _combined(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    values_by_name: dict[str, list[float]] = defaultdict(list)
    for metrics in found:
        for name, value in metrics.items():
            values_by_name[name].append(value)
    return {
        name: (max if "_max" in name else fmean)(values) for name, values in values_by_name.items()
    }
