"""How many prompts of each kind a batch holds, and which are still to be drawn.

Kinds are tasks, question categories, or both; here they are names with weights and sizes. What a
kind cannot give is dealt to the others, so a batch is always full when the examples allow it.
"""

import math
from collections.abc import Mapping, Sequence

from longloom.errors import ConfigError, DataError


def batch_counts(
    batch_size: int, weights: Mapping[str, float], sizes: Mapping[str, int]
) -> dict[str, int]:
    """Return how many examples of each kind a batch holds; they sum to `batch_size`.

    Each kind gets floor(batch_size * weight), at most its size. The remainder is dealt one each in
    descending weight, equal weights in the order given, to kinds that have examples left
    (QwenLong-L1.5, section 4.2).

    Raises:
        DataError: kinds with a weight hold fewer examples than the batch.
    """
    available = sum(sizes[name] for name in weights if weights[name] > 0)
    if available < batch_size:
        raise DataError(
            f"{available} examples for a batch of {batch_size} prompts; expected at least as many "
            "examples as prompts; lower batch_size or add examples"
        )
    total = sum(weights.values())
    # 1e-9 keeps a share like 0.7 of 10 from being rounded down to 6.
    counts = {
        name: min(math.floor(batch_size * weight / total + 1e-9), sizes[name])
        for name, weight in weights.items()
    }
    return deal(counts, batch_size - sum(counts.values()), weights, sizes)


def nested_counts(
    batch_size: int,
    outer_weights: Mapping[str, float],
    inner_weights: Mapping[str, float],
    sizes: Mapping[tuple[str, str], int],
) -> dict[tuple[str, str], int]:
    """Return the counts of pairs: shares of the outer kind, and within it of the inner kind.

    Raises:
        ConfigError: an outer kind has a weight, and all its inner kinds have none.
        DataError: see `batch_counts`.
    """
    weighted = {
        outer: {
            inner: size
            for (other, inner), size in sizes.items()
            if other == outer and inner_weights[inner] > 0
        }
        for outer in outer_weights
    }
    for outer, inner_sizes in weighted.items():
        if outer_weights[outer] > 0 and not inner_sizes:
            raise ConfigError(
                f"task_weights.{outer} is {outer_weights[outer]}, but category_weights is 0 for "
                "all its categories; set the task's weight to 0 or a category's above 0"
            )
    outer_sizes = {outer: sum(inner_sizes.values()) for outer, inner_sizes in weighted.items()}
    counts = dict.fromkeys(sizes, 0)
    for outer, count in batch_counts(batch_size, outer_weights, outer_sizes).items():
        inner_sizes = weighted[outer]
        if count:
            own = {inner: inner_weights[inner] for inner in inner_sizes}
            for inner, share in batch_counts(count, own, inner_sizes).items():
                counts[outer, inner] = share
    return counts


def refill_counts(
    counts: Mapping[str, int],
    kept: Mapping[str, int],
    weights: Mapping[str, float],
    available: Mapping[str, int],
) -> dict[str, int]:
    """Return how many further prompts of each kind would complete a batch.

    A kind is asked for what it lacks of its count. Where it has too few examples that were not
    drawn yet, the others are asked in its place, as in `batch_counts`; what nobody has is left out.

    Args:
        counts: Prompts of each kind in a whole batch.
        kept: Prompts of each kind that the batch has.
        weights: Weight of each kind.
        available: Examples of each kind that this step has not drawn.
    """
    num_lacking = max(0, sum(counts.values()) - sum(kept.values()))
    asked = {
        name: min(max(0, count - kept[name]), available[name]) for name, count in counts.items()
    }
    # Another kind may have stood in for one that lacks prompts: the batch has room for fewer.
    for name in sorted(asked, key=lambda name: weights[name]):
        asked[name] -= min(asked[name], max(0, sum(asked.values()) - num_lacking))
    return deal(asked, num_lacking - sum(asked.values()), weights, available)


def deal(
    counts: Mapping[str, int],
    num_left: int,
    weights: Mapping[str, float],
    sizes: Mapping[str, int],
) -> dict[str, int]:
    """Return `counts` with `num_left` more, one each in descending weight while sizes allow."""
    dealt = dict(counts)
    by_weight = sorted((name for name in dealt if weights[name] > 0), key=lambda n: -weights[n])
    while num_left > 0:
        takers = [name for name in by_weight if dealt[name] < sizes[name]][:num_left]
        if not takers:
            break
        for name in takers:
            dealt[name] += 1
        num_left -= len(takers)
    return dealt


def checked_weights(
    setting: str, weights: Mapping[str, float] | None, names: Sequence[str]
) -> dict[str, float]:
    """Return a weight for each of `names`: those given, or equal ones.

    Raises:
        ConfigError: a weight is negative, of a name without examples, or missing; or all are 0.
    """
    if weights is None:
        return dict.fromkeys(names, 1.0)
    for name, weight in weights.items():
        if weight < 0:
            raise ConfigError(f"{setting}.{name} is {weight}; expected 0 or more")
        if weight > 0 and name not in names:
            raise ConfigError(
                f"{setting}.{name} is {weight} but no example has this name; expected one of "
                f"{', '.join(names) or 'none'}; set it to 0 or add examples"
            )
    missing = [name for name in names if name not in weights]
    if missing:
        raise ConfigError(
            f"{setting} has no entry for {', '.join(missing)}; expected one for every name that "
            "the examples have; 0 leaves one out"
        )
    if names and not any(weights[name] > 0 for name in names):
        raise ConfigError(f"{setting} is 0 for every name; expected one above 0")
    return {name: weights[name] for name in names}
