"""Which rows go to which rank, and into which micro-batch, so that groups stay together.

Rows with equal prompts form a group, whose prompt a rank computes once
(`prefix_engine.PrefixSharingEngine`). verl wants as many rows on every rank, and as many
micro-batches.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from longloom.engines.micro_batches import MicroBatch, micro_batches
from longloom.errors import EngineError
from longloom.models.packed_sequences import AnsweredPrompt

_TOKEN_WORK = 24_576
"""Work of a token beside attention, in units of attending to half a token: 6 times the width of a
model of 7B, which is what verl balances by."""


@dataclass(slots=True)
class _Rank:
    """What one rank has so far."""

    num_free: int
    """Rows it still takes."""
    rows: list[int] = field(default_factory=list)
    """Its rows."""
    work: int = 0
    """What they take."""

    def take(self, rows: Sequence[int], work: int) -> None:
        """Add rows."""
        self.rows += rows
        self.num_free -= len(rows)
        self.work += work


def order_by_groups(
    prompts: Sequence[Hashable],
    prompt_lengths: Sequence[int],
    response_lengths: Sequence[int],
    *,
    num_ranks: int,
) -> list[int]:
    """Return every row once, those of the first rank first, as many for each rank.

    Large groups come first and go whole to the rank with the least work that has room for them. A
    group that no rank has room for is split over the ranks with the most room. With groups of one
    size that divides the rows of a rank, all stay whole.

    Args:
        prompts: what tells the prompt of each row: its digest, or its example where all rows of an
            example have one prompt.
        prompt_lengths: tokens of each row's prompt.
        response_lengths: tokens of each row's response.
        num_ranks: how many parts; ranks times mini-batches where a rank takes several, whose parts
            then stand one after the other.

    Raises:
        EngineError: the rows do not divide.
    """
    if len(prompts) % num_ranks:
        raise EngineError(
            f"{len(prompts)} rows for {num_ranks} ranks and mini-batches; expected a multiple"
        )
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for row, prompt in enumerate(prompts):
        groups[prompt].append(row)

    def work_of(rows: Sequence[int]) -> int:
        return shared_work(prompt_lengths[rows[0]], [response_lengths[row] for row in rows])

    ranks = [_Rank(num_free=len(prompts) // num_ranks) for _ in range(num_ranks)]
    unplaced: list[list[int]] = []
    for rows in sorted(groups.values(), key=lambda rows: (-len(rows), -work_of(rows))):
        with_room = [rank for rank in ranks if rank.num_free >= len(rows)]
        if with_room:
            min(with_room, key=lambda rank: rank.work).take(rows, work_of(rows))
        else:
            unplaced.append(rows)
    for rows in unplaced:
        while rows:
            rank = min(ranks, key=lambda rank: (-rank.num_free, rank.work))
            part, rows = rows[: rank.num_free], rows[rank.num_free :]
            rank.take(part, work_of(part))
    return [row for rank in ranks for row in rank.rows]


def shared_work(prompt_tokens: int, response_tokens: Sequence[int]) -> int:
    """Return the work of a group whose prompt is computed once, in verl's units.

    A row of n tokens alone is `24576 n + n^2`, as verl counts it; in a group the prompt's part of
    both terms counts once.
    """
    work = _TOKEN_WORK * prompt_tokens + prompt_tokens**2
    for tokens in response_tokens:
        work += _TOKEN_WORK * tokens + 2 * prompt_tokens * tokens + tokens**2
    return work


def cut_rows(rows: Sequence[AnsweredPrompt], *, max_tokens: int) -> list[MicroBatch]:
    """Return the micro-batches of a rank: whole groups together, prompts counted once.

    Args:
        rows: those of the rank.
        max_tokens: what a micro-batch takes, prompts included; only a single longer row is more.
    """
    return micro_batches(rows, max_tokens=max_tokens, counts_prompts=True)


def cut_further(
    rows: Sequence[AnsweredPrompt], batches: Sequence[MicroBatch], *, num_batches: int
) -> list[MicroBatch]:
    """Return as many micro-batches as asked, by cutting the largest ones in two.

    A cut is made between two groups where there are several, as near to the middle as it can be.

    Raises:
        EngineError: there are fewer rows than that.
    """
    if len(rows) < num_batches:
        raise EngineError(f"{len(rows)} rows in {num_batches} micro-batches; expected a row each")
    cut = list(batches)
    while len(cut) < num_batches:
        largest = max(
            (place for place, batch in enumerate(cut) if len(batch) > 1),
            key=lambda place: _packed_tokens(rows, cut[place]),
        )
        cut[largest : largest + 1] = _halves(rows, cut[largest])
    return cut


def _halves(rows: Sequence[AnsweredPrompt], batch: MicroBatch) -> tuple[MicroBatch, MicroBatch]:
    def cost(stop: int) -> tuple[bool, int]:
        is_within = rows[batch[stop - 1]].prompt_ids == rows[batch[stop]].prompt_ids
        halves = (_packed_tokens(rows, half) for half in (batch[:stop], batch[stop:]))
        return is_within, max(halves)

    middle = min(range(1, len(batch)), key=cost)
    return batch[:middle], batch[middle:]


def _packed_tokens(rows: Sequence[AnsweredPrompt], batch: MicroBatch) -> int:
    """Count responses, and each different prompt once."""
    prompts = {rows[index].prompt_ids for index in batch}
    return sum(map(len, prompts)) + sum(len(rows[index].response_ids) for index in batch)
