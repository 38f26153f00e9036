import pytest
import torch

from longloom.engines.offload import offloaded_activations
from longloom.models.loading import load_network
from longloom.models.local_policy import score_sequences
from longloom.records import TrainingSequence

SEQUENCES = [
    TrainingSequence(
        prompt_ids=tuple(range(1, 30)),
        response_ids=(5, 6, 7, answer),
        rollout_logprobs=(),
        advantages=(1.0,) * 4,
    )
    for answer in (1, 2, 3)
]


def gradients(network, *, small_bytes=None):
    network.zero_grad()
    if small_bytes is None:
        logprobs, _ = score_sequences(network, SEQUENCES, temperature=1.0)
    else:
        with offloaded_activations(network.parameters(), small_bytes=small_bytes):
            logprobs, _ = score_sequences(network, SEQUENCES, temperature=1.0)
    logprobs.sum().backward()
    return {name: weight.grad.clone() for name, weight in network.named_parameters()}


@pytest.mark.parametrize("recomputes_layers", [False, True])
@pytest.mark.parametrize("small_bytes", [0, 2_000, 1 << 30])
def test_gradients_are_the_same_to_the_bit(tiny_folder, recomputes_layers, small_bytes):
    network = load_network(tiny_folder)
    network.recomputes_layers = recomputes_layers
    expected = gradients(network)
    found = gradients(network, small_bytes=small_bytes)
    assert all(torch.equal(found[name], gradient) for name, gradient in expected.items())


def kept_places(saved, weights, small_bytes):
    """Return where autograd has what it saved of `saved` x `weights`."""
    with offloaded_activations([weights], small_bytes=small_bytes):
        product = saved @ weights
    node = product.grad_fn
    return node._saved_self.data_ptr(), node._saved_mat2.data_ptr()


def test_activations_move_and_weights_stay():
    activations = torch.ones(4, 4, requires_grad=True)
    weights = torch.ones(4, 4, requires_grad=True)
    left, right = kept_places(activations, weights, small_bytes=64)
    assert left != activations.data_ptr()
    assert right == weights.data_ptr()


def test_small_tensors_stay():
    activations = torch.ones(4, 4, requires_grad=True)
    left, _ = kept_places(activations, torch.ones(4, 4, requires_grad=True), small_bytes=65)
    assert left == activations.data_ptr()
