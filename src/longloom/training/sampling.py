"""Draw the prompts of each step: equal shares of every task, or uniformly.

Task-balanced sampling (QwenLong-L1.5, section 4.2): every batch holds the tasks in fixed shares.
Each task has a shuffled queue of its examples; when a queue holds fewer than the batch needs, it
is reshuffled and refilled from scratch (what was left is dropped for that round). So a batch never
holds an example twice.

The shuffle of a queue's n-th round is keyed by (seed, task, n), so the whole state is a position
per task: small, plain JSON, and independent of what else draws random numbers. Departure from the
authors' fragment: data smaller than the batch is refused; there it loops forever.
"""

import math
import random
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, assert_never

from pydantic import Field

from longloom.config import FrozenConfig
from longloom.errors import CheckpointError, ConfigError, DataError

STATE_SCHEMA = "longloom.prompt_sampler"
STATE_VERSION = 1


class PromptSamplingConfig(FrozenConfig):
    """Which prompts make up a batch."""

    kind: Literal["task_balanced", "uniform"] = "task_balanced"
    """Fixed shares of every task, or no regard to tasks."""
    batch_size: int = Field(default=128, ge=1)
    """P: prompts in a batch."""
    task_weights: dict[str, float] | None = None
    """Share of each task, scaled to sum to 1; 0 leaves a task out; None gives equal shares."""


class PromptSampler(Protocol):
    """An endless source of batches."""

    def draw(self) -> list[int]:
        """Return the positions of the next batch's examples."""

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
        self, positions_by_queue: Mapping[str, list[int]], counts: Mapping[str, int], seed: int
    ) -> None:
        self._queues = {
            name: _ShuffledQueue(positions, key=f"{seed}/{name}")
            for name, positions in positions_by_queue.items()
        }
        self._counts = dict(counts)
        self._seed = seed
        self._num_draws = 0

    @property
    def counts(self) -> dict[str, int]:
        """Examples of each queue in a batch."""
        return dict(self._counts)

    def draw(self) -> list[int]:
        """Return the positions of the next batch's examples, shuffled."""
        batch = [
            position
            for name, count in self._counts.items()
            for position in self._queues[name].take(count)
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
    """Batches that hold every task in its share (QwenLong-L1.5, section 4.2)."""

    def __init__(
        self, config: PromptSamplingConfig, *, task_types: Sequence[str], seed: int
    ) -> None:
        """Build the queues.

        Args:
            config: Batch size and shares.
            task_types: The task of each example, in order.
            seed: Names the random streams.

        Raises:
            ConfigError: a weight is negative, of a task without examples, or missing.
            DataError: the tasks with a weight hold fewer examples than a batch.
        """
        positions_by_task: dict[str, list[int]] = {}
        for position, task in enumerate(task_types):
            positions_by_task.setdefault(str(task), []).append(position)
        ordered = {task: positions_by_task[task] for task in sorted(positions_by_task)}
        weights = _checked_weights(config.task_weights, list(ordered))
        sizes = {task: len(positions) for task, positions in ordered.items()}
        super().__init__(ordered, batch_counts(config.batch_size, weights, sizes), seed)


class UniformSampler(_QueueSampler):
    """Batches drawn from all examples alike."""

    def __init__(
        self, config: PromptSamplingConfig, *, task_types: Sequence[str], seed: int
    ) -> None:
        """Build the queue; arguments and errors as for `TaskBalancedSampler`."""
        positions = {"all": list(range(len(task_types)))}
        sizes = {"all": len(task_types)}
        super().__init__(positions, batch_counts(config.batch_size, {"all": 1.0}, sizes), seed)


def make_sampler(
    config: PromptSamplingConfig, *, task_types: Sequence[str], seed: int
) -> PromptSampler:
    """Return the sampler that `config.kind` names; errors as for `TaskBalancedSampler`."""
    match config.kind:
        case "task_balanced":
            return TaskBalancedSampler(config, task_types=task_types, seed=seed)
        case "uniform":
            return UniformSampler(config, task_types=task_types, seed=seed)
        case _:
            assert_never(config.kind)


def batch_counts(
    batch_size: int, weights: Mapping[str, float], sizes: Mapping[str, int]
) -> dict[str, int]:
    """Return how many examples of each task a batch holds; they sum to `batch_size`.

    Each task gets floor(batch_size * weight), at most its size. The remainder is dealt one each in
    descending weight, equal weights in the order given, to tasks that have examples left.

    Raises:
        DataError: tasks with a weight hold fewer examples than the batch.
    """
    by_weight = sorted((task for task in weights if weights[task] > 0), key=lambda t: -weights[t])
    available = sum(sizes[task] for task in by_weight)
    if available < batch_size:
        raise DataError(
            f"{available} examples for a batch of {batch_size} prompts; expected at least as many "
            "examples as prompts; lower batch_size or add examples"
        )
    total = sum(weights.values())
    # 1e-9 keeps a share like 0.7 of 10 from being rounded down to 6.
    counts = {
        task: min(math.floor(batch_size * weight / total + 1e-9), sizes[task])
        for task, weight in weights.items()
    }
    while (remaining := batch_size - sum(counts.values())) > 0:
        for task in [task for task in by_weight if counts[task] < sizes[task]][:remaining]:
            counts[task] += 1
    return counts


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

    def take(self, count: int) -> list[int]:
        if self.position + count > len(self._order):
            self.move_to(self.round_index + 1, 0)
        taken = self._order[self.position : self.position + count]
        self.position += count
        return taken


def _checked_weights(
    task_weights: Mapping[str, float] | None, tasks: Sequence[str]
) -> dict[str, float]:
    if task_weights is None:
        return dict.fromkeys(tasks, 1.0)
    for task, weight in task_weights.items():
        if weight < 0:
            raise ConfigError(f"task_weights.{task} is {weight}; expected 0 or more")
        if weight > 0 and task not in tasks:
            raise ConfigError(
                f"task_weights.{task} is {weight} but no example has this task; expected one of "
                f"{', '.join(tasks) or 'none'}; set it to 0 or add examples"
            )
    missing = [task for task in tasks if task not in task_weights]
    if missing:
        raise ConfigError(
            f"task_weights has no entry for {', '.join(missing)}; expected one for every task of "
            "the examples; 0 leaves a task out"
        )
    return {task: task_weights[task] for task in tasks}


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
        "round and position per task; resume from an earlier checkpoint"
    )
