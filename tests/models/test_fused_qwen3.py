import pytest
import torch

from longloom.models.folder import load_model
from longloom.models.fused_qwen3 import FusedQwen3, network_for_sampling
from longloom.models.generate import generate
from longloom.records import SampleRequest, SamplingParams


def drawn(network, *, prompts):
    params = SamplingParams(temperature=1.0, top_p=1.0, max_new_tokens=20)
    requests = [
        SampleRequest(prompt_ids=prompt, params=params, key=str(number))
        for number, prompt in enumerate(prompts)
    ]
    found = generate(network, requests, end_ids=frozenset(), max_batch_tokens=10_000)
    return [each.token_ids for each in found]


def test_a_fused_network_draws_the_same_tokens(any_folder):
    prompts = [tuple(range(number, 30 + 7 * number)) for number in range(6)]
    before = drawn(load_model(any_folder), prompts=prompts)
    network = network_for_sampling(load_model(any_folder))
    assert type(network) is FusedQwen3
    assert drawn(network, prompts=prompts) == before


@pytest.mark.parametrize("num_silent", [0, 5, 8])
def test_hidden_states_are_those_of_the_layers(tiny_folder, num_silent):
    tokens, positions = torch.arange(3, 12), torch.arange(100, 109)

    def attend(layer, query, key, value):
        # Not attention, but all three matter and every layer does it differently.
        return query * (layer + 1) + key.mean() + value.sin().mean()

    def hidden(network):
        with torch.inference_mode():
            return network.hidden(tokens, positions, attend, num_silent=num_silent)

    expected = hidden(load_model(tiny_folder))
    found = hidden(network_for_sampling(load_model(tiny_folder)))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_states_of_nothing_but_zeros_stay_finite(tiny_folder):
    network = load_model(tiny_folder)
    with torch.no_grad():
        network.model.embed_tokens.weight.zero_()
    found = network_for_sampling(network).hidden(
        torch.tensor([4]), torch.tensor([0]), lambda layer, query, key, value: query
    )
    assert torch.equal(found, torch.zeros_like(found))


def test_what_is_not_plain_fp32_is_served_as_it_is(tiny_folder):
    halved = load_model(tiny_folder).to(torch.bfloat16)
    assert network_for_sampling(halved) is halved
    adapted = load_model(tiny_folder)
    layer = adapted.model.layers[0].mlp
    layer.up_proj = torch.nn.Sequential(layer.up_proj)
    assert network_for_sampling(adapted) is adapted
