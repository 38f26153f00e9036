import logging
import sys

import pytest

from longloom.errors import MissingDependencyError
from longloom.runlog import trackers
from longloom.runlog.trackers import Trackers, open_trackers
from longloom.runlog.verl_names import VERL_NAMES, with_verl_names


class Recorder:
    """A tracker that keeps what it is given, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.logged = []
        self.num_calls = 0
        self.is_closed = False
        self._error = error

    def log(self, step, metrics) -> None:
        self.num_calls += 1
        if self._error:
            raise self._error
        self.logged.append((step, dict(metrics)))

    def close(self) -> None:
        self.is_closed = True


def scalars(folder) -> dict[str, list[tuple[int, float]]]:
    """Read the event files back."""
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    ).EventAccumulator(str(folder / "tensorboard"))
    accumulator.Reload()
    return {
        name: [(event.step, event.value) for event in accumulator.Scalars(name)]
        for name in accumulator.Tags()["scalars"]
    }


def test_metrics_have_verls_names_beside_ours() -> None:
    named = with_verl_names({"reward/mean": 0.5, "reward/numerical": 0.25})
    assert named == {"reward/mean": 0.5, "critic/score/mean": 0.5, "reward/numerical": 0.25}
    assert len(set(VERL_NAMES.values())) == len(VERL_NAMES)
    assert {
        "actor/entropy",
        "actor/grad_norm",
        "actor/pg_loss",
        "actor/ppo_kl",
        "response_length/clip_ratio",
        "response_length/mean",
        "timing_s/step",
    } <= set(VERL_NAMES.values())


def test_event_files_hold_every_step_under_both_names(tmp_path) -> None:
    with open_trackers(["tensorboard"], tmp_path, first_step=1, settings={}) as opened:
        for step in (1, 2, 3):
            opened.log(step, {"training/entropy_nats": step / 4, "reward/numerical": 0.5})
    shown = scalars(tmp_path)
    assert shown["training/entropy_nats"] == [(1, 0.25), (2, 0.5), (3, 0.75)]
    assert shown["actor/entropy"] == shown["training/entropy_nats"]
    assert shown["reward/numerical"] == [(1, 0.5), (2, 0.5), (3, 0.5)]


def test_resumed_run_replaces_the_steps_it_does_again(tmp_path) -> None:
    with open_trackers(["tensorboard"], tmp_path, first_step=1, settings={}) as opened:
        for step in (1, 2, 3):
            opened.log(step, {"reward/mean": 0.25})
    with open_trackers(["tensorboard"], tmp_path, first_step=3, settings={}) as opened:
        for step in (3, 4):
            opened.log(step, {"reward/mean": 0.75})
    assert scalars(tmp_path)["reward/mean"] == [(1, 0.25), (2, 0.25), (3, 0.75), (4, 0.75)]


def test_tracker_that_fails_is_left_out_after_one_warning(caplog) -> None:
    failing, working = Recorder(ConnectionError("gone")), Recorder()
    with (
        caplog.at_level(logging.WARNING),
        Trackers({"failing": failing, "working": working}) as opened,
    ):
        for step in (1, 2, 3):
            opened.log(step, {"reward/mean": 0.5})
    assert failing.num_calls == 1
    assert [step for step, _ in working.logged] == [1, 2, 3]
    assert working.is_closed
    assert len(caplog.records) == 1
    assert "failing failed (ConnectionError: gone); the run goes on" in caplog.text


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_missing_package_names_the_pip_line(name, tmp_path, monkeypatch) -> None:
    module = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb"}[name]
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'longloom\[track\]'"):
        open_trackers([name], tmp_path, first_step=1, settings={})


def test_tracker_that_cannot_be_opened_does_not_stop_the_run(tmp_path, caplog) -> None:
    (tmp_path / "tensorboard").write_text("a file is in the way")
    with (
        caplog.at_level(logging.WARNING),
        open_trackers(["tensorboard"], tmp_path, first_step=1, settings={}) as opened,
    ):
        opened.log(1, {"reward/mean": 0.5})
    assert "tensorboard cannot be opened" in caplog.text


def test_folder_keeps_its_name_at_the_service_until_it_is_begun_afresh(tmp_path) -> None:
    (tmp_path / "run.yaml").write_text("first")
    first = trackers._wandb_id(tmp_path)
    assert trackers._wandb_id(tmp_path) == first
    (tmp_path / trackers.WANDB_ID_FILE).unlink()
    other = tmp_path / "other"
    other.mkdir()
    assert trackers._wandb_id(other) != first
