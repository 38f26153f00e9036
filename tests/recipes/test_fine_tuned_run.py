"""A whole recipe that begins with supervised fine-tuning, at toy size."""

import json

import pytest

from killed_run import kill_run
from longloom.errors import ConfigError
from longloom.recipes.catalogue import load_config
from longloom.recipes.pipeline import run_recipe
from longloom.recipes.planning.stage_limits import plan_stages
from longloom.recipes.run_config import RunConfig, StageConfig
from longloom.recipes.run_listener import SilentListener
from longloom.report.run_contents import read_run
from longloom.training.sft import SftConfig
from tiny_folder import Toy, tiny_run, toy

FINAL = "checkpoints/stage-2/model.safetensors"


@pytest.fixture(scope="module")
def parts() -> Toy:
    return toy()


@pytest.fixture(scope="module")
def config(parts, tmp_path_factory) -> RunConfig:
    """Return two steps of fine-tuning, then two and one of reinforcement learning."""
    chats = tmp_path_factory.mktemp("chats") / "chats.jsonl"
    lines = [json.dumps({"prompt": f"{n}?", "response": f"{n}"}) for n in range(4)]
    chats.write_text("\n".join(lines) + "\n")
    plain = load_config("tiny-cpu", overrides=tiny_run(parts))
    warm_up = StageConfig(
        name="sft",
        kind="sft",
        start="base",
        sft=SftConfig(num_epochs=1, batch_size=2),
        sft_rows=str(chats),
    )
    return plain.replace(
        stages=(warm_up, plain.stages[0].replace(start="sft"), plain.stages[1]),
        evaluation=plain.evaluation.replace(num_questions=0, num_documents=0),
    )


@pytest.fixture(scope="module")
def whole_weights(config, tmp_path_factory) -> bytes:
    """Return the final weights of a run that nobody stopped."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run_recipe(config, folder=folder, listener=SilentListener())
    return (folder / FINAL).read_bytes()


class Stopper(SilentListener):
    """Stops a run when a stage has done so many steps."""

    def __init__(self, stage: str, step: int) -> None:
        self._place = (stage, step)

    def on_step(self, stage: str, num_steps: int, result) -> None:
        if (stage, result.step) == self._place:
            raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("place", [("sft", 1), ("sft", 2), ("stage-2", 1)])
def test_run_stopped_anywhere_counts_its_steps_on_and_ends_in_the_same_bits(
    config, whole_weights, tmp_path, place
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_recipe(config, folder=tmp_path / "two", listener=Stopper(*place))
    run_recipe(config, folder=tmp_path / "two", listener=SilentListener())
    assert (tmp_path / "two" / FINAL).read_bytes() == whole_weights
    logged = [(row.step, row.stage) for row in read_run(tmp_path / "two").rows]
    assert logged == [(1, "sft"), (2, "sft"), (3, "stage-1"), (4, "stage-1"), (5, "stage-2")]


@pytest.mark.slow
def test_run_killed_by_the_system_ends_in_the_same_bits(config, whole_weights, tmp_path) -> None:
    kill_run(config, tmp_path / "run", ("step", "stage-1", 2))
    run_recipe(config, folder=tmp_path / "run", listener=SilentListener())
    assert (tmp_path / "run" / FINAL).read_bytes() == whole_weights


def test_fine_tuning_without_rows_is_refused_before_anything_is_made(tmp_path) -> None:
    config = load_config("qwenlong-l1")
    with pytest.raises(ConfigError, match=r"stages\.0\.sft_rows of stage 'sft' is empty"):
        run_recipe(config, folder=tmp_path / "run", listener=SilentListener())
    missing = load_config("qwenlong-l1", overrides=["stages.0.sft_rows=gone.jsonl"])
    with pytest.raises(ConfigError, match=r"'gone\.jsonl'"):
        run_recipe(missing, folder=tmp_path / "run", listener=SilentListener())
    assert not (tmp_path / "run").exists()


def test_plan_counts_the_steps_of_the_rows(config) -> None:
    assert plan_stages(config)[0].num_steps == 2
    assert plan_stages(load_config("qwenlong-l1"))[0].num_steps == 0


def test_recipe_of_l1_has_what_the_paper_names() -> None:
    config = load_config("qwenlong-l1-120k")
    sft, phase_1, phase_2, phase_3 = config.stages
    assert (sft.sft.num_epochs, sft.sft.batch_size, sft.sft.learning_rate) == (3, 128, 5e-6)
    assert sft.sft.max_tokens == 20_000
    for phase in (phase_1, phase_2, phase_3):
        training = phase.training
        assert training.updates_per_batch == 4
        assert training.group_filter.drop_zero_variance
        assert training.group_filter.max_refills + 1 == 10
        assert training.max_response_tokens == 10_000
    assert phase_1.training.selection.retrospective.kind == "off"
    assert phase_2.training.selection.retrospective.kind == "zero_accuracy"
    overlong = config.reward.overlong
    assert (overlong.enabled, overlong.max_response_tokens, overlong.buffer_tokens) == (
        True,
        None,
        1_000,
    )
    assert overlong.for_limit(10_000).max_response_tokens == 10_000
    assert phase_3.yarn.window_tokens == 131_072
    assert not any(stage.yarn for stage in load_config("qwenlong-l1").stages)


def test_recipe_of_l15_has_what_the_paper_names() -> None:
    config = load_config("qwenlong-l15")
    stages = {stage.name: stage.training for stage in config.stages}
    limits = {
        name: (training.max_prompt_tokens, training.max_response_tokens)
        for name, training in stages.items()
        if training
    }
    assert limits == {
        "stage-1": (20_000, 12_000),
        "stage-2": (60_000, 20_000),
        "stage-3": (120_000, 50_000),
        "memory": (128_000, 20_000),
        "final": (120_000, 50_000),
    }
    bounds = {
        name: (training.aepo.entropy_low, training.aepo.entropy_high)
        for name, training in stages.items()
        if training and training.aepo.enabled
    }
    assert bounds == {
        "stage-1": (0.135, 0.27),
        "stage-2": (0.135, 0.25),
        "stage-3": (0.135, 0.19),
        "final": (0.135, 0.2),
    }
    assert not config.reward.overlong.enabled
    assert {training.updates_per_batch for training in stages.values() if training} == {1}
    assert stages["memory"].advantage.kind == "group_std"
    assert stages["stage-1"].advantage.kind == "task_std"
