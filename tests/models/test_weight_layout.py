import pytest
import torch

from longloom.models.drawing import OutputHead
from longloom.models.weight_layout import PackedLinear, head_for_sampling


@pytest.mark.parametrize("num_rows", [1, 3, 32, 100])
def test_a_packed_layer_gives_what_the_layer_gives(num_rows):
    layer = torch.nn.Linear(24, 40, bias=False)
    packed = PackedLinear(layer.weight)
    rows = torch.randn(num_rows, 24)
    with torch.inference_mode():
        torch.testing.assert_close(packed(rows), layer(rows), rtol=1e-5, atol=1e-5)


def test_half_types_are_left_as_they_are():
    weight = torch.randn(50, 16, dtype=torch.bfloat16)
    assert type(head_for_sampling(weight)) is OutputHead


def test_packed_logits_are_the_logits():
    weight, hidden = torch.randn(50, 16), torch.randn(7, 16)
    with torch.inference_mode():
        found = head_for_sampling(weight).logits(hidden)
    torch.testing.assert_close(found, hidden @ weight.T, rtol=1e-5, atol=1e-5)
