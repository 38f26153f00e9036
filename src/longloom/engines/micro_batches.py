"""Cut the sequences of an update into micro-batches of a bounded number of tokens.

Sequences with equal prompts form a group, whose prompt is computed once, and groups that begin
alike a cluster, whose beginning is (see `models.prompt_groups`). Losses have the whole batch's
denominators, so the gradients of micro-batches add up to the batch's however it is cut.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from longloom.models.packed_sequences import AnsweredPrompt
from longloom.models.prompt_groups import PromptCluster, cluster_prompts

MicroBatch = tuple[int, ...]
"""Indices of sequences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What is not cut further: answers to one prompt, or several of these with one beginning."""

    indices: MicroBatch
    """Its sequences."""
    num_tokens: int
    """Tokens it takes, what is shared counted once."""


def micro_batches(
    sequences: Sequence[AnsweredPrompt], *, max_tokens: int, counts_prompts: bool = False
) -> list[MicroBatch]:
    """Return which sequences are computed together; every index once.

    Groups and clusters are kept whole and packed together up to `max_tokens`, what they share
    counted once. A group whose answers alone are more than that is split by answers, and its prompt
    is computed once for each part. How large one can get: `largest_micro_batch`. A cluster is split
    by prompts where it would get larger than `max_tokens` and than the largest part of a group, so
    sharing a beginning never takes more memory. Parts are taken in order of prompt length: little
    is spent on padding in the attention over prompts.

    With `counts_prompts` a group is split where its prompt and answers are more than `max_tokens`,
    so only a single sequence can be.
    """
    clusters = cluster_prompts([sequence.prompt_ids for sequence in sequences])
    clusters.sort(key=lambda cluster: _longest_prompt(sequences, cluster))
    groups_by_cluster = [
        [
            list(_group_parts(sequences, group, max_tokens, counts_prompts))
            for group in cluster.groups
        ]
        for cluster in clusters
    ]
    limit = max(
        [max_tokens]
        + [part.num_tokens for groups in groups_by_cluster for parts in groups for part in parts]
    )
    batches: list[MicroBatch] = []
    batch: MicroBatch = ()
    num_tokens = 0
    for cluster, groups in zip(clusters, groups_by_cluster, strict=True):
        parts = [part for group in groups for part in group]
        for whole in _cluster_parts(parts, cluster.beginning_tokens, limit):
            if batch and num_tokens + whole.num_tokens > max_tokens:
                batches.append(batch)
                batch, num_tokens = (), 0
            batch += whole.indices
            num_tokens += whole.num_tokens
    return [*batches, batch] if batch else batches


def _group_parts(
    sequences: Sequence[AnsweredPrompt], group: Sequence[int], max_tokens: int, counts_prompts: bool
) -> Iterator[_Part]:
    """Yield a group in parts of up to `max_tokens` answer tokens; at least one answer each."""
    context_tokens = len(sequences[group[0]].prompt_ids) - 1
    if counts_prompts:
        max_tokens -= context_tokens
    part: MicroBatch = ()
    num_tokens = 0
    for index in group:
        answer_tokens = len(sequences[index].response_ids)
        if part and num_tokens + answer_tokens > max_tokens:
            yield _Part(indices=part, num_tokens=context_tokens + num_tokens)
            part, num_tokens = (), 0
        part += (index,)
        num_tokens += answer_tokens
    yield _Part(indices=part, num_tokens=context_tokens + num_tokens)


def _cluster_parts(parts: Sequence[_Part], beginning_tokens: int, limit: int) -> Iterator[_Part]:
    """Yield the parts of groups that share a beginning together, up to `limit` tokens.

    Without a beginning they stay apart.
    """
    joined: _Part | None = None
    for part in parts:
        if joined is not None:
            num_tokens = joined.num_tokens + part.num_tokens - beginning_tokens
            if beginning_tokens and num_tokens <= limit:
                joined = _Part(indices=joined.indices + part.indices, num_tokens=num_tokens)
                continue
            yield joined
        joined = part
    if joined is not None:
        yield joined


def _longest_prompt(sequences: Sequence[AnsweredPrompt], cluster: PromptCluster) -> int:
    return max(len(sequences[group[0]].prompt_ids) for group in cluster.groups)


def largest_micro_batch(
    *,
    max_prompt_tokens: int,
    max_response_tokens: int,
    group_size: int,
    num_prompts: int,
    max_tokens: int,
) -> tuple[int, int]:
    """Return the most context and answer tokens that `micro_batches` puts together.

    Of P prompts with G answers each, all of the given lengths at most. A part of a group has one
    context and as many answers as fit; where that is less than `max_tokens`, groups are packed up
    to `max_tokens`, here in the proportions of the longest.
    """
    context_tokens = max_prompt_tokens - 1
    answer_tokens = min(group_size * max_response_tokens, max(max_tokens, max_response_tokens))
    part_tokens = context_tokens + answer_tokens
    if part_tokens >= max_tokens:
        return context_tokens, answer_tokens
    packed_tokens = min(max_tokens, num_prompts * part_tokens)
    packed_context_tokens = packed_tokens * context_tokens // part_tokens
    return packed_context_tokens, packed_tokens - packed_context_tokens
