"""Folders of every architecture, written by us and read by transformers and by us."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from longloom.errors import ModelError
from longloom.models.loading import load_network, save_network
from longloom.models.qwen3 import Qwen3
from longloom.models.transformers_network import TransformersNetwork
from longloom.models.yarn_config import YarnConfig
from tiny_architectures import write_architecture

TOKENS = torch.tensor([[5, 6, 7, 8, 9, 200, 201]])


def tensors(folder):
    found = {}
    for path in folder.glob("*.safetensors"):
        found.update(load_file(path))
    return found


def logits(folder):
    from transformers import AutoModelForCausalLM

    model, report = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    with torch.no_grad():
        return model.eval()(input_ids=TOKENS).logits


@pytest.mark.parametrize("name", ["llama", "mixtral", "qwen2", "qwen3", "qwen3_moe"])
def test_saved_folders_hold_the_tensors_of_the_original(tmp_path, name):
    write_architecture(tmp_path / "model", name)
    network = load_network(tmp_path / "model")
    assert isinstance(network, Qwen3 if name == "qwen3" else TransformersNetwork)
    save_network(network, tmp_path / "saved", like=tmp_path / "model")
    expected, found = tensors(tmp_path / "model"), tensors(tmp_path / "saved")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert torch.equal(logits(tmp_path / "saved"), logits(tmp_path / "model"))
    assert (tmp_path / "saved" / "tokenizer.json").exists()
    assert not list((tmp_path / "saved").glob(".*"))


@pytest.mark.parametrize("name", ["qwen3", "qwen3_moe"])
def test_large_models_are_written_in_shards_with_an_index(tmp_path, name):
    write_architecture(tmp_path / "model", name)
    network = load_network(tmp_path / "model")
    saved = tmp_path / "saved"
    save_network(network, saved, like=tmp_path / "model", shard_bytes=20_000)
    shards = sorted(path.name for path in saved.glob("*.safetensors"))
    assert len(shards) > 2
    assert shards[0] == f"model-00001-of-{len(shards):05d}.safetensors"
    assert torch.equal(logits(saved), logits(tmp_path / "model"))
    again = load_network(saved)
    for (_, found), (_, expected) in zip(
        again.named_parameters(), network.named_parameters(), strict=True
    ):
        assert torch.equal(found, expected)
    # The next version in one file replaces all shards.
    save_network(again, saved, like=saved)
    assert [path.name for path in saved.glob("model*")] == ["model.safetensors"]


def test_a_set_of_shards_without_its_index_is_incomplete(tmp_path):
    write_architecture(tmp_path / "model", "qwen3")
    network = load_network(tmp_path / "model")
    save_network(network, tmp_path / "saved", like=tmp_path / "model", shard_bytes=20_000)
    (tmp_path / "saved" / "model.safetensors.index.json").unlink()
    with pytest.raises(ModelError, match=r"incomplete: model\.safetensors\.index\.json is missing"):
        load_network(tmp_path / "saved")


@pytest.mark.parametrize("name", ["qwen2", "qwen3"])
def test_yarn_is_applied_and_saved(tmp_path, name):
    write_architecture(tmp_path / "model", name, max_position_embeddings=512)
    network = load_network(tmp_path / "model", yarn=YarnConfig(original_window_tokens=512))
    assert network.sizes.window_tokens == 2_048
    save_network(network, tmp_path / "saved", like=tmp_path / "model")
    settings = json.loads((tmp_path / "saved" / "config.json").read_text("utf-8"))
    assert settings["max_position_embeddings"] == 2_048
    assert settings["rope_parameters"] == {
        "rope_type": "yarn",
        "rope_theta": 10_000.0,
        "factor": 4.0,
        "original_max_position_embeddings": 512,
    }
    again = load_network(tmp_path / "saved")
    assert again.sizes.window_tokens == 2_048
    assert not torch.equal(logits(tmp_path / "saved"), logits(tmp_path / "model"))
    with pytest.raises(ModelError, match="'yarn' by factor 4 already"):
        load_network(tmp_path / "saved", yarn=YarnConfig(original_window_tokens=512))


@pytest.mark.parametrize("name", ["qwen2", "qwen3"])
def test_saved_settings_name_the_type_of_the_weights(tmp_path, name):
    write_architecture(tmp_path / "model", name)
    network = load_network(tmp_path / "model", dtype=torch.bfloat16)
    save_network(network, tmp_path / "saved", like=tmp_path / "model")
    settings = json.loads((tmp_path / "saved" / "config.json").read_text("utf-8"))
    assert settings["dtype"] == "bfloat16"
    assert {tensor.dtype for tensor in tensors(tmp_path / "saved").values()} == {torch.bfloat16}


def test_loading_changes_nothing_of_the_folder(tmp_path):
    write_architecture(tmp_path / "model", "qwen3")
    before = (tmp_path / "model" / "model.safetensors").read_bytes()
    network = load_network(tmp_path / "model")
    with torch.no_grad():
        for _, parameter in network.named_parameters():
            parameter.zero_()
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == before


def test_missing_tensors_are_named(tmp_path):
    write_architecture(tmp_path / "model", "qwen2")
    path = tmp_path / "model" / "model.safetensors"
    weights = load_file(path)
    del weights["model.norm.weight"]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lack tensor model\.norm\.weight"):
        load_network(tmp_path / "model")


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_damaged_weights_are_a_model_error(tmp_path, damage):
    write_architecture(tmp_path / "model", "qwen2")
    path = tmp_path / "model" / "model.safetensors"
    content = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[:1_000])
    with pytest.raises(ModelError, match="transformers cannot load"):
        load_network(tmp_path / "model")


def test_unknown_architectures_are_a_model_error(tmp_path):
    write_architecture(tmp_path / "model", "qwen2")
    path = tmp_path / "model" / "config.json"
    settings = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**settings, "model_type": "abacus"}), "utf-8")
    with pytest.raises(ModelError, match="abacus"):
        load_network(tmp_path / "model")


def test_code_within_a_folder_is_not_run(tmp_path):
    folder = tmp_path / "model"
    write_architecture(folder, "qwen2")
    path = folder / "config.json"
    settings = json.loads(path.read_text("utf-8"))
    settings |= {
        "model_type": "abacus",
        "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"},
    }
    path.write_text(json.dumps(settings), "utf-8")
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", "utf-8")
    with pytest.raises(ModelError, match="transformers cannot load"):
        load_network(folder)
    assert not (tmp_path / "ran").exists()


def test_a_write_that_fails_says_why(tmp_path):
    write_architecture(tmp_path / "model", "qwen3")
    network = load_network(tmp_path / "model")
    (tmp_path / "taken").write_text("a file", "utf-8")
    with pytest.raises(ModelError, match=r"cannot write .*taken.*take another path"):
        save_network(network, tmp_path / "taken", like=tmp_path / "model")


def test_a_full_disk_leaves_the_weights_as_they_were(tmp_path, monkeypatch):
    write_architecture(tmp_path / "model", "qwen3")
    network = load_network(tmp_path / "model")
    saved = tmp_path / "saved"
    save_network(network, saved, like=tmp_path / "model")
    before = (saved / "model.safetensors").read_bytes()

    def full(*arguments, **settings):
        from safetensors import SafetensorError

        raise SafetensorError("Error while serializing: I/O error: No space (os error 28)")

    monkeypatch.setattr("longloom.models.weight_files.save_file", full)
    with pytest.raises(ModelError, match="No space left on device; free space on its disk"):
        save_network(network, saved, like=tmp_path / "model")
    assert (saved / "model.safetensors").read_bytes() == before
    assert not list(saved.glob(".*"))


def test_a_killed_write_is_repaired_by_the_next(tmp_path):
    write_architecture(tmp_path / "model", "qwen3")
    network = load_network(tmp_path / "model")
    shutil.copytree(tmp_path / "model", tmp_path / "model" / ".weights.partial")
    save_network(network, tmp_path / "model", like=tmp_path / "model")
    assert not (tmp_path / "model" / ".weights.partial").exists()
    assert load_network(tmp_path / "model").sizes == network.sizes
