"""Stages of a recipe for a cluster, as far as they go without verl."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

from longloom.errors import ConfigError, EngineError, MissingDependencyError
from longloom.recipes import api
from longloom.recipes.catalogue import RECIPES, load_config
from longloom.recipes.cluster.fine_tuning import verls_steps
from longloom.recipes.cluster.planned import planned_files
from longloom.recipes.cluster.stages import FollowedSteps, check_on_cluster, forget_steps
from longloom.recipes.model_source import resolve_model
from longloom.recipes.saved_steps import saved_steps
from longloom.runlog import MetricLog
from longloom.training.checkpoints import CheckpointConfig
from longloom.training.stage_inputs import StepResult

_FOR_VERL = {
    "one-gpu-weekend": (
        "engine.lora=null", "stages.0.training.checkpoints.keep_best=none",
    ),
}  # fmt: skip
_ON_CPU = ("cluster.device=cpu", "cluster.num_gpus=1")


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_has_a_file_for_each_stage_that_trains(name: str) -> None:
    overrides = ("cluster.num_gpus=32",) if "tiny" not in name else _ON_CPU
    config = load_config(name, engine="verl", overrides=(*overrides, *_FOR_VERL.get(name, ())))
    files = dict(planned_files(config))
    assert list(files) == [stage.name for stage in config.stages if stage.merge is None]
    for stage in config.stages:
        if stage.training is None:
            continue
        written = yaml.safe_load(files[stage.name])
        section = written["longloom"]
        assert section["stage"] == stage.name
        assert section["agent"] == ("memory" if stage.kind == "memory" else "single_pass")
        assert written["trainer"]["v1"]["trainer_mode"] == "longloom"
        assert written["trainer"]["total_training_steps"] == stage.training.num_steps


def test_the_engine_is_part_of_the_settings() -> None:
    assert load_config("tiny-cpu").cluster is None
    found = load_config("tiny-cpu", engine="verl", overrides=("cluster.num_gpus=16",)).cluster
    assert found is not None
    assert found.num_gpus == 16
    assert load_config("tiny-cpu", engine="local").cluster is None


def test_a_setting_of_the_cluster_without_the_engine_is_refused() -> None:
    with pytest.raises(ConfigError, match="cluster"):
        load_config("tiny-cpu", overrides=("cluster.num_gpus=16",))


@pytest.mark.skipif(importlib.util.find_spec("verl") is not None, reason="verl is installed here")
def test_a_missing_verl_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(MissingDependencyError, match=r'pip install "longloom\[verl\]"'):
        api.run("tiny-cpu", engine="verl", overrides=_ON_CPU, output=tmp_path / "run")
    assert not (tmp_path / "run" / "synthesis").exists()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the release be the tested one: what follows asks verl for nothing else."""
    import longloom.engines.verl.interfaces as interfaces

    monkeypatch.setattr(interfaces, "version", lambda name: interfaces.TESTED_VERSION)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("stages.0.training.checkpoints.keep_best=reward",), "keep_best is reward"),
        (("engine.lora={rank: 8}",), r"engine\.lora is set"),
    ],
)
def test_what_the_cluster_cannot_do_is_refused(overrides: tuple[str, ...], told: str) -> None:
    config = load_config("tiny-cpu", engine="verl", overrides=(*_ON_CPU, *overrides))
    with pytest.raises(ConfigError, match=told):
        check_on_cluster(config, config.stages[0], resolve_model("tiny-base"))


def test_a_stage_that_does_not_fit_says_how_many_gpus_would_do() -> None:
    overrides = ("cluster.num_gpus=1", "cluster.gpu_memory_gb=40")
    config = load_config("qwenlong-l15", engine="verl", overrides=overrides)
    files = dict(planned_files(config))
    assert re.search(r"does not run so: .*(at least \d+|no number of them)", files["stage-3"])


def test_what_a_run_would_refuse_is_said_by_its_plan() -> None:
    config = load_config("one-gpu-weekend", engine="verl")
    (text,) = dict(planned_files(config)).values()
    assert "does not run so: " in text


def test_steps_of_another_process_are_told_once(tmp_path: Path) -> None:
    told: list[StepResult] = []
    follower = FollowedSteps(tmp_path / "metrics.jsonl", told.append, after=1)
    follower.look()
    with MetricLog(tmp_path / "metrics.jsonl") as log:
        for step in (1, 2):
            log.log(step, {"reward/mean": 0.5 * step}, stage="s")
        follower.look()
        log.log(3, {"reward/mean": 0.25}, stage="s")
    follower.look()
    follower.look()
    assert [(result.step, result.metrics["reward/mean"]) for result in told] == [(2, 1), (3, 0.25)]


def test_half_a_line_of_verls_figures_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "steps.jsonl"
    path.write_text('{"step": 1, "data": {"train/loss": 2.5, "train/lr": 0.1}}\n{"step": 2, "da')
    assert verls_steps(path) == {1: {"training/nll_nats": 2.5, "training/learning_rate": 0.1}}


def test_steps_in_either_layout_count(tmp_path: Path) -> None:
    assert saved_steps(tmp_path) == 0
    (tmp_path / "step-000003").mkdir()
    assert saved_steps(tmp_path) == 3
    (tmp_path / "verl").mkdir()
    (tmp_path / "verl" / "latest_checkpointed_iteration.txt").write_text("5")
    assert saved_steps(tmp_path) == 5


@pytest.mark.parametrize(("keep_last", "is_kept"), [(1, False), (2, True)])
def test_verls_checkpoints_go_when_one_was_to_be_kept(
    tmp_path: Path, keep_last: int, is_kept: bool
) -> None:
    (tmp_path / "verl").mkdir()
    checkpoints = CheckpointConfig(keep_last=keep_last)
    forget_steps(tmp_path, checkpoints)
    assert (tmp_path / "verl").exists()  # the stage is not finished
    (tmp_path / "final").mkdir()
    forget_steps(tmp_path, checkpoints)
    assert (tmp_path / "verl").exists() is is_kept


def test_an_unfitting_stage_is_an_engine_error(installed: None) -> None:
    config = load_config("qwenlong-l15", engine="verl", overrides=("cluster.num_gpus=1",))
    from longloom.engines.model_sizes import sizes_of
    from longloom.recipes.cluster.stages import ClusterStage, file_of
    from longloom.recipes.planning.known_models import KNOWN_MODELS

    name = "Qwen/Qwen3-30B-A3B"
    sizes = sizes_of(KNOWN_MODELS[name], Path(name))
    one = ClusterStage(
        config=config, stage=config.stages[2], start=Path(), examples=Path(), folder=Path()
    )
    with pytest.raises(EngineError, match="GPUs"):
        file_of(one, sizes)
