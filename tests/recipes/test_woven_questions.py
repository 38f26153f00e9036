"""Recipes on questions of the full-size synthesis: checked at the start, woven or copied."""

import json

import pytest

from longloom.errors import ConfigError, DataError
from longloom.recipes.catalogue import load_config
from longloom.recipes.pipeline import run_recipe
from longloom.recipes.run_config import RunConfig, check_lengths
from longloom.recipes.run_examples import read_set
from longloom.recipes.run_listener import SilentListener
from longloom.records import Split, TaskType
from longloom.report.run_contents import read_run
from synthesis.small_corpus import write_small_corpus
from tiny_folder import Toy, toy

TINY = (
    "template=plain", "engine.lora=null", "evaluation.num_questions=3", "evaluation.num_samples=1",
    "stages.0.training.num_steps=2", "stages.0.training.group_size=2",
    "stages.0.training.sampling.batch_size=3", "stages.0.training.max_response_tokens=8",
)  # fmt: skip
SHORT = "stages.0.training.max_prompt_tokens=96"


@pytest.fixture(scope="module")
def parts() -> Toy:
    return toy()


def weekend(*overrides: str) -> RunConfig:
    return load_config("one-gpu-weekend", overrides=[*TINY, *overrides])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ((), "woven.synthesis.documents is empty; .*woven.folder=my_questions"),
        (("woven.synthesis.documents=[nowhere]",), "woven.synthesis.documents: .*nowhere"),
        (("woven.folder=nowhere",), "woven.folder is 'nowhere', which has no examples.parquet"),
        (
            ("woven.synthesis.documents=[builtin]", "stages.0.training.max_prompt_tokens=5000"),
            "prompts of 1 to 5000 tokens, but woven.synthesis.min_context_tokens is 8000",
        ),
        (
            (
                "woven.synthesis.documents=[builtin]",
                "woven.synthesis.endpoint={connection: {url: 'http://127.0.0.1:9/v1', model: m}}",
            ),
            "a run asks no model while it weaves",
        ),
    ],
)
def test_a_recipe_without_a_source_is_refused_before_anything(
    overrides, message, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = weekend(*overrides)
    with pytest.raises(ConfigError, match=message):
        check_lengths(config)
    with pytest.raises(ConfigError):
        run_recipe(config, folder=tmp_path / "run", listener=SilentListener())
    assert not (tmp_path / "run" / "synthesis").exists()


def test_a_recipe_runs_on_a_folder_of_questions(parts, tmp_path) -> None:
    config = weekend(f"model={parts.model}", f"woven.folder={parts.questions}", SHORT)
    run_recipe(config, folder=tmp_path / "run", listener=SilentListener())
    assert [row.step for row in read_run(tmp_path / "run").rows] == [1, 2]
    for name in ("examples.parquet", "contexts.parquet"):
        copied = tmp_path / "run" / "synthesis" / "questions" / name
        assert copied.read_bytes() == (parts.questions / name).read_bytes()


def test_a_damaged_folder_of_questions_is_not_copied(parts, tmp_path) -> None:
    folder = tmp_path / "questions"
    folder.mkdir()
    (folder / "contexts.parquet").write_bytes((parts.questions / "contexts.parquet").read_bytes())
    (folder / "examples.parquet").write_bytes(b"no parquet")
    config = weekend(f"model={parts.model}", f"woven.folder={folder}", SHORT)
    with pytest.raises(DataError, match="is not readable Parquet"):
        run_recipe(config, folder=tmp_path / "run", listener=SilentListener())
    assert not (tmp_path / "run" / "synthesis" / "questions" / "examples.parquet").exists()


@pytest.mark.slow
def test_a_recipe_weaves_its_own_questions(tmp_path) -> None:
    """The whole recipe with the tiny base model, from documents to the report."""
    documents = write_small_corpus(tmp_path / "documents")
    config = weekend(
        "model=tiny-base",
        f"woven.synthesis.documents=[{documents}]",
        "woven.synthesis.num_examples=60",
        "woven.synthesis.min_context_tokens=1000",
        "woven.synthesis.max_context_tokens=5000",
        "woven.synthesis.max_shape_fraction=1",
        "stages.0.training.max_prompt_tokens=6000",
    )
    run_recipe(config, folder=tmp_path / "run", listener=SilentListener())
    found = read_set(tmp_path / "run" / "synthesis" / "questions")
    assert {example.task_type for example in found.examples} == {TaskType.NUMERICAL}
    assert {example.split for example in found.examples} == set(Split)
    # The model's own tokens are counted, and a second call makes nothing again.
    made = (tmp_path / "run" / "synthesis" / "questions" / "summary.json").read_text("utf-8")
    assert "tiny_base" in made
    assert json.loads(made)
    before = (tmp_path / "run" / "synthesis" / "questions" / "examples.parquet").stat()
    run_recipe(config, folder=tmp_path / "run", listener=SilentListener())
    after = (tmp_path / "run" / "synthesis" / "questions" / "examples.parquet").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
