"""Log-probabilities and entropies of responses, with equal prompts computed once."""

from collections import defaultdict
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from longloom.models.logprob_head import logprobs_and_entropies
from longloom.models.network import Network
from longloom.models.shared_prefix import SharedPrefix
from longloom.records import TrainingSequence


def score_sequences(
    network: Network, sequences: Sequence[TrainingSequence], *, temperature: float
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
    """Return log-probabilities (with gradient) and entropies (without) of all response tokens.

    Logits are divided by `temperature` before both. N counts the response tokens of all sequences,
    in order. Sequences with equal prompts share the prompt's forward and backward pass.
    """
    groups = _groups(sequences)
    order = [index for group in groups for index in group]
    device = network.device
    plan = SharedPrefix(
        [len(sequences[group[0]].prompt_ids) - 1 for group in groups],
        [[len(sequences[index].response_ids) for index in group] for group in groups],
        device=device,
    )
    contexts = [token for group in groups for token in sequences[group[0]].prompt_ids[:-1]]
    responses = [token for index in order for token in _fed(sequences[index])]
    hidden = network.hidden(
        torch.tensor(contexts + responses, dtype=torch.int64, device=device),
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


def _fed(sequence: TrainingSequence) -> tuple[int, ...]:
    """Return the tokens whose successors are the response."""
    shifted = (sequence.prompt_ids[-1], *sequence.response_ids)
    return shifted[: len(sequence.response_ids)]


def _groups(sequences: Sequence[TrainingSequence]) -> list[list[int]]:
    indices_by_prompt: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, sequence in enumerate(sequences):
        indices_by_prompt[sequence.prompt_ids].append(index)
    return list(indices_by_prompt.values())


def _places(sequences: Sequence[TrainingSequence], order: Sequence[int]) -> Int[Tensor, " N"]:
    """Return where the tokens of all sequences stand when the sequences are laid out in `order`."""
    places: list[Tensor] = [torch.empty(0)] * len(order)
    start = 0
    for index in order:
        end = start + len(sequences[index].response_ids)
        places[index] = torch.arange(start, end)
        start = end
    return torch.cat(places)
