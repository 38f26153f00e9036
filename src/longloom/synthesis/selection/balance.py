"""Choose examples so that tasks have their shares and no shape takes over."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from longloom.records import TaskType
from longloom.synthesis.task_weights import TaskWeights, task_quotas

MIN_PER_SHAPE = 5
"""A small set may hold so many of a shape whatever its share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What selection knows of an example."""

    example_id: str
    """The example."""
    task_type: TaskType
    """Its task."""
    shape: str
    """Its program without constants."""
    question: str
    """Its question; the same question is asked once."""
    num_gold_documents: int = 1
    """Documents it needs; within a shape those with several are taken first."""


def select(
    candidates: Sequence[Candidate],
    *,
    num_examples: int,
    weights: TaskWeights,
    max_shape_fraction: float,
    seed: int,
) -> tuple[frozenset[str], Mapping[str, int]]:
    """Return the ids that are kept, and how many were left out by reason.

    A task that cannot fill its share leaves the rest to the others. The cap on shapes holds for
    what is kept of each task (`shape_cap`).
    """
    left_out: Counter[str] = Counter()
    by_task: dict[TaskType, dict[str, list[str]]] = {task: defaultdict(list) for task in TaskType}
    needs_several = {
        candidate.example_id for candidate in candidates if candidate.num_gold_documents > 1
    }
    asked: set[str] = set()
    for candidate in candidates:
        if candidate.question in asked:
            left_out[f"{candidate.task_type}/question_repeated"] += 1
            continue
        asked.add(candidate.question)
        by_task[candidate.task_type][candidate.shape].append(candidate.example_id)
    available = {
        task: capped_total([len(ids) for ids in shapes.values()], max_shape_fraction)
        for task, shapes in by_task.items()
    }
    quotas = _quotas(available, num_examples, weights)
    kept: set[str] = set()
    for task, shapes in by_task.items():
        rng = Random(f"{seed}/{task}")
        chosen = _draw(shapes, quotas[task], max_shape_fraction, needs_several, rng)
        kept |= chosen
        num_left = sum(len(ids) for ids in shapes.values()) - len(chosen)
        if num_left:
            left_out[f"{task}/over_its_share"] += num_left
    return frozenset(kept), dict(left_out)


def shape_cap(total: int, max_fraction: float) -> int:
    """Return how many of one shape may be among `total`: the fraction, but at least a few."""
    return max(MIN_PER_SHAPE, int(max_fraction * total))


def capped_total(counts: Sequence[int], max_fraction: float) -> int:
    """Return the largest N with every count cut to `shape_cap(N)` and N in all."""
    total = sum(counts)
    while True:
        capped = sum(min(count, shape_cap(total, max_fraction)) for count in counts)
        if capped >= total:
            return total
        total = capped


def _quotas(
    available: Mapping[TaskType, int], num_examples: int, weights: TaskWeights
) -> dict[TaskType, int]:
    """Share out, giving what a task cannot fill to the others by their weights."""
    quotas = dict.fromkeys(TaskType, 0)
    open_tasks = {task for task in TaskType if available[task] and weights.weight_of(task)}
    left = num_examples
    while left and open_tasks:
        open_weights = TaskWeights(
            **{
                task.value: weights.weight_of(task) if task in open_tasks else 0.0
                for task in TaskType
            }
        )
        shares = task_quotas(left, open_weights)
        for task in sorted(open_tasks):
            quotas[task] = min(available[task], quotas[task] + shares[task])
        left = num_examples - sum(quotas.values())
        open_tasks = {task for task in open_tasks if quotas[task] < available[task]}
    return quotas


def _draw(
    shapes: Mapping[str, Sequence[str]],
    quota: int,
    max_fraction: float,
    needs_several: set[str],
    rng: Random,
) -> set[str]:
    """Draw up to `quota` ids, level by level over the shapes, so that rare shapes stay whole.

    Questions that need several documents come before those that need one.
    """
    quota = min(quota, sum(len(ids) for ids in shapes.values()))
    while True:
        cap = shape_cap(quota, max_fraction)
        possible = sum(min(len(ids), cap) for ids in shapes.values())
        if possible >= quota:
            break
        quota = possible
    pools = [rng.sample(list(shapes[shape]), len(shapes[shape])) for shape in sorted(shapes)]
    for pool in pools:
        pool.sort(key=lambda example_id: example_id not in needs_several)
    chosen: list[str] = []
    for level in range(cap):
        row = [pool[level] for pool in pools if level < len(pool)]
        rng.shuffle(row)
        chosen += row
    chosen.sort(key=lambda example_id: example_id not in needs_several)
    return set(chosen[:quota])
