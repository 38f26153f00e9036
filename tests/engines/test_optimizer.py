import math

import pytest
import torch
from torch import nn

from longloom.engines.local_config import OptimizerConfig
from longloom.engines.optimizer import Optimizer
from longloom.errors import CheckpointError, EngineError

BF16 = torch.bfloat16


def weights(dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    return {
        name: nn.Parameter(torch.randn(*shape, generator=generator).to(dtype))
        for name, shape in {"a": (3, 2), "b": (4,)}.items()
    }


def backward(parameters, factor=1.0):
    loss = sum((parameter.float() ** 3).sum() for parameter in parameters.values())
    (loss * factor).backward()


def test_a_step_is_adamw_by_hand():
    weight = nn.Parameter(torch.tensor([1.0, -2.0]))
    config = OptimizerConfig(beta_first=0.9, beta_second=0.99, weight_decay=0.1)
    optimizer = Optimizer({"w": weight}, config)
    (weight * torch.tensor([0.3, -0.4])).sum().backward()
    assert optimizer.step(learning_rate=0.01, max_grad_norm=10.0) == pytest.approx(0.5)
    # In the first step both moments, corrected, give the sign of the gradient.
    decayed = [1.0 * (1 - 0.01 * 0.1), -2.0 * (1 - 0.01 * 0.1)]
    assert weight.tolist() == pytest.approx([decayed[0] - 0.01, decayed[1] + 0.01], abs=1e-6)
    assert weight.grad is None


def test_steps_with_clipping_are_torchs_own():
    config = OptimizerConfig(weight_decay=0.05)
    ours, theirs = weights(), weights()
    optimizer = Optimizer(ours, config)
    adamw = torch.optim.AdamW(theirs.values(), lr=1e-2, betas=(0.9, 0.95), weight_decay=0.05)
    for factor in (1.0, 0.01, 3.0):
        backward(ours, factor)
        backward(theirs, factor)
        expected = torch.nn.utils.clip_grad_norm_(theirs.values(), 0.5)
        adamw.step()
        adamw.zero_grad()
        found = optimizer.step(learning_rate=1e-2, max_grad_norm=0.5)
        assert found == pytest.approx(float(expected), rel=1e-6)
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], rtol=1e-6, atol=1e-6)


def test_bf16_weights_follow_fp32_masters():
    ours, master = weights(BF16), {name: w.float() for name, w in weights(BF16).items()}
    master = {name: nn.Parameter(weight.detach()) for name, weight in master.items()}
    optimizer = Optimizer(ours, OptimizerConfig())
    adamw = torch.optim.AdamW(master.values(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.0)
    for _ in range(3):
        backward(ours)
        for name, weight in ours.items():  # the gradient of the rounded weights, to the master
            master[name].grad = (3 * weight.detach().float() ** 2).to(BF16).float()
        adamw.step()
        optimizer.step(learning_rate=1e-3, max_grad_norm=math.inf)
    for name, weight in ours.items():
        assert weight.dtype == BF16
        torch.testing.assert_close(weight.float(), master[name].to(BF16).float())


def test_steps_below_the_resolution_of_bf16_come_together():
    weight = nn.Parameter(torch.ones(1, dtype=BF16))
    optimizer = Optimizer({"w": weight}, OptimizerConfig())
    seen = []
    for _ in range(10):
        weight.float().sum().backward()
        optimizer.step(learning_rate=1e-3, max_grad_norm=1.0)
        seen.append((float(weight.detach()), float(optimizer.tensors()["w.master"])))
    # bf16 has no number between 1 and 1 - 2**-8; their middle is 0.99805.
    assert seen[0] == (1.0, pytest.approx(0.999))
    assert [rounded for rounded, _ in seen[:3]] == [1.0, 1 - 2**-8, 1 - 2**-8]
    assert seen[-1][1] == pytest.approx(0.99, abs=1e-5)


def test_gradients_of_micro_batches_are_added_in_fp32():
    weight = nn.Parameter(torch.zeros(1, dtype=BF16))
    optimizer = Optimizer({"w": weight}, OptimizerConfig())
    for part in (1.0, *[2.0**-9] * 256):  # in bf16, 1 + 2**-9 is 1
        (weight.float() * part).sum().backward()
        assert weight.grad is None
    assert optimizer.step(learning_rate=1e-3, max_grad_norm=10.0) == pytest.approx(1.5)


@pytest.mark.parametrize("bad", [math.inf, math.nan])
@pytest.mark.parametrize("dtype", [torch.float32, BF16])
def test_a_gradient_that_is_not_finite_changes_nothing(dtype, bad):
    parameters = weights(dtype)
    optimizer = Optimizer(parameters, OptimizerConfig())
    backward(parameters)
    optimizer.step(learning_rate=1e-3, max_grad_norm=1.0)
    before = {name: tensor.clone() for name, tensor in optimizer.tensors().items()}
    values = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    backward(parameters, bad)
    with pytest.raises(EngineError, match="lower the learning rate"):
        optimizer.step(learning_rate=1e-3, max_grad_norm=1.0)
    after = optimizer.tensors()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert all(torch.equal(value, parameters[name]) for name, value in values.items())
    assert all(parameter.grad is None for parameter in parameters.values())


@pytest.mark.parametrize("dtype", [torch.float32, BF16])
@pytest.mark.parametrize("num_steps", [0, 2])
def test_a_restored_optimizer_steps_in_the_same_bits(dtype, num_steps):
    straight = weights(dtype)
    first = Optimizer(straight, OptimizerConfig())
    for _ in range(num_steps):
        backward(straight)
        first.step(learning_rate=1e-2, max_grad_norm=1.0)
    resumed = {name: nn.Parameter(weight.detach().clone()) for name, weight in straight.items()}
    second = Optimizer(resumed, OptimizerConfig())
    second.restore({name: tensor.clone() for name, tensor in first.tensors().items()})
    for parameters, optimizer in ((straight, first), (resumed, second)):
        backward(parameters)
        optimizer.step(learning_rate=1e-2, max_grad_norm=1.0)
    assert all(torch.equal(weight, resumed[name]) for name, weight in straight.items())
    kept = second.tensors()
    assert all(torch.equal(tensor, kept[name]) for name, tensor in first.tensors().items())


def test_weights_without_a_gradient_have_no_moments_and_can_be_restored():
    parameters = weights()
    optimizer = Optimizer(parameters, OptimizerConfig())
    parameters["a"].sum().backward()
    optimizer.step(learning_rate=1e-2, max_grad_norm=1.0)
    tensors = optimizer.tensors()
    assert {name.split(".")[0] for name in tensors} == {"a"}
    optimizer.restore(tensors)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("a.exp_avg"), r"a\.exp_avg is absent"),
        (lambda tensors: tensors.pop("b.master"), r"b\.master is absent"),
        (lambda tensors: tensors.update(c=torch.zeros(1)), "c is of shape"),
        (lambda tensors: tensors.update({"a.exp_avg": torch.zeros(2, 3)}), r"shape \[2, 3\]"),
    ],
)
def test_states_that_do_not_fit_are_refused_before_anything_changes(change, message):
    parameters = weights(BF16)
    optimizer = Optimizer(parameters, OptimizerConfig())
    backward(parameters)
    optimizer.step(learning_rate=1e-2, max_grad_norm=1.0)
    tensors = {name: torch.zeros_like(tensor) for name, tensor in optimizer.tensors().items()}
    before = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    change(tensors)
    with pytest.raises(CheckpointError, match=message):
        optimizer.restore(tensors)
    assert all(torch.equal(parameters[name], value) for name, value in before.items())


def test_one_copy_of_everything():
    plain = Optimizer(parameters := weights(), OptimizerConfig())
    backward(parameters)
    plain.step(learning_rate=1e-2, max_grad_norm=1.0)
    assert {name.split(".")[1] for name in plain.tensors()} == {"exp_avg", "exp_avg_sq", "step"}
