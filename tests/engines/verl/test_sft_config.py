"""What verl is told of supervised fine-tuning."""

import pytest
import yaml

from longloom.engines.local_config import OptimizerConfig
from longloom.engines.verl.cluster_config import ClusterConfig
from longloom.engines.verl.sft_config import SftStage
from longloom.engines.verl.stage_file import sft_file
from longloom.errors import ConfigError
from longloom.recipes.planning.known_models import model_sizes
from longloom.training.sft import SftConfig

SIZES = model_sizes("Qwen3-8B")


def made(stage, cluster, sizes):
    return sft_file(stage, cluster, sizes, optimizer=OptimizerConfig())


def stage(num_rows=5_300, **changes):
    return SftStage(
        stage="sft",
        seed=3,
        config=SftConfig(**changes),
        model="/models/start",
        rows="/runs/rows.parquet",
        num_rows=num_rows,
        folder="/runs/sft",
    )


def test_one_stage_by_hand():
    file = made(stage(), ClusterConfig(num_gpus=32), SIZES)
    found = yaml.safe_load(file.text)
    assert found["defaults"] == ["sft_trainer_engine", "_self_"]
    assert found["data"]["train_batch_size"] == 128
    assert found["data"]["custom_cls"]["name"] == "SftRowsDataset"
    assert found["trainer"]["total_training_steps"] == 3 * (5_300 // 128) == 123
    assert found["engine"]["strategy"] == "fsdp2"
    assert found["optim"]["lr"] == 5e-6
    degree = found["engine"]["ulysses_sequence_parallel_size"]
    assert found["data"]["max_token_len_per_gpu"] * degree >= 20_000


def test_it_runs_on_fsdp2_whatever_trains_later():
    cluster = ClusterConfig(num_gpus=32, train_backend="megatron")
    assert yaml.safe_load(made(stage(), cluster, SIZES).text)["engine"]["strategy"] == "fsdp2"


def test_a_batch_that_cannot_be_divided_is_refused():
    with pytest.raises(ConfigError, match=r"batch_size is 100 .* by 64; .* sft.batch_size=128"):
        made(stage(batch_size=100), ClusterConfig(num_gpus=64), SIZES)


def test_rows_that_fill_no_batch_are_refused():
    with pytest.raises(ConfigError, match=r"has 100 rows .* whole batches"):
        made(stage(num_rows=100), ClusterConfig(num_gpus=8), SIZES)
