"""Prompts and their responses as the packed tokens of one forward pass.

What prompts share is in them once (see `prompt_groups`); the order is that of `shared_prefix`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Int
from torch import Tensor

from longloom.models.prompt_groups import PromptCluster, cluster_prompts
from longloom.models.shared_prefix import Beginning, SharedPrefix


class AnsweredPrompt(Protocol):
    """One row to score, such as a `TrainingSequence`."""

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        """The prompt's tokens, at least one."""

    @property
    def response_ids(self) -> tuple[int, ...]:
        """The tokens to score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedSequences:
    """N packed tokens and the R response tokens that they predict."""

    token_ids: Int[Tensor, " N"]
    """What the network reads; the plan holds their positions."""
    plan: SharedPrefix
    """Who attends to whom."""
    targets: Int[Tensor, " R"]
    """The response tokens in packed order; the last R tokens read predict them."""
    places: Int[Tensor, " R"]
    """Where in packed order the response tokens of the first row stand, of the second, and on."""


def pack_sequences(sequences: Sequence[AnsweredPrompt], *, device: torch.device) -> PackedSequences:
    """Return rows packed; equal prompts are in it once, and so is what prompts begin with alike."""
    clusters = cluster_prompts([sequence.prompt_ids for sequence in sequences])
    order = [index for cluster in clusters for group in cluster.groups for index in group]
    targets = [token for index in order for token in sequences[index].response_ids]
    return PackedSequences(
        token_ids=_tensor(_packed_tokens(sequences, clusters), device),
        plan=_plan(sequences, clusters, device),
        targets=_tensor(targets, device),
        places=_places(sequences, order).to(device),
    )


def _tensor(token_ids: list[int], device: torch.device) -> Int[Tensor, " N"]:
    return torch.tensor(token_ids, dtype=torch.int64, device=device)


def _plan(
    sequences: Sequence[AnsweredPrompt],
    clusters: Sequence[PromptCluster],
    device: torch.device,
) -> SharedPrefix:
    rows = [(group, cluster.beginning_tokens) for cluster in clusters for group in cluster.groups]
    return SharedPrefix(
        [len(sequences[group[0]].prompt_ids) - 1 - begun for group, begun in rows],
        [[len(sequences[index].response_ids) for index in group] for group, _ in rows],
        beginnings=[
            Beginning(num_tokens=cluster.beginning_tokens, num_contexts=len(cluster.groups))
            for cluster in clusters
            if cluster.beginning_tokens
        ],
        device=device,
    )


def _packed_tokens(
    sequences: Sequence[AnsweredPrompt], clusters: Sequence[PromptCluster]
) -> list[int]:
    """Return the tokens that the network reads, in the order of the plan."""
    beginnings: list[int] = []
    contexts: list[int] = []
    responses: list[int] = []
    for cluster in clusters:
        begun = cluster.beginning_tokens
        beginnings += sequences[cluster.groups[0][0]].prompt_ids[:begun]
        for group in cluster.groups:
            contexts += sequences[group[0]].prompt_ids[begun:-1]
            for index in group:
                responses += _fed(sequences[index])
    return beginnings + contexts + responses


def _fed(sequence: AnsweredPrompt) -> tuple[int, ...]:
    """Return the tokens whose successors are the response."""
    shifted = (sequence.prompt_ids[-1], *sequence.response_ids)
    return shifted[: len(sequence.response_ids)]


def _places(sequences: Sequence[AnsweredPrompt], order: Sequence[int]) -> Int[Tensor, " R"]:
    """Return where the tokens of all sequences stand when the sequences are laid out in `order`."""
    places: list[Tensor] = [torch.empty(0)] * len(order)
    start = 0
    for index in order:
        end = start + len(sequences[index].response_ids)
        places[index] = torch.arange(start, end)
        start = end
    return torch.cat(places)
