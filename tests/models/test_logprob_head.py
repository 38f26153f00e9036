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


def inputs(dtype=torch.float32, num_tokens=40, width=16, vocabulary=90):
    generator = torch.Generator().manual_seed(3)
    hidden = torch.randn(num_tokens, width, generator=generator).to(dtype)
    head = torch.randn(vocabulary, width, generator=generator).to(dtype)
    targets = torch.randint(0, vocabulary, (num_tokens,), generator=generator)
    return hidden.requires_grad_(), head.requires_grad_(), targets


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_scored_in_fp32_and_rounds_its_gradients_alone(dtype):
    hidden, head, targets = inputs(dtype)
    logprobs, entropies = logprobs_and_entropies(
        hidden, head, targets, temperature=0.8, tile=(7, 20)
    )
    assert logprobs.dtype == entropies.dtype == torch.float32
    exact = [each.detach().double().requires_grad_() for each in (hidden, head)]
    table = (exact[0] @ exact[1].T / 0.8).log_softmax(dim=-1)
    expected = table.gather(-1, targets[:, None])[:, 0]
    torch.testing.assert_close(logprobs.double(), expected, rtol=1e-5, atol=1e-5)
    wanted = -(table.exp() * table).sum(dim=-1)
    torch.testing.assert_close(entropies.double(), wanted, rtol=1e-4, atol=1e-5)
    logprobs.sum().backward()
    expected.sum().backward()
    for found, double in zip((hidden, head), exact, strict=True):
        assert found.grad.dtype == dtype
        error = (found.grad.double() - double.grad).norm() / double.grad.norm()
        assert float(error) < 2 * torch.finfo(dtype).eps


@pytest.mark.parametrize("frozen", [0, 1])
def test_a_frozen_input_gets_no_gradient_and_the_other_the_same(frozen):
    hidden, head, targets = inputs()
    logprobs_and_entropies(hidden, head, targets, temperature=1.0)[0].sum().backward()
    both = (hidden, head)
    expected = both[1 - frozen].grad.clone()
    hidden.grad = head.grad = None
    both[frozen].requires_grad_(False)
    logprobs_and_entropies(hidden, head, targets, temperature=1.0)[0].sum().backward()
    assert both[frozen].grad is None
    assert torch.equal(both[1 - frozen].grad, expected)


def test_nothing_of_the_size_of_the_logits_is_kept_or_formed():
    hidden, head, targets = inputs(num_tokens=64, vocabulary=500)
    largest = 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            output = function(*args, **(kwargs or {}))
            if isinstance(output, torch.Tensor):
                largest = max(largest, output.untyped_storage().nbytes() // 4)
            return output

    with Watch():
        logprobs, _ = logprobs_and_entropies(hidden, head, targets, temperature=1.0, tile=(8, 50))
        logprobs.sum().backward()
    assert largest == max(hidden.numel(), head.numel())
    assert largest < 64 * 500 / 3


def test_a_head_without_tokens_gives_none_and_no_gradient():
    hidden, head, targets = inputs(num_tokens=0)
    logprobs, entropies = logprobs_and_entropies(hidden, head, targets, temperature=1.0)
    assert logprobs.shape == entropies.shape == (0,)
    logprobs.sum().backward()
    assert not head.grad.any()


def test_the_product_of_the_cuda_path_is_one_torch_knows():
    """Half-precision operands, sums and result in fp32; shapes and types alone."""
    left = torch.empty(3, 4, dtype=torch.bfloat16, device="meta")
    assert torch.mm(left, left.T, out_dtype=torch.float32).dtype == torch.float32


@pytest.mark.gpu
def test_half_precision_on_cuda_is_scored_as_on_cpu():
    hidden, head, targets = inputs(torch.bfloat16)
    expected, _ = logprobs_and_entropies(hidden, head, targets, temperature=1.0)
    expected.sum().backward()
    on_device = [each.detach().cuda().requires_grad_() for each in (hidden, head)]
    found, _ = logprobs_and_entropies(*on_device, targets.cuda(), temperature=1.0)
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-4, atol=1e-4)
    found.sum().backward()
    for mine, wanted in zip(on_device, (hidden, head), strict=True):
        error = (mine.grad.cpu() - wanted.grad).float().norm() / wanted.grad.float().norm()
        assert float(error) < 2e-2
