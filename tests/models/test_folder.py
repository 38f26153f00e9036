import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from longloom.errors import ModelError
from longloom.models.folder import load_model, read_shape, save_model


@pytest.fixture
def copy(tiny_folder, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(tiny_folder, folder)
    return folder


def set_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **changes}), "utf-8")


def test_saved_folder_holds_the_same_model_and_tokenizer(any_folder, tmp_path):
    model = load_model(any_folder)
    save_model(model, tmp_path / "saved", like=any_folder)
    again = load_model(tmp_path / "saved")
    assert again.shape == model.shape
    assert all(
        torch.equal(a, b) for a, b in zip(again.parameters(), model.parameters(), strict=True)
    )
    assert (tmp_path / "saved" / "tokenizer.json").exists()
    assert not list((tmp_path / "saved").glob(".*"))


def test_sharded_weights_are_read_together(copy):
    weights = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    names = sorted(weights)
    for index, part in enumerate((names[:5], names[5:])):
        save_file({name: weights[name] for name in part}, copy / f"model-{index:05d}.safetensors")
    found = load_model(copy).state_dict()
    assert all(torch.equal(found[name], weights[name]) for name in names)


def test_half_precision_weights_are_read_as_fp32(copy):
    weights = load_file(copy / "model.safetensors")
    halves = {name: tensor.to(torch.bfloat16) for name, tensor in weights.items()}
    save_file(halves, copy / "model.safetensors")
    assert {parameter.dtype for parameter in load_model(copy).parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "llama"}, "'llama'"),
        ({"use_sliding_window": True}, "sliding windows"),
        ({"attention_bias": True}, "attention bias"),
        ({"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}}, "scaling 'dynamic'"),
        ({"rope_parameters": {"rope_type": "linear"}}, "'linear' lacks a factor"),
        ({"rope_parameters": {"rope_type": "yarn", "factor": "4"}}, "factor .* is '4'"),
        (
            {"rope_parameters": {"full_attention": {"rope_type": "default"}}},
            "one set for all",
        ),
        ({"hidden_size": "many"}, "hidden_size is 'many'; expected a positive whole number"),
        ({"hidden_size": -1}, "hidden_size is -1; expected a positive whole number"),
        ({"num_hidden_layers": 2.5}, r"num_hidden_layers is 2\.5; expected a positive whole"),
        ({"vocab_size": True}, "vocab_size is True; expected a positive whole number"),
        ({"rope_theta": 0}, "rope_theta is 0; expected a positive number"),
        ({"rms_norm_eps": float("nan")}, "rms_norm_eps is nan; expected a positive number"),
        ({"tie_word_embeddings": 1}, "tie_word_embeddings is 1; expected true or false"),
        ({"num_key_value_heads": 3}, "expected a multiple of num_key_value_heads, which is 3"),
        ({"head_dim": 15}, "head_dim is 15; expected an even number"),
    ],
)
def test_unsupported_configurations_are_named(copy, changes, message):
    set_config(copy, **changes)
    with pytest.raises(ModelError, match=message):
        read_shape(copy)


@pytest.mark.parametrize("content", ["", "[]", "{}", "not json"])
def test_damaged_config_is_a_model_error(copy, content):
    (copy / "config.json").write_text(content, "utf-8")
    with pytest.raises(ModelError, match=r"config\.json"):
        read_shape(copy)


def test_weights_that_do_not_fit_the_config_are_named(copy):
    set_config(copy, intermediate_size=65)
    with pytest.raises(ModelError, match=r"mlp\.\w+.*config\.json says"):
        load_model(copy)


def test_missing_and_unknown_tensors_are_named(copy):
    weights = load_file(copy / "model.safetensors")
    norm = weights.pop("model.norm.weight")
    save_file(weights, copy / "model.safetensors")
    with pytest.raises(ModelError, match=r"lack tensor model\.norm\.weight"):
        load_model(copy)
    save_file(
        {**weights, "model.norm.weight": norm, "extra": norm.clone()}, copy / "model.safetensors"
    )
    with pytest.raises(ModelError, match="unknown tensors: extra"):
        load_model(copy)


def test_cut_or_missing_weights_are_a_model_error(copy):
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1_000])
    with pytest.raises(ModelError, match="damaged"):
        load_model(copy)
    path.unlink()
    with pytest.raises(ModelError, match="expected a Hugging Face model folder"):
        load_model(copy)
