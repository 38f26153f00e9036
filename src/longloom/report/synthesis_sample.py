"""Which questions a report shows: a spread over tasks, genres, categories and documents needed.

Drawn with a seed, so that the same folder gives the same page.
"""

from collections.abc import Iterable, Sequence
from random import Random
from typing import TypeVar

Key = tuple[str, str, str, int]
"""Task, genre, category and number of documents needed of an example."""

ValueT = TypeVar("ValueT")


def balanced_sample(keys: Sequence[Key], num_wanted: int, *, seed: int = 0) -> list[int]:
    """Return the places of at most `num_wanted` keys, in order.

    Every task and genre gives one in turn until it has no more; within it, every category and
    number of documents does the same.
    """
    strata: dict[tuple[str, str], dict[tuple[str, int], list[int]]] = {}
    for place, (task, genre, ability, num_gold) in enumerate(keys):
        stratum = strata.setdefault((task, genre), {})
        stratum.setdefault((ability, min(num_gold, 3)), []).append(place)
    rng = Random(seed)
    ordered = []
    for name in sorted(strata):
        groups = [strata[name][part] for part in sorted(strata[name])]
        for places in groups:
            rng.shuffle(places)
        rng.shuffle(groups)
        ordered.append(in_turn(groups))
    return sorted(in_turn(ordered)[:num_wanted])


def in_turn(rows: Iterable[Sequence[ValueT]]) -> list[ValueT]:
    """Return the firsts of all rows, then the seconds, and so on."""
    filled = list(rows)
    longest = max(map(len, filled), default=0)
    return [row[rank] for rank in range(longest) for row in filled if rank < len(row)]
