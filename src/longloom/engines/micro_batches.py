"""Cut the sequences of an update into micro-batches of a bounded number of tokens.

Sequences with equal prompts form a group, whose prompt is computed once. Losses have the whole
batch's denominators, so the gradients of micro-batches add up to the batch's however it is cut.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from longloom.records import TrainingSequence

MicroBatch = tuple[int, ...]
"""Indices of sequences."""


def micro_batches(sequences: Sequence[TrainingSequence], *, max_tokens: int) -> list[MicroBatch]:
    """Return which sequences are computed together; every index once.

    Groups are kept whole and packed together up to `max_tokens`, a shared prompt counted once. A
    group whose answers alone are more than that is split by answers, and its prompt is computed
    once for each part. How large one can get: `largest_micro_batch`. Groups are taken
    in order of prompt length: little is spent on padding in the attention over prompts.
    """
    by_prompt: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, sequence in enumerate(sequences):
        by_prompt[sequence.prompt_ids].append(index)
    batches: list[MicroBatch] = []
    batch: MicroBatch = ()
    num_tokens = 0
    for prompt_ids, group in sorted(by_prompt.items(), key=lambda entry: len(entry[0])):
        for part in _parts(sequences, group, max_tokens):
            part_tokens = len(prompt_ids) - 1 + _answer_tokens(sequences, part)
            if batch and num_tokens + part_tokens > max_tokens:
                batches.append(batch)
                batch, num_tokens = (), 0
            batch += part
            num_tokens += part_tokens
    return [*batches, batch] if batch else batches


def _parts(
    sequences: Sequence[TrainingSequence], group: Sequence[int], max_tokens: int
) -> Iterator[MicroBatch]:
    """Yield a group in parts of up to `max_tokens` answer tokens; at least one answer each."""
    part: MicroBatch = ()
    for index in group:
        if part and _answer_tokens(sequences, (*part, index)) > max_tokens:
            yield part
            part = ()
        part += (index,)
    yield part


def _answer_tokens(sequences: Sequence[TrainingSequence], indices: Sequence[int]) -> int:
    return sum(len(sequences[index].response_ids) for index in indices)


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
