import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from longloom.models.logprob_head import logprobs_and_entropies


@given(
    num_tokens=st.integers(1, 9),
    tile=st.tuples(st.integers(1, 12), st.integers(1, 9)),
    temperature=st.floats(0.3, 2.0),
    seed=st.integers(0, 1_000),
)
def test_any_chunk_gives_plain_log_softmax_and_its_gradients(num_tokens, tile, temperature, seed):
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(num_tokens, 4, generator=generator, dtype=torch.float64)
    head = torch.randn(7, 4, generator=generator, dtype=torch.float64) * 3
    targets = torch.randint(0, 7, (num_tokens,), generator=generator)
    weights = torch.randn(num_tokens, generator=generator, dtype=torch.float64)
    ours = [tensor.clone().requires_grad_() for tensor in (hidden, head)]
    plain = [tensor.clone().requires_grad_() for tensor in (hidden, head)]
    logprobs, entropies = logprobs_and_entropies(*ours, targets, temperature=temperature, tile=tile)
    table = (plain[0] @ plain[1].T / temperature).log_softmax(dim=-1)
    expected = table.gather(-1, targets[:, None])[:, 0]
    torch.testing.assert_close(logprobs, expected)
    torch.testing.assert_close(entropies, -(table.exp() * table).sum(dim=-1))
    (logprobs * weights).sum().backward()
    (expected * weights).sum().backward()
    for found, wanted in zip(ours, plain, strict=True):
        torch.testing.assert_close(found.grad, wanted.grad)


def test_logits_of_any_height_give_finite_figures():
    hidden = torch.tensor([[1e4], [-1e4]])
    head = torch.tensor([[1.0], [-1.0]])
    logprobs, entropies = logprobs_and_entropies(
        hidden, head, torch.tensor([0, 0]), temperature=1.0
    )
    assert logprobs.tolist() == pytest.approx([0.0, -20_000.0])
    assert entropies.tolist() == [0.0, 0.0]
