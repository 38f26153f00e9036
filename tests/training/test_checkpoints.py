import json
import os
from pathlib import Path

import pytest

from longloom.errors import CheckpointError
from longloom.training.checkpoints import (
    BEST_FILE,
    BestPolicy,
    CheckpointConfig,
    StageCheckpoints,
    last_step,
    read_best,
)
from longloom.training.validation import ValidationConfig
from training.stages import CONFIG, EXAMPLES, Killed, recorder, train
from training.unigram_engine import UnigramEngine, read_logits


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def checkpoints_of(folder, **settings):
    return StageCheckpoints(folder, CheckpointConfig(**settings), schema="longloom.some_state")


def saved(folder, num_steps, **settings):
    checkpoints = checkpoints_of(folder, **settings)
    for step in range(1, num_steps + 1):
        checkpoints.save(step, num_steps, UnigramEngine(), {"step_seen": step})
    return checkpoints


def test_the_last_checkpoint_alone_is_kept(tmp_path):
    saved(tmp_path, 3)
    assert names(tmp_path) == ["step-000003"]


def test_the_last_checkpoints_are_kept(tmp_path):
    checkpoints = saved(tmp_path, 5, keep_last=2)
    assert names(tmp_path) == ["step-000004", "step-000005"]
    checkpoints.finish(UnigramEngine())
    assert checkpoints.is_finished()
    assert names(tmp_path) == ["final", "step-000004", "step-000005"]


def test_checkpoints_are_written_when_they_are_due_and_at_the_end(tmp_path):
    saved(tmp_path, 5, keep_last=9, every_steps=2)
    assert names(tmp_path) == ["step-000002", "step-000004", "step-000005"]


def test_the_state_comes_back(tmp_path):
    engine = UnigramEngine((1.0, 2.0, 3.0, 4.0, 5.0, 6.0))
    checkpoints = checkpoints_of(tmp_path)
    checkpoints.save(7, 9, engine, {"latch": {"on": True}})
    other = UnigramEngine()
    assert checkpoints.load(other) == (7, {"latch": {"on": True}})
    assert other.logits.tolist() == engine.logits.tolist()
    assert checkpoints_of(tmp_path / "empty").load(other) == (0, {})


def test_a_state_of_another_kind_of_stage_is_refused(tmp_path):
    saved(tmp_path, 1)
    other = StageCheckpoints(tmp_path, CheckpointConfig(), schema="longloom.other_state")
    with pytest.raises(CheckpointError, match=r"holds .*some_state.* expected .*other_state"):
        other.load(UnigramEngine())


def test_one_changed_bit_of_any_file_is_noticed(tmp_path):
    checkpoints = saved(tmp_path, 1)
    files = [path for path in (tmp_path / "step-000001").rglob("*") if path.is_file()]
    assert len(files) > 1
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(CheckpointError, match="is damaged"):
            checkpoints.load(UnigramEngine())
        path.unlink()
        with pytest.raises(CheckpointError, match="is damaged"):
            checkpoints.load(UnigramEngine())
        path.write_bytes(content)
    assert checkpoints.load(UnigramEngine())[0] == 1


def policy(value):
    return UnigramEngine((float(value), 0.0, 0.0, 0.0, 0.0, 0.0))


def keep(checkpoints, value, *, num_steps=1, kind="reward", engine=None):
    best = BestPolicy(num_steps=num_steps, metric="reward/mean", value=value)
    return checkpoints.keep_if_best(kind, best, engine or policy(value))


def test_the_best_policy_is_kept_with_its_figure(tmp_path):
    checkpoints = checkpoints_of(tmp_path, keep_best="reward")
    assert [
        keep(checkpoints, v, num_steps=n) is not None for n, v in enumerate((2.0, 1.0, 3.0, 3.0))
    ] == [
        True,
        False,
        True,
        False,  # the first of equals stays
    ]
    best = BestPolicy(num_steps=2, metric="reward/mean", value=3.0)
    assert read_best(tmp_path / "best") == best
    assert read_logits(tmp_path / "best")[0] == 3.0
    assert names(tmp_path) == ["best"]


def test_figures_of_another_kind_or_that_are_no_number_do_not_count(tmp_path):
    checkpoints = checkpoints_of(tmp_path, keep_best="validation")
    assert keep(checkpoints, 1.0, kind="reward") is None
    assert keep(checkpoints, float("nan"), kind="validation") is None
    assert names(tmp_path) == []


@pytest.mark.parametrize("num_renames", [1, 2, 3])
def test_one_best_policy_survives_a_kill_at_any_rename(tmp_path, monkeypatch, num_renames):
    checkpoints = checkpoints_of(tmp_path, keep_best="reward")
    keep(checkpoints, 1.0)
    left = iter(range(num_renames - 1, -1, -1))

    def killing(function):
        def rename(*arguments):
            if next(left) == 0:
                raise Killed
            return function(*arguments)

        return rename

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", killing(os.rename))
        patch.setattr(Path, "rename", killing(Path.rename))
        with pytest.raises(Killed):
            keep(checkpoints, 2.0)
    checkpoints.load(UnigramEngine())
    assert names(tmp_path) == ["best"]
    assert read_best(tmp_path / "best").value == 1.0
    keep(checkpoints, 2.0)
    assert read_best(tmp_path / "best").value == 2.0


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": "other", "version": 1}'])
def test_a_damaged_best_policy_is_a_checkpoint_error(tmp_path, content):
    checkpoints = checkpoints_of(tmp_path, keep_best="reward")
    keep(checkpoints, 1.0)
    (tmp_path / "best" / BEST_FILE).write_text(content, "utf-8")
    with pytest.raises(CheckpointError, match=r"best\.json is damaged"):
        keep(checkpoints, 2.0)


def test_the_best_by_reward_is_the_policy_that_was_sampled(tmp_path):
    """The rollouts of step n are of the policy after n - 1 steps."""
    log = {}
    config = CONFIG.replace(
        num_steps=8, checkpoints=CheckpointConfig(keep_best="reward", keep_last=20)
    )
    train(tmp_path, config, recorder(log))
    best = read_best(tmp_path / "best")
    rewards = [log[step]["reward/mean"] for step in sorted(log)]
    assert best.value == max(rewards)
    assert best.num_steps == rewards.index(max(rewards))
    if best.num_steps:
        step = tmp_path / f"step-{best.num_steps:06d}"
        assert read_logits(tmp_path / "best") == read_logits(step)
    assert last_step(tmp_path) == 8


def test_the_best_by_validation_is_the_policy_that_was_validated(tmp_path):
    log = {}
    config = CONFIG.replace(
        num_steps=6,
        checkpoints=CheckpointConfig(keep_best="validation", keep_last=20),
        validation=ValidationConfig(every_steps=2, temperature=1.0, num_rollouts=8),
    )
    train(tmp_path, config, recorder(log), validation=EXAMPLES)
    found = {s: log[s]["validation/reward_mean"] for s in log if s % 2 == 0}
    best = read_best(tmp_path / "best")
    assert best.value == max(found.values())
    assert found[best.num_steps] == best.value
    assert read_logits(tmp_path / "best") == read_logits(tmp_path / f"step-{best.num_steps:06d}")
    written = json.loads((tmp_path / "best" / BEST_FILE).read_text("utf-8"))
    assert written["metric"] == "validation/reward_mean"
