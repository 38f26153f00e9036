import pytest
import torch

from longloom.models.decoding import Cohort
from longloom.models.folder import load_model
from longloom.models.prefill import prefill


@pytest.fixture(scope="module")
def network(any_folder):
    return load_model(any_folder)


PROMPTS = [tuple(range(3, 40)), (7,), (1, 2), tuple(range(100, 111)), (9, 8, 7)]


def filled(network, prompts, pass_tokens):
    lengths = [len(prompt) for prompt in prompts]
    cohort = Cohort(network, lengths, [1] * len(prompts), max_own=1, first_own=1)
    with torch.inference_mode():
        states = prefill(network, prompts, cohort.prompt_caches, pass_tokens=pass_tokens)
    return states, cohort.prompt_caches


class CausalRow:
    """Attends as the textbook says, within one row."""

    def __init__(self):
        self.caches = []

    def __call__(self, layer, query, key, value):
        self.caches.append((key, value))
        groups = query.shape[1] // key.shape[1]
        key, value = (part.repeat_interleave(groups, dim=1) for part in (key, value))
        scores = torch.einsum("qhd,khd->hqk", query, key) / query.shape[-1] ** 0.5
        scores += torch.full(scores.shape[1:], -torch.inf).triu(1)
        return torch.einsum("hqk,khd->qhd", scores.softmax(dim=-1), value)


@pytest.mark.parametrize("pass_tokens", [1, 2, 5, 16, 1_000])
def test_states_and_caches_are_those_of_each_prompt_alone(network, pass_tokens):
    states, caches = filled(network, PROMPTS, pass_tokens)
    for place, prompt in enumerate(PROMPTS):
        attend = CausalRow()
        with torch.inference_mode():
            hidden = network.hidden(torch.tensor(prompt), torch.arange(len(prompt)), attend)
        torch.testing.assert_close(states[place], hidden[-1], rtol=1e-4, atol=1e-4)
        for kept, expected in zip(caches, attend.caches, strict=True):
            for found, wanted in zip(kept, expected, strict=True):
                row = found[place, :, : len(prompt)].transpose(0, 1)
                torch.testing.assert_close(row, wanted, rtol=1e-4, atol=1e-4)
                assert not found[place, :, len(prompt) :].any()


def test_a_pass_is_bounded_and_short_prompts_are_not_cut(network, monkeypatch):
    passes = []
    run = network.hidden

    def counted(token_ids, positions, attend, *, num_silent):
        passes.append((len(token_ids), len(token_ids) - num_silent))
        return run(token_ids, positions, attend, num_silent=num_silent)

    monkeypatch.setattr(network, "hidden", counted)
    filled(network, PROMPTS, 16)
    # 37 tokens as 16, 16 and 5; 1 and 2 beside the last; 11 and 3 in the next pass. Each piece
    # has one token with an output.
    assert passes == [(16, 1), (16, 1), (8, 3), (14, 2)]
