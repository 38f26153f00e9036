"""Roll out examples through verl's agent loops, and read back what they made.

Prompts go to the agent loops' workers, which put every call of the model into TransferQueue; the
replay buffer tells when all rollouts of a prompt have ended.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import transfer_queue
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer
from verl.utils import tensordict_utils
from verl.utils.dataset.rl_dataset import collate_fn

from longloom.engines.verl.agents import ROLLOUT_FIELD
from longloom.engines.verl.attempt_row import AttemptRow
from longloom.engines.verl.batch_rows import CallRow, GroupedRows, group_rows
from longloom.engines.verl.dataset import StageDataset
from longloom.engines.verl.stage_parts import StageParts
from longloom.errors import RewardError
from longloom.records import Example, FinishReason, Reward, RolloutGroup, SamplingParams, Split

TRAIN, ASKED = "train", "val"
"""verl's partitions: what is learned from, and what is only asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledOut:
    """Rollouts that are in TransferQueue."""

    rows: GroupedRows
    """As groups."""
    batch: KVBatchMeta
    """As verl refers to them."""


class ClusterRollouts:
    """Asks the policy as it is on the rollout servers."""

    def __init__(
        self,
        dataset: StageDataset,
        buffer: ReplayBuffer,
        generate: Callable[[Any], None],
    ) -> None:
        """Roll out by `generate`, the agent loop manager's `generate_sequences`."""
        self._dataset = dataset
        self._buffer = buffer
        self._generate = generate

    def ask(
        self,
        examples: Sequence[Example],
        *,
        num_rollouts: int,
        params: SamplingParams,
        policy_version: int,
        key: str,
    ) -> tuple[RolloutGroup, ...]:
        """Return scored groups that nothing is learned from; see `training.attempts.roll_out`.

        Raises:
            RewardError: a judge was needed and could not be asked.
            EngineError: a worker was lost.
        """
        rows = [
            self._dataset.row(
                example,
                AttemptRow(
                    example_id=example.example_id,
                    policy_version=policy_version,
                    key=key,
                    params=params,
                ),
                num_rollouts=num_rollouts,
            )
            for example in examples
        ]
        done = self.roll_out(
            batch_of(rows), examples, num_rollouts=num_rollouts, step=policy_version, kind=ASKED
        )
        transfer_queue.kv_clear(keys=done.batch.keys, partition_id=ASKED)
        return done.rows.groups

    def roll_out(
        self,
        batch: Any,
        examples: Sequence[Example],
        *,
        num_rollouts: int,
        step: int,
        kind: str = TRAIN,
    ) -> RolledOut:
        """Dispatch a batch of verl's, wait for it, and return what came back.

        Args:
            batch: one row per example, with their `uid`.
            examples: what the rows ask.
            num_rollouts: attempts per example.
            step: optimizer steps the policy has taken.
            kind: verl's partition, `TRAIN` or `ASKED`.

        Raises:
            RewardError: a judge was needed and could not be asked.
            EngineError: a worker was lost.
        """
        uids = [str(uid) for uid in batch["uid"]]
        tensordict_utils.assign_non_tensor_data(batch, "global_steps", step + 1)
        if kind == ASKED:
            tensordict_utils.assign_non_tensor_data(batch, "validate", True)
        tags = [{"is_prompt": True, "status": "pending", "global_steps": step + 1} for _ in uids]
        transfer_queue.kv_batch_put(keys=uids, partition_id=kind, tags=tags)
        self._generate(batch)
        found, _ = self._buffer.sample(
            global_steps=step + 1, partition_id=kind, batch_size=len(uids)
        )
        rows = group_rows(
            dict(zip(uids, examples, strict=True)),
            read_rows(found),
            num_rollouts=num_rollouts,
            policy_version=step,
        )
        return RolledOut(rows=rows, batch=found)


class AskedOnCluster:
    """The stage as measuring and validation see it (`training.stage_inputs.AskedStage`)."""

    def __init__(self, parts: StageParts, rollouts: "ClusterRollouts") -> None:
        """Ask the examples of a stage by `rollouts`."""
        self.examples = parts.of_split(Split.TRAIN)
        self.contexts = parts.contexts
        self.seed = parts.settings.seed
        self.folder = Path(parts.settings.folder)
        self.model_id = ""
        self._rollouts = rollouts

    def on_progress(self, description: str, num_done: int, num_total: int) -> None:
        """Say how far measuring is, in verl's log."""
        sys.stderr.write(f"{description}: {num_done}/{num_total}\n")

    def roll_out(
        self,
        examples: Sequence[Example],
        *,
        num_rollouts: int,
        params: SamplingParams,
        policy_version: int,
        key: str,
    ) -> tuple[RolloutGroup, ...]:
        """Return one scored group per example, in order."""
        return self._rollouts.ask(
            examples,
            num_rollouts=num_rollouts,
            params=params,
            policy_version=policy_version,
            key=key,
        )


class ReadyBatch:
    """A replay buffer that has its batch."""

    def __init__(self, batch: KVBatchMeta) -> None:
        """Hold `batch`."""
        self._batch = batch

    def sample(self, **asked: Any) -> tuple[KVBatchMeta, dict[str, float]]:
        """Return it."""
        return self._batch, {}


def joined(batches: Sequence[KVBatchMeta], *, first: Sequence[str]) -> KVBatchMeta:
    """Return batches as one, in an order that does not depend on who was ready first."""
    whole = KVBatchMeta(
        partition_id=batches[0].partition_id,
        keys=[key for batch in batches for key in batch.keys],
        tags=[tag for batch in batches for tag in batch.tags],
    )
    known = set(first)
    ordered: KVBatchMeta = whole.select_keys(
        [*first, *(key for key in whole.keys if key not in known)]
    )
    return ordered


def batch_of(rows: Sequence[dict[str, Any]]) -> Any:
    """Return rows as a batch of verl's, each with an id of its own."""
    columns = collate_fn(list(rows))
    columns["uid"] = np.array([str(uuid4()) for _ in rows], dtype=object)
    return tensordict_utils.get_tensordict(columns)


def read_rows(batch: KVBatchMeta) -> list[CallRow]:
    """Return the calls of a batch.

    Raises:
        RewardError: a judge was needed and could not be asked.
    """
    fields = ["responses", "response_mask", "extra_fields"]
    columns = transfer_queue.kv_batch_get(
        keys=batch.keys, partition_id=batch.partition_id, select_fields=fields
    )
    rows = zip(
        batch.keys, columns["responses"], columns["response_mask"], columns["extra_fields"],
        strict=True,
    )  # fmt: skip
    return [_row(key, *columns) for key, *columns in rows]


def _row(key: str, response: Any, mask: Any, fields: Any) -> CallRow:
    extra = getattr(fields, "data", fields)
    told = json.loads(extra[ROLLOUT_FIELD])
    scored = json.loads(extra.get("reward_extra_info", {}).get(ROLLOUT_FIELD, "{}"))
    if "reward_error" in scored:
        raise RewardError(scored["reward_error"])
    return CallRow(
        key=key,
        response_ids=tuple(response.tolist()) if bool(mask.any()) else (),
        finish_reason=FinishReason(told.get("finish_reason", FinishReason.STOP)),
        error=told["error"],
        reward=Reward(**scored["reward"]) if "reward" in scored else None,
    )
