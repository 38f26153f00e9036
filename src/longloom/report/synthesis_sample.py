"""Which questions a report shows: a spread over tasks, genres, categories and documents needed.

Drawn with a seed, so that the same folder gives the same page.
"""

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import TypeVar

Key = tuple[str, str, str, int]
"""Task, genre, category and number of documents needed of an example."""

_SEVERAL = 3
"""From this number on, documents needed are not told apart."""

ValueT = TypeVar("ValueT")


def balanced_sample(keys: Sequence[Key], num_wanted: int, *, seed: int = 0) -> list[int]:
    """Return the places of at most `num_wanted` keys, unlike ones beside each other.

    Every task gives one in turn until it has no more; within a task every genre does the same, and
    within a genre every category and number of documents.
    """
    tasks: dict[str, dict[str, dict[tuple[str, int], list[int]]]] = {}
    for place, (task, genre, ability, num_gold) in enumerate(keys):
        groups = tasks.setdefault(task, {}).setdefault(genre, {})
        groups.setdefault((ability, min(num_gold, _SEVERAL)), []).append(place)
    rng = Random(seed)
    by_task = [
        in_turn(_mixed([in_turn(_mixed(_shuffled(groups, rng), rng)) for _, groups in genres], rng))
        for genres in (sorted(tasks[task].items()) for task in sorted(tasks))
    ]
    return in_turn(by_task)[:num_wanted]


def _shuffled(groups: Mapping[tuple[str, int], list[int]], rng: Random) -> list[list[int]]:
    return [_mixed(groups[name], rng) for name in sorted(groups)]


def _mixed(row: Sequence[ValueT], rng: Random) -> list[ValueT]:
    return rng.sample(row, len(row))


def in_turn(rows: Iterable[Sequence[ValueT]]) -> list[ValueT]:
    """Return the firsts of all rows, then the seconds, and so on."""
    filled = list(rows)
    longest = max(map(len, filled), default=0)
    return [row[rank] for rank in range(longest) for row in filled if rank < len(row)]
