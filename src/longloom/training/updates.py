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
from longloom.training.stage import TrainingConfig


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
    found = [
        engine.update(
            Update(
                sequences=mini_batch.sequences,
                denominators=mini_batch.denominators,
                temperature=config.temperature,
                learning_rate=learning_rate,
                max_grad_norm=config.max_grad_norm,
            ),
            loss=config.loss,
        )
        for mini_batch in _with_old_logprobs(engine, config, mini_batches)
    ]
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


def _combined(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    values_by_name: dict[str, list[float]] = defaultdict(list)
    for metrics in found:
        for name, value in metrics.items():
            values_by_name[name].append(value)
    return {
        name: (max if "_max" in name else fmean)(values) for name, values in values_by_name.items()
    }
