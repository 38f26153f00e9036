"""Which rows of verl's batch each optimizer step is sent, and what comes back of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from transfer_queue import KVBatchMeta
from verl.trainer.ppo.padding_utils import upsample_batch_to_divisible_size
from verl.utils.metric import reduce_metrics
from verl.utils.seqlen_balancing import calculate_workload, get_seqlen_balanced_partitions

from longloom.engines.verl.group_order import order_by_groups

_OUR_NAMES: Mapping[str, str] = {
    "grad_norm": "training/grad_norm",
    "lr": "training/learning_rate",
    "pg_clipfrac": "training/clipped_fraction",
    "pg_loss": "training/loss",
    "ppo_kl": "training/policy_shift_nats",
    "kl_loss": "training/kl_nats",
}
"""Our name of each of verl's figures of an update."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRows:
    """The rows of one batch."""

    ranks: int
    """Ranks that train side by side; each gets as many rows."""
    eos_id: int
    """Token of rows that fill a batch."""
    keys: Sequence[str]
    """The rows of all calls with tokens, in the order of their groups."""
    shares_prompts: bool = False
    """Whether a rank computes a common prompt once, so that groups had better stay together."""
    fillers: list[str] = field(default_factory=list)
    """Rows that nothing is learned from."""

    def of_update(self, batch: KVBatchMeta, places: Sequence[int]) -> KVBatchMeta:
        """Return the rows of an update, filled to a multiple of the ranks, balanced over them."""
        chosen = [self.keys[place] for place in places]
        num_missing = -len(chosen) % self.ranks
        chosen += self.fillers[:num_missing]
        assert len(chosen) % self.ranks == 0, "`padded` appends enough rows"
        return self.balanced(batch.select_keys(chosen))

    def balanced(self, batch: KVBatchMeta) -> KVBatchMeta:
        """Return the rows in an order that gives every rank about as much to compute."""
        if self.shares_prompts:
            batch.reorder(self._in_groups(batch))
            return batch
        work = calculate_workload(_lengths(batch))
        parts = get_seqlen_balanced_partitions(work, k_partitions=self.ranks, equal_size=True)
        batch.reorder([row for part in parts for row in part])
        return batch

    def _in_groups(self, batch: KVBatchMeta) -> list[int]:
        """Return the rows in an order that keeps those of a prompt on one rank.

        The first calls of a prompt's rollouts have the prompt in common; later ones of a memory
        agent hold what each of them wrote.
        """
        prompts = [key.rsplit("_", 2)[0] if key.endswith("_0") else key for key in batch.keys]
        return order_by_groups(
            prompts,
            [tag["prompt_len"] for tag in batch.tags],
            [tag["response_len"] for tag in batch.tags],
            num_ranks=self.ranks,
        )


def padded(batch: KVBatchMeta, rows: UpdateRows, *, num_updates: int) -> KVBatchMeta:
    """Append rows without a loss, enough to fill the batch and each of its updates.

    Every update may use the same ones: nothing is learned from them.
    """
    num_spare = rows.ranks - 1 if num_updates else 0
    wanted = len(batch) + num_spare
    wanted += -wanted % rows.ranks
    if wanted == len(batch):
        return batch
    # verl pads to a multiple of a number: a multiple of `wanted` that is not there yet is itself.
    filled = upsample_batch_to_divisible_size(batch, wanted, rows.eos_id)
    rows.fillers.extend(filled.keys[len(batch) :])
    filled.extra_info.update(batch.extra_info)
    return filled


def _lengths(batch: KVBatchMeta) -> Any:
    import torch

    return torch.tensor([tag["seq_len"] for tag in batch.tags], dtype=torch.int64)


def step_figures(
    outputs: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the figures of a step's updates under our names, and under verl's.

    Means over the updates, and over what verl gives in pieces.
    """
    ours: dict[str, list[float]] = {}
    verls: dict[str, list[float]] = {}
    for output in outputs:
        for name, value in reduce_metrics(dict(output)).items():
            plain = name.removeprefix("actor/")
            verls.setdefault(f"actor/{plain}", []).append(float(value))
            if plain in _OUR_NAMES:
                ours.setdefault(_OUR_NAMES[plain], []).append(float(value))
    means = tuple(
        {name: fmean(values) for name, values in found.items()} for found in (ours, verls)
    )
    return means[0], {**means[1], "perf/mfu/actor": means[1].get("actor/mfu", 0.0)}
