"""What may change between the calls that make up one run."""

import pytest

from longloom.errors import ConfigError, DataError
from longloom.recipes.catalogue import load_config
from longloom.recipes.resume import check_resumable, lasting_settings, store_changed_settings
from longloom.runlog import RunFolder, describe_run, read_manifest, write_manifest

JUDGE = "judge={endpoint: {url: 'http://127.0.0.1:1/v1', model: a}}"


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    config = load_config("tiny-cpu", overrides=[JUDGE])
    manifest = describe_run(
        recipe="tiny-cpu", seed=0, num_threads=1, config=config.model_dump(mode="json")
    )
    write_manifest(tmp_path / "run.yaml", manifest)
    return RunFolder(tmp_path)


@pytest.mark.parametrize(
    "override",
    [
        "judge.endpoint.url=http://127.0.0.1:2/v1",
        "judge.endpoint.concurrency=2",
        "judge.refused=rule",
        "judge.max_outage_seconds=5",
        "track=[tensorboard]",
        "logged_groups=all",
        "engine.max_batch_tokens=100",
        "engine.check_memory=false",
        "engine.gradient_checkpointing='on'",
    ],
)
def test_how_a_run_is_shown_and_carried_out_may_change(folder, override) -> None:
    changed = load_config(str(folder.run_file), overrides=[override])
    check_resumable(folder, changed, kind="run", advice="")
    store_changed_settings(folder, changed)
    assert read_manifest(folder.run_file).config == changed.model_dump(mode="json")


@pytest.mark.parametrize(
    "override",
    [
        "judge.endpoint.model=b",
        "judge=null",
        "engine.dtype=bfloat16",
        "engine.optimizer.weight_decay=0.1",
        "engine.lora={rank: 4}",
        "stages.0.training.learning_rate=0.5",
        "reward.requires_thinking=false",
    ],
)
def test_what_is_learned_may_not_change(folder, override) -> None:
    changed = load_config(str(folder.run_file), overrides=[override])
    with pytest.raises(ConfigError, match=r"holds a run with other settings: .*; take another"):
        check_resumable(folder, changed, kind="run", advice="take another")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("stages.0.training.learning_rate=0.5", "stages.0.training.learning_rate is 0.0002 there"),
        ("judge=null", 'judge.model is "a" there and not given here'),
        ("engine.lora={rank: 4}", "engine.lora.rank is not given there and 4 here"),
        ("template=l1", 'template is "plain" there and "l1" here'),
    ],
)
def test_refusal_names_the_first_setting_that_differs(folder, override, said) -> None:
    changed = load_config(str(folder.run_file), overrides=[override])
    with pytest.raises(ConfigError) as raised:
        check_resumable(folder, changed, kind="run", advice="")
    assert said in str(raised.value)


def test_truncated_run_file_is_damaged_and_not_of_other_settings(folder) -> None:
    config = load_config(str(folder.run_file))
    text = folder.run_file.read_text("utf-8")
    for line in ("\n  engine:", "\n  stages:", "\n  recipe:", "\nconfig:", "\nseed:"):
        folder.run_file.write_text(text[: text.index(line)], "utf-8")
        with pytest.raises(DataError, match=r"run.yaml is damaged"):
            check_resumable(folder, config, kind="run", advice="")


def test_lasting_settings_leave_the_configuration_as_it_is() -> None:
    config = load_config("tiny-cpu", overrides=[JUDGE])
    before = config.model_dump(mode="json")
    lasting_settings(config)
    assert config.model_dump(mode="json") == before
