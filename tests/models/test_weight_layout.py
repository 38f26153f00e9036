import pytest
import torch

from longloom.models.drawing import OutputHead
from longloom.models.folder import load_model
from longloom.models.generate import generate
from longloom.models.weight_layout import PackedLinear, head_for_sampling, pack_for_sampling
from longloom.records import SampleRequest, SamplingParams


@pytest.mark.parametrize("num_rows", [1, 3, 32, 100])
@pytest.mark.parametrize("has_bias", [True, False])
def test_a_packed_layer_gives_what_the_layer_gives(num_rows, has_bias):
    layer = torch.nn.Linear(24, 40, bias=has_bias)
    packed = PackedLinear(layer.weight, layer.bias)
    rows = torch.randn(num_rows, 24)
    with torch.inference_mode():
        torch.testing.assert_close(packed(rows), layer(rows), rtol=1e-5, atol=1e-5)


def test_a_packed_network_draws_the_same_tokens(any_folder):
    network = load_model(any_folder)
    params = SamplingParams(temperature=1.0, top_p=1.0, max_new_tokens=20)
    requests = [
        SampleRequest(prompt_ids=tuple(range(number, 30)), params=params, key=str(number))
        for number in range(5)
    ]

    def drawn():
        found = generate(network, requests, end_ids=frozenset(), max_batch_tokens=10_000)
        return [each.token_ids for each in found]

    before = drawn()
    pack_for_sampling(network)
    assert type(network.model.layers[0].mlp.up_proj) is PackedLinear
    assert drawn() == before


def test_half_types_are_left_as_they_are(tiny_folder):
    network = load_model(tiny_folder).to(torch.bfloat16)
    pack_for_sampling(network)
    assert type(network.model.layers[0].mlp.up_proj) is torch.nn.Linear
    assert type(head_for_sampling(network.head_weight)) is OutputHead


def test_packed_logits_are_the_logits():
    weight, hidden = torch.randn(50, 16), torch.randn(7, 16)
    with torch.inference_mode():
        found = head_for_sampling(weight).logits(hidden)
    torch.testing.assert_close(found, hidden @ weight.T, rtol=1e-5, atol=1e-5)
