"""The local engine with low-rank adapters."""

import pytest
import torch
from safetensors.torch import load_file

from longloom.engines.local import ADAPTER_FOLDER, LocalEngine
from longloom.engines.local_config import LocalEngineConfig, LoraConfig
from longloom.engines.model_sizes import read_sizes
from longloom.engines.reference import without_adapters
from longloom.errors import CheckpointError
from longloom.models.loading import load_network
from longloom.models.local_policy import score_sequences
from longloom.training.loss_config import LossConfig
from random_sequences import sequences_of, update_of

LORA = LoraConfig(rank=4, alpha=8.0)


@pytest.fixture(autouse=True)
def _peft():
    pytest.importorskip("peft", reason="needs the extra `lora`")


def engine_of(folder, **settings):
    return LocalEngine(folder, config=LocalEngineConfig(lora=LORA, **settings))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_adapters_learn_and_the_saved_policy_has_what_they_learned(tiny_folder, tmp_path, dtype):
    engine = engine_of(tiny_folder, dtype=dtype)
    sequences = sequences_of()
    before = engine.score(sequences, temperature=0.8)
    for _ in range(3):
        engine.update(update_of(sequences, learning_rate=0.02), loss=LossConfig())
    after = engine.score(sequences, temperature=0.8)
    engine.save_policy(tmp_path / "policy")
    rows = LocalEngine(tmp_path / "policy").score(sequences, temperature=0.8)
    rounding = 1e-4 if dtype == "float32" else 0.3
    for ours, saved in zip(after, rows, strict=True):
        assert ours == pytest.approx(saved, abs=rounding)
    gain = sum(
        advantage * (new - old)
        for sequence, first, second in zip(sequences, before, after, strict=True)
        for advantage, old, new in zip(sequence.advantages, first, second, strict=True)
    )
    assert gain > 1
    adapters = load_file(tmp_path / "policy" / ADAPTER_FOLDER / "adapter_model.safetensors")
    sizes = read_sizes(tiny_folder)
    assert sum(each.numel() for each in adapters.values()) == sizes.num_adapter_weights(LORA)


def test_only_adapters_have_moments(tiny_folder, tmp_path):
    engine = engine_of(tiny_folder)
    engine.update(update_of(sequences_of()), loss=LossConfig())
    engine.save(tmp_path)
    names = {name.rpartition(".")[0] for name in load_file(tmp_path / "optimizer.safetensors")}
    assert names
    assert all(".lora_" in name for name in names)


def test_the_reference_is_the_network_without_adapters(tiny_folder):
    engine = engine_of(tiny_folder)
    loss = LossConfig(kl_coefficient=0.1)
    update = update_of(sequences_of(), learning_rate=0.02)
    first = engine.update(update, loss=loss)
    second = engine.update(update, loss=loss)
    plain = LocalEngine(tiny_folder)
    plain.update(update_of(sequences_of(), learning_rate=1e-12), loss=loss)
    assert first["training/kl_nats"] == 0.0
    scores = [
        torch.tensor(
            [value for row in each.score(sequences_of(), temperature=0.8) for value in row]
        )
        for each in (plain, engine)
    ]
    assert second["training/kl_nats"] > 1e-4
    third = engine.update(update, loss=loss)
    difference = (scores[0] - scores[1]).double()
    expected = float((difference.exp() - difference - 1).mean())  # k3
    assert third["training/kl_nats"] == pytest.approx(expected, rel=1e-3)


def test_adapters_are_on_again_after_the_reference(tiny_folder):
    network = load_network(tiny_folder)
    from longloom.models.lora import add_adapters

    add_adapters(network, rank=2, alpha=4.0, target_modules=["q_proj"])
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if ".lora_B." in name:
                weight.fill_(0.1)
        with_them, _ = score_sequences(network, sequences_of(), temperature=1.0)
        with without_adapters(network):
            without, _ = score_sequences(network, sequences_of(), temperature=1.0)
        again, _ = score_sequences(network, sequences_of(), temperature=1.0)
        plain, _ = score_sequences(load_network(tiny_folder), sequences_of(), temperature=1.0)
    assert torch.equal(with_them, again)
    assert torch.equal(without, plain)
    assert not torch.allclose(with_them, without, atol=1e-3)
    trained = [name for name, weight in network.named_parameters() if weight.requires_grad]
    assert trained
    assert all(".lora_" in name for name in trained)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_restored_adapters_continue_in_the_same_bits(tiny_folder, tmp_path, dtype):
    straight = engine_of(tiny_folder, dtype=dtype)
    straight.update(update_of(sequences_of()), loss=LossConfig())
    straight.save(tmp_path / "checkpoint")
    resumed = engine_of(tiny_folder, dtype=dtype)
    resumed.load(tmp_path / "checkpoint")
    for index, engine in enumerate((straight, resumed)):
        engine.update(update_of(sequences_of(1)), loss=LossConfig())
        engine.save(tmp_path / str(index))
    for name in ("model.safetensors", "optimizer.safetensors"):
        expected, found = (load_file(tmp_path / str(index) / name) for index in range(2))
        assert set(expected) == set(found)
        assert all(torch.equal(tensor, found[key]) for key, tensor in expected.items())


def test_a_checkpoint_without_adapters_is_refused(tiny_folder, tmp_path):
    LocalEngine(tiny_folder).save(tmp_path)
    with pytest.raises(CheckpointError, match="master is absent"):
        engine_of(tiny_folder).load(tmp_path)
