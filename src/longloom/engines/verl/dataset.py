"""The prompts of a stage in the order in which they are learned (verl's `data.custom_cls`).

verl has no hook for the order of prompts, but asks its dataset for one place after the other. So
the dataset is as long as the stage, and place p is prompt p modulo P of batch p div P, as the
stage's own sampler draws it: task-balanced or uniform, of the examples that the trainer chose by
length, difficulty and earlier failure. Batches are drawn one after the other, never at random.
"""

from collections.abc import Sequence
from typing import Any

from torch.utils.data import Dataset

from longloom.engines.verl.attempt_row import COLUMN, AttemptRow
from longloom.engines.verl.stage_parts import stage_parts
from longloom.errors import CheckpointError
from longloom.records import Example
from longloom.training.sampling import PromptSampler
from longloom.training.stage import sampling_params

Row = dict[str, Any]


class StageDataset(Dataset[Row]):
    """Rows for verl's agent loops; `use` says what is drawn before the first is asked for."""

    def __init__(
        self,
        data_files: object,
        tokenizer: object,
        processor: object,
        config: Any,
        max_samples: int = -1,
    ) -> None:
        """Read the stage's settings; verl passes the other arguments to every dataset.

        Raises:
            ConfigError: a setting is refused.
            DataError: the examples cannot be read.
        """
        self.parts = stage_parts(config.longloom)
        self._batch_size = self.parts.settings.training.sampling.batch_size
        self._examples: Sequence[Example] = ()
        self._order: PromptSampler | None = None
        self._batch_number = -1
        self._batch: list[int] = []

    def use(self, examples: Sequence[Example], order: PromptSampler, *, num_drawn: int) -> None:
        """Draw the positions of `examples` by `order`, of which `num_drawn` batches were drawn."""
        self._examples, self._order = examples, order
        self._batch_number, self._batch = num_drawn - 1, []

    def __len__(self) -> int:
        """Return the prompts of the whole stage."""
        return self.parts.settings.training.num_steps * self._batch_size

    def __getitem__(self, place: int) -> Row:
        """Return the row of a place, with its `position` among the examples in use.

        Raises:
            CheckpointError: the place is not of this batch or the next: the order and verl's own
                position are of different steps.
        """
        assert self._order is not None, "the trainer says what is drawn before it asks"
        number, offset = divmod(place, self._batch_size)
        if number == self._batch_number + 1:
            self._batch, self._batch_number = self._order.draw(), number
        if number != self._batch_number or offset >= len(self._batch):
            raise CheckpointError(
                f"place {place} is of batch {number}, but batch {self._batch_number} was drawn "
                "last; expected it or the next: data.pt and longloom.json of the checkpoint are of "
                "different steps; go back to an earlier checkpoint"
            )
        position = self._batch[offset]
        return {**self.training_row(position, number), "position": position}

    def training_row(self, position: int, step: int) -> Row:
        """Return the row of a position for the step after `step` others."""
        settings = self.parts.settings
        training = settings.training
        example = self._examples[position]
        attempt = AttemptRow(
            example_id=example.example_id,
            policy_version=step,
            key=f"{settings.seed}/{settings.stage}/{step}",
            params=sampling_params(training),
        )
        return self.row(example, attempt, num_rollouts=training.group_size)

    def row(self, example: Example, attempt: AttemptRow, *, num_rollouts: int) -> Row:
        """Return the row that asks an example, as verl's agent loops take it."""
        return {
            "raw_prompt": [{"role": "user", "content": example.question}],
            "data_source": str(example.task_type),
            "ability": example.ability,
            "reward_model": {"style": "rule", "ground_truth": example.answer},
            "index": example.example_id,
            "agent_name": f"longloom_{self.parts.settings.agent}",
            COLUMN: attempt.to_json(),
            "__rollout_n__": num_rollouts,
        }
