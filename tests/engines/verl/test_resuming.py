"""Which of verl's checkpoints a stage goes on from, whatever a kill or a full disk has left."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from longloom.engines.verl.cluster_config import LATEST_FILE, ClusterConfig, saved_step
from longloom.engines.verl.resuming import settle_checkpoints
from longloom.engines.verl.stage_state import StageState
from longloom.errors import CheckpointError, ConfigError
from longloom.training.entropy_control import AepoState


def write_step(folder: Path, step: int, *, num_ranks: int = 2) -> Path:
    """Write what verl and the plugin leave of a step."""
    path = folder / f"global_step_{step}"
    shards = path / "actor"
    shards.mkdir(parents=True)
    for kind in ("model", "optim", "extra_state"):
        for rank in range(num_ranks):
            torch.save({}, shards / f"{kind}_world_size_{num_ranks}_rank_{rank}.pt")
    (shards / "fsdp_config.json").write_text(json.dumps({"world_size": num_ranks}))
    torch.save({}, path / "data.pt")
    state = StageState(step=step, examples="e", sampler={}, aepo=AepoState())
    state.write(path)
    (folder / LATEST_FILE).write_text(str(step))
    return path


def settled(folder: Path, *, num_ranks: int = 2, keep_last: int = 1) -> int:
    """Settle the checkpoints of a stage of reinforcement learning."""
    return settle_checkpoints(folder, num_ranks=num_ranks, keep_last=keep_last, has_state=True)


def test_without_checkpoints_a_stage_begins(tmp_path: Path) -> None:
    assert settled(tmp_path) == 0
    assert not (tmp_path / LATEST_FILE).exists()


def test_the_newest_whole_step_is_taken_and_older_ones_are_removed(tmp_path: Path) -> None:
    for step in range(1, 5):
        write_step(tmp_path, step)
    assert settled(tmp_path) == 4
    assert sorted(path.name for path in tmp_path.glob("global_step_*")) == [
        "global_step_3", "global_step_4",
    ]  # fmt: skip


@pytest.mark.parametrize("text", [None, "", "x", "7"])
def test_a_tracker_that_is_missing_or_wrong_is_put_right(tmp_path: Path, text: str | None) -> None:
    write_step(tmp_path, 1)
    write_step(tmp_path, 2)
    (tmp_path / LATEST_FILE).unlink()
    if text is not None:
        (tmp_path / LATEST_FILE).write_text(text)
    assert settled(tmp_path) == 2
    assert saved_step(tmp_path) == 2


@pytest.mark.parametrize(
    "lost",
    [
        "longloom.json", "data.pt", "actor/model_world_size_2_rank_1.pt",
        "actor/optim_world_size_2_rank_0.pt", "actor/extra_state_world_size_2_rank_1.pt",
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_cut", [False, True])
def test_a_damaged_step_is_passed_over(tmp_path: Path, lost: str, is_cut: bool) -> None:
    write_step(tmp_path, 1)
    file = write_step(tmp_path, 2) / lost
    if is_cut:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    else:
        file.unlink()
    assert settled(tmp_path) == 1
    assert saved_step(tmp_path) == 1
    assert not (tmp_path / "global_step_2").exists()


def test_a_step_that_was_deleted_leads_to_the_one_before(tmp_path: Path) -> None:
    write_step(tmp_path, 1)
    shutil.rmtree(write_step(tmp_path, 2))
    assert settled(tmp_path) == 1


def test_no_whole_step_is_an_error_not_a_new_beginning(tmp_path: Path) -> None:
    (write_step(tmp_path, 3) / "data.pt").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"none is whole, the newest.*data\.pt is missing"):
        settled(tmp_path)
    assert (tmp_path / "global_step_3").exists()


def test_another_number_of_ranks_is_refused(tmp_path: Path) -> None:
    write_step(tmp_path, 3, num_ranks=2)
    with pytest.raises(ConfigError, match=r"of 2 ranks and cluster\.num_gpus is 4"):
        settled(tmp_path, num_ranks=4)


@pytest.mark.parametrize(
    "name",
    [
        "trainer.v1.trainer_mode", "trainer.save_freq", "data.custom_cls.name", "longloom.seed",
        "algorithm.filter_groups.enable", "actor_rollout_ref.actor.policy_loss.loss_mode",
        "trainer", "actor_rollout_ref.actor", "", "trainer..nnodes",
    ],
)  # fmt: skip
def test_overrides_of_what_the_plugin_sets_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"Longloom sets|dotted name"):
        ClusterConfig(overrides={name: 1})


def test_other_overrides_are_taken() -> None:
    assert ClusterConfig(overrides={"actor_rollout_ref.actor.optim.lr": 0.5}).overrides
