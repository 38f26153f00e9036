"""Stages that do not fit the memory are refused before they begin."""

import json

import pytest

from longloom.engines.machine import available_bytes
from longloom.errors import EngineError
from longloom.recipes import api, run_stages, stage_memory
from longloom.recipes.catalogue import load_config
from longloom.recipes.pipeline import run_recipe
from longloom.recipes.planning.stage_layouts import stages_here
from longloom.recipes.run_listener import SilentListener
from longloom.recipes.stage_memory import check_memory, recipe_work
from longloom.training.sft import SftConfig
from tiny_folder import TINY_TRAINING, Toy, tiny_run, toy

# Caches and activations of such a stage are beyond any machine: 10^9 tokens of an answer.
HUGE = 1_000_000_000
WITHOUT_LIMITS = (f"engine.max_batch_tokens={HUGE}", f"engine.max_cache_tokens={HUGE}")


@pytest.fixture(scope="module")
def parts() -> Toy:
    return toy()


@pytest.fixture
def little_is_free(monkeypatch):
    monkeypatch.setattr(stage_memory, "available_bytes", lambda device: 1_000_000)


@pytest.mark.usefixtures("little_is_free")
def test_train_refuses_a_stage_that_does_not_fit_and_leaves_no_folder(parts, tmp_path):
    with pytest.raises(EngineError, match=r"^stage 'stage-1': the stage needs .* 0\.00 GB are fre"):
        api.train(
            parts.questions, output=tmp_path / "t", model=parts.model, overrides=TINY_TRAINING
        )
    assert not (tmp_path / "t").exists()


@pytest.mark.usefixtures("little_is_free")
def test_fine_tuning_by_hand_is_checked_too(parts, tmp_path):
    rows = tmp_path / "chats.jsonl"
    rows.write_text(json.dumps({"prompt": "1?", "response": "1"}) + "\n")
    with pytest.raises(EngineError, match=r"^stage 'sft': .*engine\.check_memory=false"):
        api.train(rows, output=tmp_path / "t", model=parts.model, stage="sft")


@pytest.mark.usefixtures("little_is_free")
def test_the_check_can_be_turned_off(parts, tmp_path):
    overrides = [*TINY_TRAINING, "engine.check_memory=false"]
    outcome = api.train(
        parts.questions, output=tmp_path / "t", model=parts.model, overrides=overrides
    )
    assert outcome.num_steps == 2


@pytest.mark.parametrize(
    ("stage", "sizes"),
    [
        ("stage-2", ("stages.1.training.sampling.batch_size=1000000",)),
        ("memory", ("stages.3.training.group_size=1000000",)),
    ],
)
def test_run_refuses_any_stage_that_does_not_fit_before_the_first(parts, tmp_path, stage, sizes):
    # So many groups in the caches at once need a thousand times what is free here.
    config = load_config("tiny-cpu", overrides=[*tiny_run(parts), *WITHOUT_LIMITS, *sizes])
    with pytest.raises(EngineError, match=f"^stage '{stage}': the stage needs"):
        run_recipe(config, folder=tmp_path / "run", listener=SilentListener())
    assert not (tmp_path / "run" / "synthesis").exists()
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.slow
def test_run_checks_each_stage_again_where_it_starts(parts, tmp_path, monkeypatch):
    config = load_config("tiny-cpu", overrides=tiny_run(parts))
    config = config.replace(
        stages=config.stages[:2],
        evaluation=config.evaluation.replace(num_questions=0, num_documents=0),
    )
    trained = []

    def free(device):
        return 0 if trained else available_bytes(device)

    def train_and_fill_memory(*arguments):
        trained.append(arguments[0])
        return train_stage(*arguments)

    train_stage = run_stages.train_stage
    monkeypatch.setattr(stage_memory, "available_bytes", free)
    monkeypatch.setattr(run_stages, "train_stage", train_and_fill_memory)
    with pytest.raises(EngineError, match=r"^stage 'stage-2': "):
        run_recipe(config, folder=tmp_path / "run", listener=SilentListener())
    assert trained == ["stage-1"]
    assert (tmp_path / "run/checkpoints/stage-1").is_dir()


def test_a_model_of_unknown_sizes_is_said_not_to_be_checked(parts, tmp_path, caplog):
    (tmp_path / "config.json").write_text('{"model_type": "other"}')
    config = load_config("tiny-cpu")
    check_memory("s", tmp_path, config.engine, recipe_work(config, config.stages[0]))
    assert "the memory of stage s is not checked" in caplog.text
    assert "hidden_size is None" in caplog.text


def test_the_plan_of_a_recipe_has_every_stage_that_trains(parts):
    config = load_config("tiny-cpu", overrides=tiny_run(parts))
    planned = {name: plan.peak_bytes for name, plan in stages_here(config)}
    assert list(planned) == ["stage-1", "stage-2", "stage-3", "memory", "final"]
    wide = config.replace(engine=config.engine.replace(max_batch_tokens=1, max_cache_tokens=1))
    assert all(plan.peak_bytes <= planned[name] for name, plan in stages_here(wide))


def test_the_work_of_fine_tuning_is_its_longest_rows():
    config = load_config("tiny-cpu")
    stage = config.stages[0].replace(
        kind="sft", training=None, sft=SftConfig(max_tokens=500, batch_size=7)
    )
    work = recipe_work(config, stage)
    assert (work.max_prompt_tokens, work.max_response_tokens) == (1, 499)
    assert (work.group_size, work.num_prompts, work.has_rollouts) == (1, 7, False)
