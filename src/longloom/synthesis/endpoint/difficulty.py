"""Difficulty by pass@k, and draws that take as many questions from every bin.

QwenLong-L1.5, section 4.2: before training, the questions of each source are sorted into uniform
bins by how often the model answers them, and an equal number is drawn from every bin. k and the
number of bins are not published; the defaults are our own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from longloom.errors import DataError
from longloom.models.endpoint.messages import ChatModel
from longloom.synthesis.endpoint.attempts import AttemptConfig, PosedQuestion, attempt
from longloom.synthesis.endpoint.yields import Dropped, Yield, run_each

NUM_BINS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredQuestion:
    """A question with how often it was answered."""

    posed: PosedQuestion
    """The question."""
    num_right: int
    """Right attempts."""
    num_samples: int
    """All attempts."""


async def measure_difficulty(
    model: ChatModel, questions: Sequence[PosedQuestion], config: AttemptConfig | None = None
) -> Yield[MeasuredQuestion]:
    """Attempt every question in its context and count; nothing is dropped for being hard."""
    settings = config or AttemptConfig(num_samples=8)

    async def measure(posed: PosedQuestion) -> list[MeasuredQuestion | Dropped]:
        attempts = await attempt(model, posed, settings)
        return [
            MeasuredQuestion(
                posed=posed, num_right=attempts.num_right, num_samples=attempts.num_samples
            )
        ]

    return await run_each(questions, measure, lambda posed: posed.question_id)


def pass_at_k(num_samples: int, num_right: int, k: int) -> float:
    """Return the chance that k of the attempts, drawn without return, hold a right one.

    Raises:
        DataError: the counts contradict each other.
    """
    if not 0 <= num_right <= num_samples or not 1 <= k <= num_samples:
        raise DataError(
            f"pass@{k} of {num_right} right in {num_samples} samples; expected "
            "0 <= right <= samples and 1 <= k <= samples"
        )
    return 1.0 - math.comb(num_samples - num_right, k) / math.comb(num_samples, k)


def difficulty_bin(num_right: int, num_samples: int, num_bins: int = NUM_BINS) -> int:
    """Return the bin of a rate: 0 for the hardest of `num_bins` equal stretches of [0, 1]."""
    return min(num_bins - 1, num_right * num_bins // num_samples)


def equal_draws(bin_by_id: Mapping[str, int], num_wanted: int, *, seed: int) -> tuple[str, ...]:
    """Return ids, as many from every bin as there are, in the order of `bin_by_id`.

    A bin that holds too few gives all it has, and the others share what is missing evenly.
    """
    ids_by_bin: dict[int, list[str]] = {}
    for question_id, number in bin_by_id.items():
        ids_by_bin.setdefault(number, []).append(question_id)
    quota_by_bin = _quotas({number: len(ids) for number, ids in ids_by_bin.items()}, num_wanted)
    drawn: set[str] = set()
    for number in sorted(ids_by_bin):
        drawn.update(Random(f"{seed}:{number}").sample(ids_by_bin[number], quota_by_bin[number]))
    return tuple(question_id for question_id in bin_by_id if question_id in drawn)


def _quotas(size_by_bin: Mapping[int, int], num_wanted: int) -> dict[int, int]:
    """Deal `num_wanted` over the bins, smallest bin first, so that a short one is made up for."""
    quotas: dict[int, int] = {}
    num_left = num_wanted
    ordered = sorted(size_by_bin, key=lambda number: (size_by_bin[number], number))
    for place, number in enumerate(ordered):
        share = num_left // (len(ordered) - place)
        quotas[number] = min(size_by_bin[number], share)
        num_left -= quotas[number]
    return quotas
