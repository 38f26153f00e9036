"""Values of sequences' response tokens as packed tensors, in the order of `score_sequences`."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from longloom.errors import EngineError
from longloom.records import TrainingSequence


def packed_values(
    sequences: Sequence[TrainingSequence],
    name: Literal["advantages", "old_logprobs", "rollout_logprobs"],
    device: torch.device,
) -> Float[Tensor, " N"] | None:
    """Return one value per response token; None if no sequence has any.

    Raises:
        EngineError: some sequences have a value for each of their tokens and others do not.
    """
    rows = [getattr(sequence, name) for sequence in sequences]
    if not any(rows):
        return None
    for sequence, row in zip(sequences, rows, strict=True):
        if len(row or ()) != len(sequence.response_ids):
            raise EngineError(
                f"a sequence of {len(sequence.response_ids)} response tokens has "
                f"{len(row or ())} {name}; expected one per token, in every sequence or in none"
            )
    return torch.tensor([value for row in rows for value in row], device=device)


def answer_tokens(sequences: Sequence[TrainingSequence], device: torch.device) -> Int[Tensor, " N"]:
    """Return for each response token how many its whole response has."""
    lengths = torch.tensor([len(sequence.response_ids) for sequence in sequences], device=device)
    return lengths.repeat_interleave(lengths)
