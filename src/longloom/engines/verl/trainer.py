"""The trainer that verl runs (`trainer.v1.trainer_mode: longloom`).

    draw -> roll out -> score -> [verl: log-probabilities, entropies] -> groups -> `prepare_batch`
         -> advantages of every row -> [verl: one update per mini-batch] -> save -> send weights

What is in brackets is verl's own. The rest is the training room's, so this only wires, as
`training/loop.py` does for the local engine. It is verl's synchronous trainer: rollouts are of the
policy that learns from them.
"""

import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import transfer_queue
from tensordict import TensorDict
from torch import Tensor
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer
from verl.trainer.ppo.v1.trainer_base import register_trainer
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync

from longloom.engines.verl.batch_rows import GroupedRows, advantages_for_verl, with_turns
from longloom.engines.verl.cluster_rollouts import (
    AskedOnCluster,
    ClusterRollouts,
    ReadyBatch,
    RolledOut,
    batch_of,
    joined,
)
from longloom.engines.verl.dataset import StageDataset
from longloom.engines.verl.prefix_settings import MODEL_TYPE
from longloom.engines.verl.reported import write_error
from longloom.engines.verl.stage_state import StageState
from longloom.engines.verl.updates import UpdateRows, padded, step_figures
from longloom.errors import CheckpointError, EngineError, LongloomError
from longloom.records import Example, RolloutGroup, Split, Turn
from longloom.training.batch import PreparedBatch, prepare_batch
from longloom.training.digests import examples_digest
from longloom.training.dynamic_sampling import collect_groups
from longloom.training.entropy_control import AepoState
from longloom.training.losses import truncated_correction
from longloom.training.sampling import PromptSampler, make_sampler
from longloom.training.selection import LengthBand, select_examples
from longloom.training.stage import sampling_params
from longloom.training.stage_inputs import StepListener, StepResult, check_contexts
from longloom.training.step_metrics import rollout_metrics
from longloom.training.validation import validate, validation_examples

POLL_SECONDS = 0.2
"""How often finished rollouts are looked for; verl's own 2 s are most of a small step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What the rollouts of one step gave."""

    rows: GroupedRows
    """The groups and their rows."""
    metrics: dict[str, float]
    """Figures so far."""
    started: float
    """When it began."""


@register_trainer("longloom")
class LongloomTrainer(PPOTrainerSync):
    """One stage of reinforcement learning."""

    def __init__(self, config: Any) -> None:
        """Build verl's synchronous trainer over this stage's order and buffer.

        Raises:
            ConfigError: a setting of the stage is refused.
        """
        super().__init__(config)
        # verl asks for this name where it means "synchronous": another gets stale rollouts.
        self.trainer_mode = "sync"
        self.replay_buffer = self._build_replay_buffer()
        self._open = ExitStack()
        self._aepo = AepoState()
        self._order: PromptSampler
        self._selected: tuple[Example, ...] = ()
        self._selection_metrics: dict[str, float] = {}
        self._validation: tuple[Example, ...] = ()
        self._listener: StepListener | None = None
        self._step: _Step
        self._prepared: PreparedBatch
        self._unreported: StepResult | None = None

    def _build_replay_buffer(self) -> ReplayBuffer:
        """Return verl's synchronous buffer: it only waits; `collect_groups` refills."""
        return ReplayBuffer(
            trainer_mode="sync",
            trainer_config={},
            max_off_policy_threshold=1,
            max_off_policy_strategy="drop",
            sampler_kwargs={},
            poll_interval=POLL_SECONDS,
        )

    @property
    def _dataset(self) -> StageDataset:
        dataset: StageDataset = self.train_dataset
        return dataset

    @cached_property
    def _rollouts(self) -> ClusterRollouts:
        return ClusterRollouts(
            self._dataset, self.replay_buffer, self.agent_loop_manager.generate_sequences
        )

    def fit(self, agent_loop_manager: Any) -> None:
        """Train the stage; an error of ours is written down for whoever started it.

        Raises:
            LongloomError: the stage cannot go on; the message says why and what to do.
        """
        folder = Path(self._dataset.parts.settings.folder)
        try:
            with self._open:
                super().fit(agent_loop_manager)
        except LongloomError as error:
            write_error(folder, error)
            raise

    # ---- what the stage draws from ----

    def on_train_begin(self) -> None:
        """Choose the examples, restore the order, and open whoever is told of steps."""
        parts = self._dataset.parts
        training, seed = parts.settings.training, parts.settings.seed
        asked = AskedOnCluster(self._dataset.parts, self._rollouts)
        self._validation = validation_examples(
            training.validation,
            parts.of_split(Split.HELD_OUT),
            max_prompt_tokens=training.max_prompt_tokens,
            seed=seed,
        )
        check_contexts(self._validation, parts.contexts)
        selected = select_examples(
            training.selection,
            asked,
            stage=parts.settings.stage,
            band=LengthBand(
                lower_tokens=training.min_prompt_tokens, upper_tokens=training.max_prompt_tokens
            ),
            params=sampling_params(training),
            examples_at_once=training.sampling.batch_size,
        )
        self._selected, self._selection_metrics = selected.examples, dict(selected.metrics)
        self._order = make_sampler(
            training.sampling,
            task_types=[example.task_type for example in selected.examples],
            abilities=[example.ability for example in selected.examples],
            seed=seed,
        )
        num_done = self.global_steps - 1
        if num_done:
            self._restore(num_done)
        self._dataset.use(selected.examples, self._order, num_drawn=num_done)
        self._listener = self._opened_listener(num_done)

    def _restore(self, num_done: int) -> None:
        """Restore latch and order of the checkpoint that verl has loaded."""
        state = StageState.read(self._step_folder(num_done))
        digest = examples_digest(self._selected)
        if state.examples != digest:
            raise CheckpointError(
                f"the checkpoint of step {num_done} is of other examples (digest {state.examples}; "
                f"these {len(self._selected)} have {digest}); resume with the examples of the run "
                "that wrote it, or use --fresh"
            )
        self._order.load_state_dict(state.sampler)
        self._aepo = state.aepo

    def _opened_listener(self, num_done: int) -> StepListener | None:
        settings = self._dataset.parts.settings
        if not settings.recorder:
            return None
        module, _, name = settings.recorder.partition(":")
        opened = getattr(import_module(module), name)(self._dataset.parts, num_done)
        listener: StepListener = self._open.enter_context(opened)
        return listener

    # ---- rollouts ----

    def prepare_step(self) -> dict[str, float]:
        """Roll out a step's groups, refilled as the group filter asks."""
        started = time.perf_counter()
        training = self._dataset.parts.settings.training
        step = self.global_steps - 1
        batches: list[RolledOut] = []

        def roll_out(positions: Sequence[int]) -> tuple[RolloutGroup, ...]:
            batch = self._drawn.pop(tuple(positions), None)
            if batch is None:  # a refill, which verl's dataloader knows nothing of
                batch = batch_of([self._dataset.training_row(p, step) for p in positions])
            done = self._rollouts.roll_out(
                batch,
                [self._selected[position] for position in positions],
                num_rollouts=training.group_size,
                step=step,
            )
            batches.append(done)
            return done.rows.groups

        self._drawn: dict[tuple[int, ...], Any] = {}
        collected = collect_groups(training.group_filter, _VerlsDraw(self), roll_out)
        keys = tuple(key for done in batches for key in done.rows.keys)
        self._rolled_out = joined([done.batch for done in batches], first=keys)
        metrics = {**rollout_metrics(collected.groups), **collected.metrics}
        if step == 0:
            metrics |= self._selection_metrics
        self._step = _Step(
            rows=GroupedRows(groups=collected.groups, keys=keys), metrics=metrics, started=started
        )
        self._check_a_rollout_lived(step)
        return {}

    def _check_a_rollout_lived(self, step: int) -> None:
        """Stop before a step without a rollout that lived: so would the next ones be."""
        rollouts = [rollout for group in self._step.rows.groups for rollout in group.rollouts]
        if all(rollout.error for rollout in rollouts):
            raise EngineError(
                f"all {len(rollouts)} rollouts of step {step + 1} of "
                f"{self._dataset.parts.settings.stage} failed, the first with: "
                f"{rollouts[0].error}; expected one that does not; put that right and run the same "
                "command again, which resumes from the last checkpoint"
            )

    def _step_once(
        self, metrics: dict[str, Any], timing_raw: dict[str, float], sample_batch_size: int
    ) -> KVBatchMeta:
        """Let verl learn from the rollouts that are there already."""
        waiting, self.replay_buffer = self.replay_buffer, ReadyBatch(self._rolled_out)
        try:
            return super()._step_once(metrics, timing_raw, sample_batch_size)
        finally:
            self.replay_buffer = waiting

    # ---- advantages and updates ----

    def _balance_batch(
        self,
        batch: KVBatchMeta,
        metrics: dict[str, Any],
        logging_prefix: str = "global_seqlen",
        keep_minibatch: bool = False,
    ) -> KVBatchMeta:
        """Append rows that fill each update to a multiple of the ranks, then balance by tokens."""
        num_updates = self._dataset.parts.settings.training.updates_per_batch
        self._rows = UpdateRows(
            ranks=self._num_ranks,
            eos_id=self.tokenizer.eos_token_id,
            keys=self._step.rows.keys,
            shares_prompts=self.config.actor_rollout_ref.model.get("model_type") == MODEL_TYPE,
        )
        batch = padded(batch, self._rows, num_updates=num_updates)
        return self._rows.balanced(batch)

    @cached_property
    def _num_ranks(self) -> int:
        workers = self.actor_rollout_wg
        if "actor" not in workers._dispatch_info:
            workers._dispatch_info["actor"] = workers._query_dispatch_info("actor")
        return int(max(workers._dispatch_info["actor"])) + 1

    def _compute_advantage(self, batch: KVBatchMeta, metrics: dict[str, Any]) -> KVBatchMeta:
        """Write the advantages of every row, as the local engine's algorithm gives them."""
        settings = self._dataset.parts.settings
        training = settings.training
        keys = self._step.rows.keys
        found = transfer_queue.kv_batch_get(
            keys=list(keys),
            partition_id=batch.partition_id,
            select_fields=["entropy", "old_log_probs", "rollout_log_probs"],
        )
        entropies = [tuple(row.float().tolist()) for row in found["entropy"]]
        groups = with_turns(
            self._step.rows.groups, lambda turn, place: replace(turn, entropies=entropies[place])
        )
        step = self.global_steps - 1
        self._prepared = prepare_batch(
            training, groups, self._aepo, key=f"{settings.seed}/{settings.stage}/{step}"
        )
        self._aepo = self._prepared.aepo
        old, sampled = list(found["old_log_probs"]), list(found["rollout_log_probs"])
        rows = {key: torch.zeros(len(row)) for key, row in zip(keys, sampled, strict=True)}
        for update in self._prepared.updates:
            for place, values in zip(
                update.places, advantages_for_verl(update, training.loss), strict=True
            ):
                row = torch.tensor(values)
                if training.loss.importance_cap is not None:
                    row = row * truncated_correction(
                        old[place].float(), sampled[place].float(), training.loss.importance_cap
                    )
                rows[keys[place]] = row
        self._step.metrics.update(self._prepared.metrics)
        self._step.metrics["training/sampler_gap_nats"] = _gap_nats(old, sampled)
        return self._put_advantages(batch, rows)

    def _put_advantages(self, batch: KVBatchMeta, rows: dict[str, Tensor]) -> KVBatchMeta:
        one = torch.zeros(1)  # rows that fill the batch, and those of rollouts without calls
        values = torch.nested.as_nested_tensor(
            [rows.get(key, one) for key in batch.keys], layout=torch.jagged
        )
        fields = TensorDict({"advantages": values, "returns": values}, batch_size=len(batch))
        put: KVBatchMeta = transfer_queue.kv_batch_put(
            keys=batch.keys, partition_id=batch.partition_id, fields=fields
        )
        return put

    def _update_actor(self, batch: KVBatchMeta, metrics: dict[str, Any]) -> KVBatchMeta:
        """Take one optimizer step for each mini-batch, over the rows with a gradient alone.

        A step without any is skipped: a step with zero gradients would still move the weights by
        the optimizer's momentum.
        """
        training = self._dataset.parts.settings.training
        outputs = []
        for update in self._prepared.updates:
            chosen = self._rows.of_update(batch, update.places)
            num_sequences = len(chosen)
            if training.loss.aggregation == "sequence_mean":
                num_sequences = update.denominators.num_sequences
            chosen.extra_info.update(self._update_settings(num_sequences))
            outputs.append(self.actor_rollout_wg.update_actor(chosen)["metrics"])
        figures, verls = step_figures(outputs)
        figures["training/skipped_steps"] = float(not outputs)
        self._step.metrics.update(figures)
        metrics.update(verls)
        return batch

    def _update_settings(self, num_sequences: int) -> dict[str, Any]:
        actor = self.config.actor_rollout_ref.actor
        return {
            "calculate_entropy": bool(actor.calculate_entropy or actor.entropy_coeff),
            "distillation_use_topk": False,
            "distillation_only": False,
            "global_batch_size": num_sequences,
            "num_mini_batch": 1,
            "epochs": 1,
            "seed": actor.data_loader_seed,
            "dataloader_kwargs": {"shuffle": False},
            "temperature": self.config.actor_rollout_ref.rollout.temperature,
        }

    # ---- what is told and kept ----

    def step(self, metrics: dict[str, Any], timing_raw: dict[str, float]) -> KVBatchMeta:
        """Take a step and tell of it, before verl saves it."""
        batch = super().step(metrics, timing_raw)
        found = {
            **self._step.metrics,
            **{f"timing_s/{name}": float(seconds) for name, seconds in timing_raw.items()},
            "training/step_seconds": time.perf_counter() - self._step.started,
        }
        result = StepResult(step=self.global_steps, groups=self._step.rows.groups, metrics=found)
        if self._validation_is_due():
            self._unreported = result
        else:
            self._report(result)
        return batch

    def _report(self, result: StepResult) -> None:
        if self._listener is not None:
            self._listener(self._with_texts(result))

    def on_step_end(self) -> None:
        """Send the weights to the servers, and validate where that is due."""
        super().on_step_end()
        if self._unreported is None:
            return
        settings = self._dataset.parts.settings
        found = validate(
            settings.training.validation,
            AskedOnCluster(self._dataset.parts, self._rollouts),
            self._validation,
            max_response_tokens=settings.training.max_response_tokens,
            step=self.global_steps,
            key=f"{settings.seed}/{settings.stage}",
        )
        result, self._unreported = self._unreported, None
        self._report(
            StepResult(step=result.step, groups=result.groups, metrics={**result.metrics, **found})
        )

    def _validation_is_due(self) -> bool:
        training = self._dataset.parts.settings.training
        return training.validation.is_due(self.global_steps, training.num_steps)

    def _with_texts(self, result: StepResult) -> StepResult:
        """Return a step with the texts of the groups that are written down."""
        parts = self._dataset.parts
        shown, rest = parts.settings.shown_of(result.groups)
        num_turns = sum(len(rollout.turns) for group in shown for rollout in group.rollouts)
        if not num_turns:
            return result
        found = transfer_queue.kv_batch_get(
            keys=list(self._step.rows.keys[:num_turns]),
            partition_id="train",
            select_fields=["prompts"],
        )
        decode = parts.tokenizer.decode
        prompts = list(found["prompts"])

        def with_text(turn: Turn, place: int) -> Turn:
            return replace(
                turn,
                prompt_text=decode(prompts[place].tolist()),
                response_text=parts.answer_text(turn.response_ids),
            )

        groups = (*with_turns(shown, with_text), *rest)
        return StepResult(step=result.step, groups=groups, metrics=result.metrics)

    def _step_folder(self, step: int) -> Path:
        return Path(self.config.trainer.default_local_dir) / f"global_step_{step}"

    def _save_checkpoint(self) -> None:
        """Save latch and order first: verl names a step as complete at the end of its own."""
        StageState(
            step=self.global_steps,
            examples=examples_digest(self._selected),
            sampler=self._order.state_dict(),
            aepo=self._aepo,
        ).write(self._step_folder(self.global_steps))
        super()._save_checkpoint()


class _VerlsDraw:
    """Draws through verl's dataloader, whose position is in verl's checkpoints."""

    def __init__(self, trainer: LongloomTrainer) -> None:
        self._trainer = trainer

    def draw(self) -> list[int]:
        """Return the positions of the next batch's examples."""
        batch = self._trainer._next_train_batch()
        positions = [int(position) for position in batch.pop("position").tolist()]
        self._trainer._drawn[tuple(positions)] = batch
        return positions

    def draw_further(self, *, kept: Collection[int], drawn: Collection[int]) -> list[int]:
        """Return positions that would complete the batch."""
        return self._trainer._order.draw_further(kept=kept, drawn=drawn)


def _gap_nats(old: Any, sampled: Any) -> float:
    """Return the mean distance between the trainer's and the sampler's log-probabilities."""
    gaps = [(one.float() - other.float()).abs() for one, other in zip(old, sampled, strict=True)]
    return float(torch.cat(gaps).mean())
