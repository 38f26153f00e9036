"""Shares of the task types."""

from typing import Self

from pydantic import Field, model_validator

from longloom.config import FrozenConfig
from longloom.records import TaskType


class TaskWeights(FrozenConfig):
    """Share of each task type; only the proportions count."""

    dialogue_memory: float = Field(default=1.0, ge=0)
    """Recall over dialogues."""
    multi_hop: float = Field(default=1.0, ge=0)
    """Chains over at least two documents."""
    multiple_choice: float = Field(default=1.0, ge=0)
    """Chains with four lettered options."""
    numerical: float = Field(default=1.0, ge=0)
    """Arithmetic over stated numbers."""
    reading_comprehension: float = Field(default=1.0, ge=0)
    """Look-ups in one or two documents."""

    @model_validator(mode="after")
    def _some_task_counts(self) -> Self:
        if not any(self.weight_of(task) for task in TaskType):
            raise ValueError("task weights are all 0; expected at least one above 0")
        return self

    def weight_of(self, task: TaskType) -> float:
        """Return the weight of one task type."""
        return float(getattr(self, task.value))


def task_quotas(num_examples: int, weights: TaskWeights) -> dict[TaskType, int]:
    """Return how many examples of each task to make; they add up to `num_examples`."""
    total = sum(weights.weight_of(task) for task in TaskType)
    exact = {task: num_examples * weights.weight_of(task) / total for task in TaskType}
    quotas = {task: int(share) for task, share in exact.items()}
    by_remainder = sorted(TaskType, key=lambda task: quotas[task] - exact[task])
    for task in by_remainder[: num_examples - sum(quotas.values())]:
        quotas[task] += 1
    return quotas
