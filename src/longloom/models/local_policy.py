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
    groups_of_groups = list(groups_by_size.values())
    hidden = torch.cat([_response_hidden(model, sequences, groups) for groups in groups_of_groups])
    order = [index for groups in groups_of_groups for group in groups for index in group]
    targets = torch.tensor([token for sequence in sequences for token in sequence.response_ids])
    return logprobs_and_entropies(
        hidden[_token_places(sequences, order)], model.head_weight, targets, temperature=temperature
    )


def _token_places(sequences: Sequence[TrainingSequence], order: Sequence[int]) -> Tensor:
    """Return where the tokens of all sequences stand when the sequences are laid out in `order`."""
    places: list[Tensor] = [torch.empty(0)] * len(order)
    start = 0
    for index in order:
        end = start + len(sequences[index].response_ids)
        places[index] = torch.arange(start, end)
        start = end
    return torch.cat(places)


def _response_hidden(
    model: Qwen3, sequences: Sequence[TrainingSequence], groups: list[list[int]]
) -> Tensor:
    """Return the hidden states [N, D] that predict the response tokens, group after group."""
    prompts = [sequences[group[0]].prompt_ids for group in groups]
    responses = [[sequences[index].response_ids for index in group] for group in groups]
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    prompt_ids = torch.zeros(len(prompts), int(lengths.max()), dtype=torch.int64)
    longest = max(len(response) for row in responses for response in row)
    response_ids = torch.zeros(len(groups), len(groups[0]), longest, dtype=torch.int64)
    is_response = torch.zeros(response_ids.shape, dtype=torch.bool)
    for row, prompt in enumerate(prompts):
        prompt_ids[row, : len(prompt)] = torch.tensor(prompt)
        for column, response in enumerate(responses[row]):
            response_ids[row, column, : len(response)] = torch.tensor(response)
            is_response[row, column, : len(response)] = True
    first, caches = model.prompt_end(prompt_ids, lengths)  # predicts the first token
    hidden = first.repeat_interleave(len(groups[0]), dim=0)  # [P G, D]
    place = torch.arange(len(hidden)).view(len(groups), -1, 1).repeat(1, 1, longest)
    if longest > 1:
        is_later = is_response[..., 1:]
        later = model.suffix(
            response_ids[..., :-1],
            lengths[:, None] + torch.arange(longest - 1),
            prompt_caches=caches,
            prompt_bias=padding_bias(lengths, prompt_ids.shape[1]),
            is_token=is_later,
        )
        place[..., 1:][is_later] = len(hidden) + torch.arange(len(later))
        hidden = torch.cat([hidden, later])
    return hidden[place[is_response]]
