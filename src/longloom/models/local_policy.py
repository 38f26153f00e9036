"""Log-probabilities and entropies of responses; what their prompts share is computed once."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from longloom.models.logprob_head import logprobs_and_entropies
from longloom.models.network import Network
from longloom.models.prompt_groups import PromptCluster, cluster_prompts
from longloom.models.shared_prefix import Beginning, SharedPrefix
from longloom.records import TrainingSequence


def score_sequences(
    network: Network, sequences: Sequence[TrainingSequence], *, temperature: float
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
    """Return log-probabilities (with gradient) and entropies (without) of all response tokens.

    Logits are divided by `temperature` before both. N counts the response tokens of all sequences,
    in order. Equal prompts share their forward and backward pass, and prompts that begin alike that
    of their beginning (see `prompt_groups`).
    """
    clusters = cluster_prompts([sequence.prompt_ids for sequence in sequences])
    order = [index for cluster in clusters for group in cluster.groups for index in group]
    device = network.device
    plan = _plan(sequences, clusters, device)
    hidden = network.hidden(
        torch.tensor(_packed_tokens(sequences, clusters), dtype=torch.int64, device=device),
        plan.positions,
        plan,
        num_silent=plan.num_context_tokens,
    )
    targets = torch.tensor(
        [token for index in order for token in sequences[index].response_ids],
        dtype=torch.int64,
        device=device,
    )
    logprobs, entropies = logprobs_and_entropies(
        hidden, network.head_weight, targets, temperature=temperature
    )
    places = _places(sequences, order).to(device)
    return logprobs[places], entropies[places]


def _plan(
    sequences: Sequence[TrainingSequence],
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
    sequences: Sequence[TrainingSequence], clusters: Sequence[PromptCluster]
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


def _fed(sequence: TrainingSequence) -> tuple[int, ...]:
    """Return the tokens whose successors are the response."""
    shifted = (sequence.prompt_ids[-1], *sequence.response_ids)
    return shifted[: len(sequence.response_ids)]


def _places(sequences: Sequence[TrainingSequence], order: Sequence[int]) -> Int[Tensor, " N"]:
    """Return where the tokens of all sequences stand when the sequences are laid out in `order`."""
    places: list[Tensor] = [torch.empty(0)] * len(order)
    start = 0
    for index in order:
        end = start + len(sequences[index].response_ids)
        places[index] = torch.arange(start, end)
        start = end
    return torch.cat(places)
