"""What a stage on verl keeps and reads: its state, its error, its shards, its rows."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from longloom.config import parse_config
from longloom.engines.verl.attempt_row import AttemptRow
from longloom.engines.verl.checkpoint import merged_weights, write_model
from longloom.engines.verl.cluster_config import ClusterConfig, saved_step
from longloom.engines.verl.reported import take_error, write_error
from longloom.engines.verl.sft_dataset import SftRowsDataset, write_sft_rows
from longloom.engines.verl.stage_state import STATE_FILE, StageState
from longloom.errors import CheckpointError, ConfigError, DataError, EngineError, RewardError
from longloom.models.loading import load_network
from longloom.records import SamplingParams
from longloom.training.entropy_control import AepoState
from longloom.training.sft_rows import SftExample

STATE = StageState(
    step=7,
    examples="ab12",
    sampler={"num_draws": 7},
    aepo=AepoState(negatives_on=False, first_entropy_nats=0.4),
)


def test_the_state_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "global_step_7"
    STATE.write(folder)
    assert StageState.read(folder) == STATE


@pytest.mark.parametrize("broken", ["", "{", '{"schema": "longloom.verl_state"}', "[]"])
def test_a_damaged_state_is_refused(tmp_path: Path, broken: str) -> None:
    (tmp_path / STATE_FILE).write_text(broken)
    with pytest.raises(CheckpointError, match="missing or damaged"):
        StageState.read(tmp_path)


def test_a_state_of_another_step_is_refused(tmp_path: Path) -> None:
    STATE.write(tmp_path / "global_step_8")
    with pytest.raises(CheckpointError, match="of global_step_8"):
        StageState.read(tmp_path / "global_step_8")


def test_an_error_is_told_once_as_what_it_was(tmp_path: Path) -> None:
    write_error(tmp_path, RewardError("the judge is gone"))
    found = take_error(tmp_path)
    assert type(found) is RewardError
    assert str(found) == "the judge is gone"
    assert take_error(tmp_path) is None


@pytest.mark.parametrize("kind", ["SystemExit", "json", "Nothing"])
def test_a_name_that_is_no_error_of_ours_becomes_an_engine_error(tmp_path: Path, kind: str) -> None:
    (tmp_path / "verl-error.json").write_text(json.dumps({"kind": kind, "message": "m"}))
    assert type(take_error(tmp_path)) is EngineError


@pytest.mark.parametrize(("text", "step"), [("12", 12), ("", 0), ("x", 0)])
def test_the_last_complete_step_is_what_verl_says(tmp_path: Path, text: str, step: int) -> None:
    (tmp_path / "latest_checkpointed_iteration.txt").write_text(text)
    assert saved_step(tmp_path) == step
    assert saved_step(tmp_path / "nowhere") == 0


def test_an_attempt_comes_back_from_its_line() -> None:
    attempt = AttemptRow(
        example_id="e",
        policy_version=2,
        key="0/stage/2",
        params=SamplingParams(temperature=0.7, top_p=0.95, max_new_tokens=12),
    )
    assert AttemptRow.from_json(attempt.to_json()) == attempt


def test_rows_of_fine_tuning_have_a_loss_on_their_response_alone(tmp_path: Path) -> None:
    rows = [
        SftExample(prompt_ids=(1, 2, 3), response_ids=(4, 5)),
        SftExample(prompt_ids=(6,), response_ids=(7, 8, 9)),
    ]
    write_sft_rows(tmp_path / "rows.parquet", rows)
    found = SftRowsDataset(str(tmp_path / "rows.parquet"))
    assert len(found) == 2
    assert found[0]["input_ids"].tolist() == [1, 2, 3, 4, 5]
    assert found[0]["loss_mask"].tolist() == [0, 0, 0, 1, 1]
    assert found[1]["position_ids"].tolist() == [0, 1, 2, 3]
    assert found[1]["loss_mask"].tolist() == [0, 1, 1, 1]


def test_another_file_is_no_file_of_rows(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("rows")
    with pytest.raises(DataError, match="cannot be read"):
        SftRowsDataset(str(tmp_path / "text"))
    pq.write_table(pa.table({"prompt_ids": [[1]]}), tmp_path / "other.parquet")
    with pytest.raises(DataError, match="no encoded rows"):
        SftRowsDataset(str(tmp_path / "other.parquet"))


@pytest.fixture
def shards(tmp_path: Path, tiny_folder: Path) -> Path:
    """One rank's shard of the tiny model, every weight moved by 1/8."""
    folder = tmp_path / "global_step_3" / "actor"
    folder.mkdir(parents=True)
    weights = {name: w.detach() + 0.125 for name, w in load_network(tiny_folder).named_parameters()}
    torch.save(weights, folder / "model_world_size_1_rank_0.pt")
    (folder / "fsdp_config.json").write_text('{"FSDP_version": 2, "world_size": 1}')
    return folder


def test_shards_become_a_model_folder(tmp_path: Path, shards: Path, tiny_folder: Path) -> None:
    write_model(shards.parent, tmp_path / "final", like=tiny_folder)
    before = dict(load_network(tiny_folder).named_parameters())
    after = dict(load_network(tmp_path / "final").named_parameters())
    assert all(torch.equal(after[name], before[name] + 0.125) for name in before)
    assert (tmp_path / "final" / "tokenizer.json").is_file()


def test_missing_and_damaged_shards_are_refused(shards: Path, tmp_path: Path) -> None:
    (shards / "fsdp_config.json").write_text('{"world_size": 2}')
    with pytest.raises(CheckpointError, match="lacks 2 of 2 shards"):
        list(merged_weights(shards))
    (shards / "fsdp_config.json").write_text('{"world_size": 1}')
    shard = shards / "model_world_size_1_rank_0.pt"
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="is damaged"):
        list(merged_weights(shards))
    (shards / "fsdp_config.json").unlink()
    with pytest.raises(CheckpointError, match=r"fsdp_config\.json"):
        list(merged_weights(shards))


def test_a_checkpoint_of_another_model_is_refused(
    tmp_path: Path, shards: Path, tiny_folder: Path
) -> None:
    torch.save({"model.norm.weight": torch.ones(1)}, shards / "model_world_size_1_rank_0.pt")
    with pytest.raises(CheckpointError, match=r"of shape \(1,\)|lacks"):
        write_model(shards.parent, tmp_path / "final", like=tiny_folder)


@pytest.mark.parametrize(
    "settings",
    [
        {"judge_model": "gpt-oss-120b"},
        {"num_judge_gpus": 2},
        {"num_gpus": 12},
        {"judge_model": "m", "num_judge_gpus": 9},
        {"keyed_sampling": True, "rollout_backend": "sglang"},
    ],
    ids=[
        "judge without GPUs",
        "GPUs without judge",
        "half a node",
        "judge divided",
        "seeds for SGLang",
    ],
)
def test_a_cluster_that_cannot_be_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        parse_config(ClusterConfig, settings)
