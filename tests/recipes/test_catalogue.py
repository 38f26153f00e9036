"""Recipes by name, by file, with overrides; and printed so that they can be edited and run."""

import pytest
import yaml

from longloom.errors import ConfigError
from longloom.recipes.catalogue import RECIPES, load_config
from longloom.recipes.pipeline import default_folder
from longloom.recipes.planning.stage_limits import plan_evaluation, plan_stages
from longloom.recipes.recipe_yaml import recipe_yaml
from longloom.runlog import describe_run, write_manifest


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_carries_its_name_and_prints_as_it_is(name, tmp_path) -> None:
    config = load_config(name)
    assert config.recipe == name
    for is_commented in (True, False):
        path = tmp_path / f"{is_commented}.yaml"
        path.write_text(recipe_yaml(config, is_commented=is_commented), "utf-8")
        assert load_config(str(path)) == config


def test_every_setting_of_a_printed_recipe_is_explained_once() -> None:
    text = recipe_yaml(load_config("tiny-cpu"))
    assert text.count("# G, rollouts per prompt.") == 1
    assert text.count("group_size: ") == 5
    assert max(map(len, text.splitlines())) < 100


def test_overrides_reach_into_stages() -> None:
    config = load_config("tiny-cpu", overrides=["stages.1.training.num_steps=5", "seed=2"], seed=9)
    assert config.stages[1].training.num_steps == 5
    assert config.seed == 9


def test_run_file_of_a_run_repeats_it(tmp_path) -> None:
    config = load_config("tiny-cpu", seed=4)
    settings = config.model_dump(mode="json")
    manifest = describe_run(recipe="tiny-cpu", seed=4, num_threads=1, config=settings)
    write_manifest(tmp_path / "run.yaml", manifest)
    assert load_config(str(tmp_path / "run.yaml")) == config


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- 1\n", "holds list; expected settings by name"),
        ("a: [\n", "cannot be read as YAML"),
        ("config: 3\n", "`config` is 3"),
        ("recipe: x\n", "model is"),
        ("nothing: 1\n", "recipe is"),
    ],
)
def test_file_that_is_no_recipe_is_refused(tmp_path, content, message) -> None:
    path = tmp_path / "some.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        load_config(str(path))


def test_unknown_recipe_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'qwenlong-l15'"):
        load_config("qwenlong-l1.5")


def test_run_folder_follows_every_setting() -> None:
    folders = {default_folder(load_config("tiny-cpu", seed=seed)) for seed in (0, 0, 1)}
    assert len(folders) == 2


def test_values_stay_what_they_are_in_yaml() -> None:
    text = recipe_yaml(load_config("tiny-cpu"), is_commented=False)
    loaded = yaml.safe_load(text)
    assert loaded == load_config("tiny-cpu").model_dump(mode="json")


def test_plan_of_memory_training_counts_every_section() -> None:
    # Documents of 500 tokens in sections of 200 are 3 updates and an answer.
    overrides = [
        "memory_document_tokens=500", "memory.chunk_tokens=200", "memory.memory_tokens=10",
        "stages.3.training.num_steps=2", "stages.3.training.group_size=4",
        "stages.3.training.sampling.batch_size=5", "stages.3.training.max_response_tokens=7",
    ]  # fmt: skip
    planned = plan_stages(load_config("tiny-cpu", overrides=overrides))[3]
    assert planned.num_rollouts == 2 * 5 * 4
    assert planned.max_sampled_tokens == 40 * (3 * 10 + 7)


def test_plan_asks_every_checkpoint_at_the_first_length() -> None:
    config = load_config("tiny-cpu")
    first = {
        name
        for suite in plan_evaluation(config)
        if suite.name == "stage-1"
        for name in suite.checkpoints
    }
    assert first == {"base", *(stage.name for stage in config.stages)}
