"""Low-rank adapters of our own network and of transformers' models."""

import json
import sys

import pytest
import torch
from safetensors.torch import load_file

from longloom.errors import MissingDependencyError, ModelError
from longloom.models.loading import load_network, save_network
from longloom.models.local_policy import score_sequences
from longloom.models.lora import (
    add_adapters,
    has_adapters,
    merged_state_dict,
    save_adapters,
)
from longloom.records import TrainingSequence
from tiny_architectures import relative_error, write_architecture

TARGETS = ("q_proj", "v_proj", "up_proj")


@pytest.fixture(params=["qwen2", "qwen3"])
def folder(request, tmp_path):
    pytest.importorskip("peft", reason="needs the extra `lora`")
    write_architecture(tmp_path / "model", request.param)
    return tmp_path / "model"


@pytest.fixture
def sequences():
    rows = []
    for length in (3, 5):
        rows.append(
            TrainingSequence(
                prompt_ids=(1, 2, 3, 4, 5, 6),
                response_ids=tuple(range(20, 20 + length)),
                rollout_logprobs=(0.0,) * length,
                advantages=(1.0,) * length,
            )
        )
    return rows


def adapted(folder, *, rank=3, alpha=6.0, targets=TARGETS, trained=True):
    """A network with adapters; trained ones have values as after some steps."""
    network = load_network(folder)
    add_adapters(network, rank=rank, alpha=alpha, target_modules=targets)
    if trained:
        generator = torch.Generator().manual_seed(5)
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if ".lora_B." in name:
                    parameter.normal_(0, 0.1, generator=generator)
    return network


def scores(network, sequences):
    with torch.no_grad():
        return score_sequences(network, sequences, temperature=1.0)[0]


def test_new_adapters_change_nothing_and_alone_are_trained(folder, sequences):
    plain = load_network(folder)
    network = adapted(folder, trained=False)
    assert not has_adapters(plain)
    assert has_adapters(network)
    torch.testing.assert_close(scores(network, sequences), scores(plain, sequences))
    score_sequences(network, sequences, temperature=1.0)[0].sum().backward()
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    # Two layers with three targets each, and A and B for each of them.
    assert len(trained) == 2 * 3 * 2
    for name, parameter in network.named_parameters():
        assert (parameter.grad is not None) == (name in trained), name


def test_first_values_come_from_the_seed_alone(folder):
    before = torch.random.get_rng_state()
    first = dict(adapted(folder, trained=False).named_parameters())
    torch.manual_seed(99)
    second = dict(adapted(folder, trained=False).named_parameters())
    assert all(torch.equal(first[name], second[name]) for name in first)
    torch.random.set_rng_state(before)


def test_merged_weights_are_those_of_the_formula(folder):
    network = adapted(folder)
    merged = merged_state_dict(network)
    parameters = dict(network.named_parameters())
    name = "model.layers.1.self_attn.q_proj"
    expected = parameters[f"{name}.base_layer.weight"] + (6.0 / 3) * (
        parameters[f"{name}.lora_B.default.weight"] @ parameters[f"{name}.lora_A.default.weight"]
    )
    torch.testing.assert_close(merged[f"{name}.weight"], expected.detach())
    assert set(merged) - {"lm_head.weight"} == set(load_network(folder).state_dict()) - {
        "lm_head.weight"
    }


def test_a_saved_policy_is_a_whole_model(folder, sequences, tmp_path):
    from transformers import AutoModelForCausalLM

    network = adapted(folder)
    weights = {name: tensor.clone() for name, tensor in network.named_parameters()}
    save_network(network, tmp_path / "saved", like=folder)
    assert load_file(tmp_path / "saved" / "model.safetensors").keys() == (
        load_file(folder / "model.safetensors").keys()
    )
    again = load_network(tmp_path / "saved")
    assert relative_error(scores(again, sequences), scores(network, sequences)) < 1e-5
    _, report = AutoModelForCausalLM.from_pretrained(tmp_path / "saved", output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    for name, tensor in network.named_parameters():
        assert torch.equal(tensor, weights[name]), f"{name} changed when it was saved"


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # peft's own
def test_saved_adapters_are_read_by_peft(folder, tmp_path):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    network = adapted(folder)
    save_adapters(network, tmp_path / "adapter", base=folder)
    save_network(network, tmp_path / "merged", like=folder)
    settings = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text("utf-8"))
    assert settings["base_model_name_or_path"] == str(folder)
    theirs = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(folder), tmp_path / "adapter"
    ).eval()
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged").eval()
    ids = torch.tensor([[1, 2, 3, 4, 5, 200]])
    with torch.no_grad():
        found, expected = theirs(input_ids=ids).logits, merged(input_ids=ids).logits
    assert relative_error(found, expected) < 1e-5


def test_layers_that_are_not_there_are_named(folder):
    network = load_network(folder)
    with pytest.raises(ModelError, match="no linear layer is named wq, wk; expected some of"):
        add_adapters(network, rank=2, alpha=2.0, target_modules=("wq", "wk"))


def test_adapters_are_given_once(folder):
    network = adapted(folder)
    with pytest.raises(ModelError, match="adapters already"):
        add_adapters(network, rank=2, alpha=2.0, target_modules=TARGETS)


def test_fused_experts_get_none_and_a_warning(tmp_path, sequences, caplog):
    pytest.importorskip("peft", reason="needs the extra `lora`")
    write_architecture(tmp_path / "model", "qwen3_moe")
    network = adapted(tmp_path / "model")
    assert "no linear layer is named up_proj" in caplog.text
    save_network(network, tmp_path / "saved", like=tmp_path / "model")
    again = load_network(tmp_path / "saved")
    assert relative_error(scores(again, sequences), scores(network, sequences)) < 1e-5


def test_adapters_train_with_recomputed_layers(folder, sequences):
    network = adapted(folder)
    expected = gradients(network, sequences)
    network.recomputes_layers = True
    found = gradients(network, sequences)
    assert expected.keys() == found.keys()
    for name in expected:
        torch.testing.assert_close(found[name], expected[name])


def gradients(network, sequences):
    score_sequences(network, sequences, temperature=1.0)[0].sum().backward()
    found = {
        name: parameter.grad
        for name, parameter in network.named_parameters()
        if parameter.grad is not None
    }
    network.zero_grad(set_to_none=True)
    return found


def test_a_missing_extra_names_the_command(tmp_path, monkeypatch):
    write_architecture(tmp_path / "model", "qwen3")
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'longloom\[lora\]'"):
        add_adapters(load_network(tmp_path / "model"), rank=1, alpha=1.0, target_modules=TARGETS)
