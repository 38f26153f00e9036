"""Log-probabilities and entropies of responses, with equal prompts computed once."""

from collections import defaultdict
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from longloom.models.logprob_head import logprobs_and_entropies
from longloom.models.qwen3 import Qwen3, padding_bias
from longloom.records import TrainingSequence


def score_sequences(
    model: Qwen3, sequences: Sequence[TrainingSequence], *, temperature: float
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
    """Return log-probabilities (with gradient) and entropies (without) of all response tokens.

    Logits are divided by `temperature` before both. N counts the response tokens of all sequences,
    in order. Sequences with equal prompts share the prompt's forward and backward pass.
    """
    indices_by_prompt: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, sequence in enumerate(sequences):
        indices_by_prompt[sequence.prompt_ids].append(index)
    groups_by_size: dict[int, list[list[int]]] = defaultdict(list)
    for group in indices_by_prompt.values():
        groups_by_size[len(group)].append(group)
    hidden_by_index: dict[int, Tensor] = {}
    for groups in groups_by_size.values():
        hidden_by_index.update(_response_hidden(model, sequences, groups))
    hidden = torch.cat([hidden_by_index[index] for index in range(len(sequences))])  # [N, D]
    targets = torch.tensor([token for sequence in sequences for token in sequence.response_ids])
    return logprobs_and_entropies(hidden, model.head_weight, targets, temperature=temperature)


def _response_hidden(
    model: Qwen3, sequences: Sequence[TrainingSequence], groups: list[list[int]]
) -> dict[int, Tensor]:
    """Return, by sequence index, the hidden states [R, D] that predict its response tokens."""
    prompts = [sequences[group[0]].prompt_ids for group in groups]
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    longest = int(lengths.max())
    prompt_ids = torch.zeros(len(prompts), longest, dtype=torch.int64)
    num_response = max(len(sequences[index].response_ids) for group in groups for index in group)
    response_ids = torch.zeros(len(groups), len(groups[0]), num_response, dtype=torch.int64)
    for row, group in enumerate(groups):
        prompt_ids[row, : len(prompts[row])] = torch.tensor(prompts[row])
        for column, index in enumerate(group):
            response = torch.tensor(sequences[index].response_ids)
            response_ids[row, column, : len(response)] = response
    prompt_hidden, caches = model.prompt(prompt_ids)
    first = prompt_hidden[torch.arange(len(prompts)), lengths - 1]  # predicts the first token
    positions = lengths[:, None] + torch.arange(num_response - 1)
    hidden, _ = model.suffix(
        response_ids[..., :-1],
        positions,
        prompt_caches=caches,
        prompt_bias=padding_bias(lengths, longest),
    )
    first = first[:, None, None].expand(-1, len(groups[0]), 1, -1)
    hidden = torch.cat([first, hidden], dim=2)  # [P, G, R, D]
    return {
        index: hidden[row, column, : len(sequences[index].response_ids)]
        for row, group in enumerate(groups)
        for column, index in enumerate(group)
    }
