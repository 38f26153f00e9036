import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils._python_dispatch import TorchDispatchMode

from longloom.engines import local
from longloom.engines.local import LocalEngine
from longloom.engines.local_config import LocalEngineConfig
from longloom.engines.optimizer_file import OPTIMIZER_FILE, read_optimizer, write_optimizer
from longloom.errors import CheckpointError
from longloom.training.loss_config import LossConfig
from random_sequences import sequences_of, update_of
from tiny_architectures import write_architecture
from tiny_models import TinyShape, write_model

FILES = ("model.safetensors", OPTIMIZER_FILE)


def saved_bytes(engine, folder):
    engine.save(folder)
    return [(folder / name).read_bytes() for name in FILES]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("num_updates", [0, 2])
def test_a_restored_engine_continues_in_the_same_bits(tiny_folder, tmp_path, dtype, num_updates):
    config = LocalEngineConfig(dtype=dtype)
    straight = LocalEngine(tiny_folder, config=config)
    for seed in range(num_updates):
        straight.update(update_of(sequences_of(seed)), loss=LossConfig())
    expected = saved_bytes(straight, tmp_path / "checkpoint")
    resumed = LocalEngine(tiny_folder, config=config)
    resumed.update(update_of(sequences_of(9)), loss=LossConfig())  # forgotten by loading
    resumed.load(tmp_path / "checkpoint")
    assert saved_bytes(resumed, tmp_path / "again") == expected
    for engine in (straight, resumed):
        engine.update(update_of(sequences_of(5)), loss=LossConfig())
    first, second = (
        saved_bytes(engine, tmp_path / str(i)) for i, engine in enumerate((straight, resumed))
    )
    assert first == second != expected


def test_networks_of_transformers_are_restored_in_the_same_bits(tmp_path):
    write_architecture(tmp_path / "model", "llama")
    straight, resumed = (LocalEngine(tmp_path / "model") for _ in range(2))
    straight.update(update_of(sequences_of()), loss=LossConfig())
    straight.save(tmp_path / "checkpoint")
    resumed.load(tmp_path / "checkpoint")
    first, second = (
        saved_bytes(engine, tmp_path / str(i)) for i, engine in enumerate((straight, resumed))
    )
    assert first == second


def test_the_reference_stays_where_training_began(tiny_folder, tmp_path):
    loss = LossConfig(kl_coefficient=0.1)
    engine = LocalEngine(tiny_folder)
    engine.update(update_of(sequences_of()), loss=loss)
    engine.save(tmp_path)
    resumed = LocalEngine(tiny_folder)
    resumed.load(tmp_path)
    found = [each.update(update_of(sequences_of(2)), loss=loss) for each in (engine, resumed)]
    assert found[0] == found[1]
    assert found[0]["training/kl_nats"] > 1e-6


@pytest.mark.parametrize("name", ["config.json", *FILES])
@pytest.mark.parametrize("change", ["cut", "missing", "empty"])
def test_damaged_checkpoints_are_checkpoint_errors_and_change_nothing(
    tiny_folder, tmp_path, name, change
):
    engine = LocalEngine(tiny_folder)
    engine.update(update_of(sequences_of()), loss=LossConfig())
    engine.save(tmp_path / "checkpoint")
    engine.update(update_of(sequences_of()), loss=LossConfig())
    expected = saved_bytes(engine, tmp_path / "kept")
    path = tmp_path / "checkpoint" / name
    content = path.read_bytes()
    path.unlink()
    if change != "missing":
        path.write_bytes(content[: len(content) // 2] if change == "cut" else b"")
    with pytest.raises(CheckpointError, match=r"checkpoint .* delete it to go back"):
        engine.load(tmp_path / "checkpoint")
    assert saved_bytes(engine, tmp_path / "after") == expected


def test_a_checkpoint_of_another_model_is_refused(tiny_folder, tmp_path):
    write_model(tmp_path / "other", TinyShape(num_layers=1))
    LocalEngine(tmp_path / "other").save(tmp_path / "checkpoint")
    with pytest.raises(CheckpointError, match="another network"):
        LocalEngine(tiny_folder).load(tmp_path / "checkpoint")


@pytest.mark.parametrize("model", ["qwen3", "llama"])
@pytest.mark.parametrize("change", ["rope_theta", "factor"])
def test_a_checkpoint_with_other_rotary_positions_is_refused(tmp_path, model, change):
    yarn = {"rope_type": "yarn", "rope_theta": 10_000.0, "factor": 4.0}
    yarn |= {"original_max_position_embeddings": 256}
    write_architecture(tmp_path / "model", model, rope_parameters=yarn)
    engine = LocalEngine(tmp_path / "model")
    engine.save(tmp_path / "checkpoint")
    path = tmp_path / "checkpoint" / "config.json"
    settings = json.loads(path.read_text("utf-8"))
    for place in (settings, settings["rope_parameters"], settings.get("rope_scaling", {})):
        if change in place:
            place[change] *= 2
    path.write_text(json.dumps(settings), "utf-8")
    with pytest.raises(CheckpointError, match="describes another network"):
        engine.load(tmp_path / "checkpoint")


class CopiedBytes(TorchDispatchMode):
    """Counts the bytes of tensors made in memory; those of a mapped file are not."""

    MAKERS = ("_to_copy", "clone", "empty", "empty_like", "zeros")

    def __init__(self):
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        found = operation(*args, **(kwargs or {}))
        name = operation.overloadpacket.__name__
        if name in self.MAKERS and found.device.type != "meta":
            self.total += found.nbytes
        return found


def test_no_second_network_is_held_while_weights_are_restored(tiny_folder, tmp_path):
    engine = LocalEngine(tiny_folder)
    engine.save(tmp_path)
    places = {name: weight.data_ptr() for name, weight in engine._trained.items()}
    with CopiedBytes() as copied:
        engine.load(tmp_path)
    assert {name: weight.data_ptr() for name, weight in engine._trained.items()} == places
    assert copied.total < max(weight.nbytes for weight in engine._trained.values())


def test_damage_while_weights_are_read_says_that_the_engine_cannot_be_used(
    tiny_folder, tmp_path, monkeypatch
):
    engine = LocalEngine(tiny_folder)
    engine.save(tmp_path)

    def cut_weights(folder):
        (folder / "model.safetensors").write_bytes(b"cut")
        return read_optimizer(folder)

    monkeypatch.setattr(local, "read_optimizer", cut_weights)
    with pytest.raises(CheckpointError, match=r"damaged while it was read .* cannot be used"):
        engine.load(tmp_path)


def test_a_checkpoint_of_another_type_is_refused(tiny_folder, tmp_path):
    LocalEngine(tiny_folder, config=LocalEngineConfig(dtype="bfloat16")).save(tmp_path)
    with pytest.raises(CheckpointError, match=r"master is of shape .* expected absent"):
        LocalEngine(tiny_folder).load(tmp_path)


@pytest.mark.parametrize(
    "metadata", [None, {"schema": "other 1"}, {"schema": "longloom.optimizer 2"}]
)
def test_files_of_another_schema_are_refused(tmp_path, metadata):
    save_file({"a": torch.zeros(1)}, tmp_path / OPTIMIZER_FILE, metadata)
    with pytest.raises(CheckpointError, match="schema and version"):
        read_optimizer(tmp_path)


def test_the_file_says_its_schema_and_version(tmp_path):
    write_optimizer(tmp_path, {"a.step": torch.ones(())})
    content = (tmp_path / OPTIMIZER_FILE).read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert header["__metadata__"] == {"schema": "longloom.optimizer 1"}


def test_a_failed_write_says_the_systems_reason(tiny_folder, tmp_path):
    (tmp_path / "file").write_text("in the way", "utf-8")
    with pytest.raises(CheckpointError, match="something else has that name"):
        write_optimizer(tmp_path / "file", {"a": torch.zeros(1)})
    (tmp_path / OPTIMIZER_FILE).mkdir()
    with pytest.raises(CheckpointError, match=r"Is a directory; take another path"):
        write_optimizer(tmp_path, {"a": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"cannot write .*file"):
        LocalEngine(tiny_folder).save(tmp_path / "file")


def test_saving_twice_into_one_folder_keeps_the_later(tiny_folder, tmp_path):
    engine = LocalEngine(tiny_folder)
    engine.save(tmp_path / "one")
    engine.update(update_of(sequences_of()), loss=LossConfig())
    engine.save(tmp_path / "one")
    engine.save(tmp_path / "two")
    for name in FILES:
        first, second = (load_file(tmp_path / folder / name) for folder in ("one", "two"))
        assert set(first) == set(second)
        assert all(torch.equal(tensor, second[key]) for key, tensor in first.items())
