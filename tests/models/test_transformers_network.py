"""Models of transformers over packed tokens, beside their own plain forward pass row by row."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from longloom.errors import ModelError
from longloom.models.generate import generate
from longloom.models.loading import load_network
from longloom.models.local_policy import score_sequences
from longloom.models.transformers_network import TransformersNetwork, check_equals_own_logits
from longloom.records import SampleRequest, SamplingParams, TrainingSequence
from tiny_architectures import relative_error, slow_scores, write_architecture

ARCHITECTURES = ("granite", "llama", "mixtral", "qwen2", "qwen3_moe")


@pytest.fixture(scope="module", params=ARCHITECTURES)
def both(request, tmp_path_factory):
    """A model of transformers in fp32 and its folder."""
    folder = tmp_path_factory.mktemp("architectures") / request.param
    return write_architecture(folder, request.param), folder


@pytest.fixture
def sequences():
    """Three answers to one prompt, one to another, two to a prompt of one token."""
    generator = torch.Generator().manual_seed(2)

    def ids(count):
        return tuple(torch.randint(0, 256, (count,), generator=generator).tolist())

    rows = []
    for num_prompt, lengths in ((9, (4, 1, 6)), (13, (3,)), (1, (2, 5))):
        prompt = ids(num_prompt)
        rows += [
            TrainingSequence(
                prompt_ids=prompt,
                response_ids=ids(length),
                rollout_logprobs=(0.0,) * length,
                advantages=(1.0,) * length,
            )
            for length in lengths
        ]
    return rows


def gradients(network, sequences, temperature=0.8):
    logprobs, entropies = score_sequences(network, sequences, temperature=temperature)
    weights = torch.linspace(-1, 2, len(logprobs), dtype=logprobs.dtype)
    (logprobs * weights).sum().backward()
    found = {name: parameter.grad for name, parameter in network.named_parameters()}
    network.zero_grad(set_to_none=True)
    return logprobs.detach(), entropies, found


def test_shared_prompts_give_the_scores_and_gradients_of_unshared_rows(both, sequences):
    model, folder = both
    network = load_network(folder)
    assert isinstance(network, TransformersNetwork)
    logprobs, entropies, found = gradients(network, sequences)
    expected, expected_entropies = slow_scores(model, sequences, 0.8)
    weights = torch.linspace(-1, 2, len(expected)).double()
    model.zero_grad()
    (expected * weights).sum().backward()
    assert relative_error(logprobs, expected) < 1e-5
    assert relative_error(entropies, expected_entropies) < 1e-5
    assert list(found) == [name for name, _ in model.named_parameters()]
    for name, parameter in model.named_parameters():
        assert relative_error(found[name], parameter.grad) < 1e-5, name


def test_recomputed_layers_give_the_same_gradients(both, sequences):
    network = load_network(both[1])
    expected = gradients(network, sequences)
    calls = count_attention(network)
    network.recomputes_layers = True
    assert network.recomputes_layers
    found = gradients(network, sequences)
    assert calls[0] == 2 * network.sizes.num_layers  # forward, and again in the backward pass
    assert torch.equal(found[0], expected[0])
    for name in expected[2]:
        torch.testing.assert_close(found[2][name], expected[2][name], rtol=1e-5, atol=1e-7)
    network.recomputes_layers = False
    assert not network.recomputes_layers


def count_attention(network):
    """Count how often attention layers are computed from here on."""
    calls = [0]

    def count(module, arguments):
        calls[0] += 1

    for name, module in network.causal_lm.named_modules():
        if name.endswith("o_proj"):
            module.register_forward_pre_hook(count)
    return calls


def test_greedy_samples_equal_those_of_transformers(both):
    model, folder = both
    prompts = [(1, 2, 3, 4, 5), (60, 61), (9, 8, 7, 6, 5, 4, 3)]
    greedy = SamplingParams(temperature=0.0, top_p=1.0, max_new_tokens=8)
    requests = [SampleRequest(prompt_ids=prompt, params=greedy, key="k") for prompt in prompts]
    found = generate(load_network(folder), requests, end_ids=frozenset(), max_batch_tokens=1_000)
    for prompt, completion in zip(prompts, found, strict=True):
        expected = list(prompt)
        with torch.no_grad():
            for _ in range(8):
                expected.append(
                    int(model(input_ids=torch.tensor([expected])).logits[0, -1].argmax())
                )
        assert completion.token_ids == tuple(expected[len(prompt) :])


def test_sizes_are_those_of_the_configuration(both):
    network = load_network(both[1])
    sizes = network.sizes
    assert (sizes.num_layers, sizes.num_heads, sizes.num_key_heads) == (2, 4, 2)
    assert (sizes.head_dim, sizes.hidden_size, sizes.window_tokens) == (8, 32, 1_024)
    assert network.head_weight.shape == (272, 32)
    assert (network.dtype, network.device.type) == (torch.float32, "cpu")


def test_dropout_is_never_on(tmp_path, sequences):
    write_architecture(tmp_path / "model", "qwen2", attention_dropout=0.5)
    network = load_network(tmp_path / "model")
    network.train()
    first = gradients(network, sequences)[0]
    network.recomputes_layers = True
    assert torch.equal(gradients(network, sequences)[0], first)
    assert not network.causal_lm.get_decoder().layers[0].self_attn.training


def test_bfloat16_networks_score_near_fp32(both, sequences):
    model, folder = both
    network = load_network(folder, dtype=torch.bfloat16)
    assert network.dtype == torch.bfloat16
    with torch.no_grad():
        logprobs, _ = score_sequences(network, sequences, temperature=1.0)
        expected, _ = slow_scores(model, sequences, 1.0)
    assert float((logprobs - expected).abs().median()) < 0.3


class _LargestTensor(TorchDispatchMode):
    """Notes the largest tensor that any operation makes."""

    num_elements = 0

    def __torch_dispatch__(self, function, types, arguments=(), settings=None):
        output = function(*arguments, **(settings or {}))
        for made in output if isinstance(output, tuple | list) else (output,):
            if isinstance(made, torch.Tensor):
                self.num_elements = max(self.num_elements, made.numel())
        return output


@pytest.mark.parametrize("name", ["llama", "qwen2", "qwen3_moe"])
def test_nothing_of_the_size_of_tokens_squared_is_made(tmp_path, name):
    write_architecture(tmp_path / "model", name, max_position_embeddings=200_000)
    network = load_network(tmp_path / "model")
    num_tokens = 100_000
    tokens = torch.arange(num_tokens) % 256
    positions = torch.arange(num_tokens) % 60_000  # starts again, as a packed second row does

    def attend(layer, query, key, value):
        return query

    with torch.no_grad(), _LargestTensor() as largest:
        network.hidden(tokens, positions, attend)
    # At most the inner activations of a layer: two experts a token, gate and up of width 48.
    assert largest.num_elements <= num_tokens * 2 * 48


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("gemma2", {}, "Gemma2ForCausalLM has layers of sliding_attention"),
        ("gpt2", {}, "GPT2LMHeadModel has no rotary positions"),
        ("granite", {"logits_scaling": 4.0}, "logits_scaling 4.0 behind its output matrix"),
        ("mistral", {"sliding_window": 8}, "a sliding window of 8 tokens"),
        ("phi", {}, "output matrix with a bias"),
        (
            "qwen2",
            {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1},
            "layers of sliding_attention",
        ),
        ("qwen3", {"use_sliding_window": True, "sliding_window": 8}, "sliding_attention"),
        (
            "llama",
            {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}},
            "rotary scaling 'dynamic'",
        ),
    ],
)
def test_models_that_do_not_fit_are_refused_by_name(tmp_path, name, changes, message):
    if name == "qwen3" and "max_window_layers" not in changes:
        changes = {**changes, "max_window_layers": 0}
    write_architecture(tmp_path / "model", name, **changes)
    with pytest.raises(ModelError, match=message):
        load_network(tmp_path / "model")


def test_models_that_compute_something_else_are_found_by_their_logits(tmp_path):
    write_architecture(tmp_path / "model", "qwen2")
    network = load_network(tmp_path / "model")
    check_equals_own_logits(network)

    def double(module, arguments, output):
        return 2 * output

    network.causal_lm.lm_head.register_forward_hook(double)
    with pytest.raises(ModelError, match=r"differ from its own by .*; packed attention runs"):
        check_equals_own_logits(network)
