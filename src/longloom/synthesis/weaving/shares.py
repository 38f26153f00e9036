"""How many contexts are woven about each genre, so that every quota can be filled."""

from collections.abc import Iterable, Mapping

from longloom.records import Split, TaskType
from longloom.synthesis.mixes import Mix, QuestionKind
from longloom.synthesis.task_weights import TaskWeights

SPARE = 1.5
"""Contexts are woven for so many times the questions wanted, because selection balances."""
QUESTIONS_OF_A_KIND = 2
"""Questions of one kind that a context yields, about; what a mix with quotas reckons with."""

_TALK = frozenset({"dialogue", "meeting"})

Shares = Mapping[tuple[str, Split], float]
"""A number by genre and split."""


def contexts_by_genre(
    mix: Mix,
    num_tokens: Shares,
    *,
    num_examples: int,
    questions_per_context: int,
    weights: TaskWeights,
    held_out_fraction: float,
) -> dict[tuple[str, Split], int]:
    """Share the contexts out by the square root of what a genre holds, so small ones count."""
    sizes = {
        (genre, split): tokens**0.5 * (held_out_fraction if split is Split.HELD_OUT else 1)
        for (genre, split), tokens in num_tokens.items()
    }
    if mix.quotas:
        return _by_quotas(mix, sizes, num_examples * SPARE / QUESTIONS_OF_A_KIND)
    return _by_tasks(weights, sizes, num_examples * SPARE / questions_per_context)


def _by_tasks(weights: TaskWeights, sizes: Shares, wanted: float) -> dict[tuple[str, Split], int]:
    """Conversations are the only source of one task type and get its share of the contexts."""
    task_weights = {task: weights.weight_of(task) for task in TaskType}
    dialogue_share = task_weights[TaskType.DIALOGUE_MEMORY] / sum(task_weights.values())
    counts: dict[tuple[str, Split], int] = {}
    for is_dialogue, share in ((True, dialogue_share), (False, 1 - dialogue_share)):
        part = {key: size for key, size in sizes.items() if (key[0] in _TALK) is is_dialogue}
        counts |= _rounded(_shared(part, wanted * share))
    return counts


def _by_quotas(mix: Mix, sizes: Shares, wanted: float) -> dict[tuple[str, Split], int]:
    """Give every kind that has documents an equal part of its quota's contexts."""
    contexts: dict[tuple[str, Split], float] = {}
    total = sum(quota.weight for quota in mix.quotas)
    for quota in mix.quotas:
        parts = [part for kind in quota.kinds if (part := _documents_of(kind, sizes))]
        for part in parts:
            shared = _shared(part, wanted * quota.weight / total / len(parts))
            for key, number in shared.items():
                contexts[key] = contexts.get(key, 0.0) + number
    return _rounded(contexts)


def _documents_of(kind: QuestionKind, sizes: Shares) -> dict[tuple[str, Split], float]:
    genres = kind.genres or _without_talk(genre for genre, _ in sizes)
    return {key: size for key, size in sizes.items() if key[0] in genres and size}


def _without_talk(genres: Iterable[str]) -> frozenset[str]:
    """Conversations answer few questions but those of their own task."""
    return frozenset(genres) - _TALK


def _shared(sizes: Shares, wanted: float) -> dict[tuple[str, Split], float]:
    total = sum(sizes.values())
    return {key: wanted * size / total if size else 0.0 for key, size in sorted(sizes.items())}


def _rounded(contexts: Shares) -> dict[tuple[str, Split], int]:
    """At least one of everything, none of nothing."""
    return {key: max(1, round(number)) if number else 0 for key, number in contexts.items()}
