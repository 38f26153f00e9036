"""Draw the prompts of each step: fixed shares of every task and category, or uniformly.

Task-balanced sampling (QwenLong-L1.5, section 4.2): every batch holds the tasks in fixed shares.
Each task has a shuffled queue of its examples; when a queue holds fewer than the batch needs, it
is reshuffled and refilled from scratch (what was left is dropped for that round). So a batch never
holds an example twice. The same shares may be over question categories (`Example.ability`), or
over tasks and within each task over its categories.

The shuffle of a queue's n-th round is keyed by (seed, queue, n), so the whole state is a position
per queue: small, plain JSON, and independent of what else draws random numbers. Departure from the
authors' fragment: examples fewer than the batch are refused; there it loops forever.
"""

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Literal, Protocol, assert_never

from pydantic import Field

from longloom.config import FrozenConfig
from longloom.errors import CheckpointError
from longloom.training.shares import batch_counts, checked_weights, nested_counts, refill_counts

STATE_SCHEMA = "longloom.prompt_sampler"
STATE_VERSION = 1

BalanceKind = Literal["ability", "task_type", "task_type_and_ability"]


class PromptSamplingConfig(FrozenConfig):
    """Which prompts make up a batch."""

    kind: Literal["task_balanced", "uniform"] = "task_balanced"
    """Fixed shares, or no regard to tasks and categories."""
    balance_by: BalanceKind = "task_type"
    """What has the shares: question categories, tasks, or tasks and within each its categories."""
    batch_size: int = Field(default=128, ge=1)
    """P: prompts in a batch."""
    task_weights: dict[str, float] | None = None
    """Share of each task, scaled to sum to 1; 0 leaves a task out; None gives equal shares."""
    category_weights: dict[str, float] | None = None
    """Share of each question category, likewise; within a task among the categories it has."""


class DrawsPrompts(Protocol):
    """An endless source of batches."""

    def draw(self) -> list[int]:
        """Return the positions of the next batch's examples."""

    def draw_further(self, *, kept: Collection[int], drawn: Collection[int]) -> list[int]:
        """Return positions that would complete a batch of which only `kept` can be used.

        Args:
            kept: Positions of this batch that count.
            drawn: Positions drawn for this batch so far, `kept` among them; none of them is
                returned. Fewer than needed, or none, are returned when all others were drawn.
        """


class PromptSampler(DrawsPrompts, Protocol):
    """One whose state can be kept."""

    def state_dict(self) -> dict[str, object]:
        """Return the state as plain JSON values."""

    def load_state_dict(self, saved: Mapping[str, object]) -> None:
        """Continue where `saved` was taken.

        Raises:
            CheckpointError: it is damaged or of other examples, settings or seed.
        """


class _QueueSampler:
    """Draws a fixed number from each of several queues."""

    def __init__(
        self,
        positions_by_queue: Mapping[str, list[int]],
        counts: Mapping[str, int],
        weights: Mapping[str, float],
        seed: int,
    ) -> None:
        self._queues = {
            name: _ShuffledQueue(positions, key=f"{seed}/{name}")
            for name, positions in positions_by_queue.items()
        }
        self._queue_of = {
            position: name for name, members in positions_by_queue.items() for position in members
        }
        self._counts = dict(counts)
        self._weights = dict(weights)
        self._seed = seed
        self._num_draws = 0

    @property
    def counts(self) -> dict[str, int]:
        """Examples of each queue in a batch."""
        return dict(self._counts)

    def draw(self) -> list[int]:
        """Return the positions of the next batch's examples, shuffled."""
        return self._take(self._counts, drawn=())

    def draw_further(self, *, kept: Collection[int], drawn: Collection[int]) -> list[int]:
        """Return positions that would complete a batch; see `PromptSampler`."""
        num_drawn = Counter(self._queue_of[position] for position in drawn)
        num_kept = Counter(self._queue_of[position] for position in kept)
        available = {name: queue.size - num_drawn[name] for name, queue in self._queues.items()}
        asked = refill_counts(
            self._counts,
            {name: num_kept[name] for name in self._counts},
            self._weights,
            available,
        )
        return self._take(asked, drawn=drawn) if any(asked.values()) else []

    def _take(self, counts: Mapping[str, int], *, drawn: Collection[int]) -> list[int]:
        excluded = frozenset(drawn)
        batch = [
            position
            for name, count in counts.items()
            for position in self._queues[name].take(count, excluded)
        ]
        random.Random(f"{self._seed}/batch/{self._num_draws}").shuffle(batch)
        self._num_draws += 1
        return batch

    def state_dict(self) -> dict[str, object]:
        """Return the state as plain JSON values."""
        return {
            **self._identity(),
            "num_draws": self._num_draws,
            "progress": {
                name: {"round": queue.round_index, "position": queue.position}
                for name, queue in self._queues.items()
            },
        }

    def load_state_dict(self, saved: Mapping[str, object]) -> None:
        """Continue where `saved` was taken.

        Raises:
            CheckpointError: it is damaged or of other examples, settings or seed.
        """
        for name, expected in self._identity().items():
            if saved.get(name) != expected:
                raise CheckpointError(
                    f"prompt sampler state has {name} {saved.get(name)!r}; expected {expected!r}; "
                    "resume with the examples, settings and seed of the run that wrote it"
                )
        num_draws, progress = saved.get("num_draws"), saved.get("progress")
        if not _is_count(num_draws) or not isinstance(progress, Mapping):
            raise _damaged(saved)
        moves = {name: _parse_progress(progress.get(name), saved) for name in self._queues}
        for name, (round_index, position) in moves.items():
            self._queues[name].move_to(round_index, position)
        self._num_draws = int(str(num_draws))

    def _identity(self) -> dict[str, object]:
        return {
            "schema": STATE_SCHEMA,
            "version": STATE_VERSION,
            "kind": type(self).__name__,
            "seed": self._seed,
            "counts": self._counts,
            "num_examples": {name: queue.size for name, queue in self._queues.items()},
        }


class TaskBalancedSampler(_QueueSampler):
    """Batches that hold every task, category or both in its share (QwenLong-L1.5, 4.2)."""

    def __init__(
        self,
        config: PromptSamplingConfig,
        *,
        task_types: Sequence[str],
        abilities: Sequence[str],
        seed: int,
    ) -> None:
        """Build the queues.

        Args:
            config: Batch size and shares.
            task_types: The task of each example, in order.
            abilities: The question category of each example, in order.
            seed: Names the random streams.

        Raises:
            ConfigError: a weight is negative, of a task or category without examples, or missing.
            DataError: those with a weight hold fewer examples than a batch.
        """
        pairs = [
            (str(task), str(ability)) for task, ability in zip(task_types, abilities, strict=True)
        ]
        tasks = checked_weights("task_weights", config.task_weights, sorted({t for t, _ in pairs}))
        categories = checked_weights(
            "category_weights", config.category_weights, sorted({a for _, a in pairs})
        )
        if config.balance_by == "task_type_and_ability":
            super().__init__(*_nested_queues(config.batch_size, pairs, tasks, categories), seed)
            return
        is_by_task = config.balance_by == "task_type"
        queues = _queues([task if is_by_task else ability for task, ability in pairs])
        weights = tasks if is_by_task else categories
        sizes = {name: len(positions) for name, positions in queues.items()}
        super().__init__(queues, batch_counts(config.batch_size, weights, sizes), weights, seed)


class UniformSampler(_QueueSampler):
    """Batches drawn from all examples alike."""

    def __init__(self, config: PromptSamplingConfig, *, num_examples: int, seed: int) -> None:
        """Build the one queue.

        Raises:
            DataError: there are fewer examples than a batch holds.
        """
        counts = batch_counts(config.batch_size, {"all": 1.0}, {"all": num_examples})
        super().__init__({"all": list(range(num_examples))}, counts, {"all": 1.0}, seed)


def make_sampler(
    config: PromptSamplingConfig,
    *,
    task_types: Sequence[str],
    abilities: Sequence[str],
    seed: int,
) -> PromptSampler:
    """Return the sampler that `config.kind` names; errors as for `TaskBalancedSampler`."""
    match config.kind:
        case "task_balanced":
            return TaskBalancedSampler(
                config, task_types=task_types, abilities=abilities, seed=seed
            )
        case "uniform":
            return UniformSampler(config, num_examples=len(task_types), seed=seed)
        case _:
            assert_never(config.kind)


class _ShuffledQueue:
    """Positions in a shuffled order that changes every round."""

    def __init__(self, positions: Sequence[int], *, key: str) -> None:
        self._positions = list(positions)
        self._key = key
        self.move_to(0, 0)

    @property
    def size(self) -> int:
        return len(self._positions)

    def move_to(self, round_index: int, position: int) -> None:
        self.round_index = round_index
        self.position = position
        self._order = list(self._positions)
        random.Random(f"{self._key}/{round_index}").shuffle(self._order)

    def take(self, count: int, excluded: Collection[int]) -> list[int]:
        """Return the next `count` that are not excluded; those passed over are used up."""
        if not count:
            return []
        if sum(other not in excluded for other in self._order[self.position :]) < count:
            self.move_to(self.round_index + 1, 0)
        taken: list[int] = []
        while len(taken) < count:
            if self._order[self.position] not in excluded:
                taken.append(self._order[self.position])
            self.position += 1
        return taken


def _queues(names: Sequence[str]) -> dict[str, list[int]]:
    positions_by_name: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        positions_by_name.setdefault(name, []).append(position)
    return {name: positions_by_name[name] for name in sorted(positions_by_name)}


def _nested_queues(
    batch_size: int,
    pairs: Sequence[tuple[str, str]],
    tasks: Mapping[str, float],
    categories: Mapping[str, float],
) -> tuple[dict[str, list[int]], dict[str, int], dict[str, float]]:
    """Return queues, counts and weights by `task/category`; weights are shares of the batch."""
    sizes = Counter(pairs)
    counts = nested_counts(
        batch_size, tasks, categories, {pair: sizes[pair] for pair in sorted(sizes)}
    )
    weights = {}
    for task, category in counts:
        own = sum(categories[other] for others_task, other in counts if others_task == task)
        weights[f"{task}/{category}"] = tasks[task] * categories[category] / own if own else 0.0
    named_counts = {f"{task}/{category}": count for (task, category), count in counts.items()}
    return _queues([f"{task}/{category}" for task, category in pairs]), named_counts, weights


def _parse_progress(entry: object, saved: Mapping[str, object]) -> tuple[int, int]:
    if not isinstance(entry, Mapping):
        raise _damaged(saved)
    round_index, position = entry.get("round"), entry.get("position")
    if not (_is_count(round_index) and _is_count(position)):
        raise _damaged(saved)
    return int(str(round_index)), int(str(position))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _damaged(saved: Mapping[str, object]) -> CheckpointError:
    return CheckpointError(
        f"prompt sampler state is damaged: {str(dict(saved))[:200]}; expected num_draws and a "
        "round and position per queue; resume from an earlier checkpoint"
    )
