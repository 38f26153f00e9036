"""verl's nested rows as prompts and responses.

verl keeps a row's prompt and response one after the other, rows one after the other, without
padding. What it computes of a token it looks for at the place of the token before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Int
from tensordict import TensorDict
from torch import Tensor

from longloom.errors import EngineError
from longloom.models.packed_sequences import AnsweredPrompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of verl's."""

    prompt_ids: tuple[int, ...]
    """Its prompt."""
    response_ids: tuple[int, ...]
    """Its response."""


def rows_of(batch: TensorDict) -> list[Row]:
    """Return the rows of a batch.

    Raises:
        EngineError: it does not tell prompts from responses.
    """
    input_ids, prompts = batch["input_ids"], batch.get("prompts")
    if prompts is None or not prompts.is_nested or not input_ids.is_nested:
        raise EngineError(
            "a batch has no nested prompts and input_ids; shared prompts need rows as verl's "
            "trainer of reinforcement learning (trainer.v1) sends them"
        )
    tokens = input_ids.values().tolist()
    ends = input_ids.offsets().tolist()
    prompt_lengths = prompts.offsets().diff().tolist()
    return [
        Row(
            prompt_ids=tuple(tokens[start : start + length]),
            response_ids=tuple(tokens[start + length : end]),
        )
        for (start, end), length in zip(pairwise(ends), prompt_lengths, strict=True)
    ]


def response_places(rows: Sequence[AnsweredPrompt]) -> Int[Tensor, " R"]:
    """Return the place before each response token among the tokens of all rows."""
    places = []
    start = 0
    for row in rows:
        first = start + len(row.prompt_ids) - 1
        places.append(torch.arange(first, first + len(row.response_ids)))
        start += len(row.prompt_ids) + len(row.response_ids)
    return torch.cat(places)
