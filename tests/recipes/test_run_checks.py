"""What is refused before a run trains anything."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from longloom.engines import machine
from longloom.errors import ConfigError, DataError
from longloom.merging.config import MergeConfig
from longloom.models.folder import read_settings
from longloom.models.yarn_config import YarnConfig
from longloom.recipes import api, background, pipeline
from longloom.recipes.catalogue import RECIPES, load_config
from longloom.recipes.model_source import resolve_model
from longloom.recipes.pipeline import run_recipe
from longloom.recipes.run_config import StageConfig, check_lengths
from longloom.recipes.run_listener import SilentListener
from longloom.recipes.scoring import open_scoring
from longloom.recipes.verbs.run_folders import check_run_folder, removed_if_unused
from longloom.recipes.windows import check_windows
from longloom.rewards import overlong_penalty
from longloom.runlog import RunFolder
from longloom.text.tokenizer import FolderTokenizer
from longloom.training.sft import SftConfig
from tiny_folder import tiny_run, toy


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_makes_examples_for_its_stages(name):
    config = RECIPES[name]()
    trained = [stage.training for stage in config.stages if stage.kind == "full_context"]
    made = config.synthesis.length_bands
    if config.woven is not None:  # documents are the user's
        woven = config.woven.synthesis.replace(documents=("builtin",))
        config = config.replace(woven=config.woven.replace(synthesis=woven))
        made = (woven.min_context_tokens, woven.max_context_tokens)
    check_lengths(config)
    assert trained
    for stage in trained:
        assert any(stage.min_prompt_tokens < n <= stage.max_prompt_tokens for n in made)


def test_a_stage_without_examples_of_its_length_is_refused():
    config = load_config("tiny-cpu", overrides=["synthesis.length_bands=[96,160]"])
    with pytest.raises(ConfigError, match="stage 'stage-3' takes prompts of 161 to 256 tokens"):
        check_lengths(config)


def test_a_length_penalty_follows_the_answers_of_each_stage():
    overrides = [f"stages.{n}.training.max_response_tokens=3000" for n in (1, 2)]
    config = load_config("qwenlong-l1", overrides=overrides)
    check_lengths(config)
    with open_scoring(config.reward, None, Path()) as scoring:
        overlong = scoring.score_for(3_000).keywords["config"].overlong
    assert overlong_penalty(2_500, overlong) == pytest.approx(-0.5)


def test_a_length_penalty_beyond_the_answers_of_a_stage_is_refused(tmp_path):
    overlong = "reward.overlong={enabled: true, max_response_tokens: 33, buffer_tokens: 2}"
    config = load_config("tiny-cpu", overrides=[overlong])
    with pytest.raises(ConfigError, match=r"stage 'stage-1': .* is 33, but answers are cut at 32"):
        check_lengths(config)
    parts = toy()
    with pytest.raises(ConfigError, match="is 33, but answers are cut at 32 tokens"):
        api.train(parts.questions, output=tmp_path / "t", model=parts.model, overrides=[overlong])
    assert not (tmp_path / "t").exists()


def test_a_memory_stage_without_documents_is_refused():
    config = load_config("tiny-cpu", overrides=["num_memory_examples=0"])
    with pytest.raises(ConfigError, match="num_memory_examples is 0"):
        check_lengths(config)


@pytest.mark.parametrize("override", ["stages=[]", "evaluation.windows=[2,2]"])
def test_a_run_without_training_or_with_repeated_windows_is_refused(override):
    with pytest.raises(ConfigError, match="expected"):
        load_config("tiny-cpu", overrides=[override])


@pytest.mark.parametrize("name", ["checkpoints/mine/weights", "notes.txt"])
def test_a_folder_with_foreign_files_is_no_run_folder(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("precious")
    with pytest.raises(ConfigError, match="no run folder"):
        check_run_folder(RunFolder(tmp_path))


def test_a_foreign_run_file_is_not_taken_for_a_run(tmp_path):
    (tmp_path / "run.yaml").write_text("lr: 1\n")
    with pytest.raises(DataError, match="not a run file"):
        check_run_folder(RunFolder(tmp_path))


def test_a_run_that_lost_the_race_leaves_the_folder_of_the_winner(tmp_path):
    folder = tmp_path / "run"

    def lose(winner):
        with removed_if_unused(RunFolder(folder)):  # the folder does not exist yet
            winner.enter_context(RunFolder(folder).lock())
            winner.enter_context(RunFolder(folder).lock())

    with ExitStack() as winner:
        with pytest.raises(ConfigError, match="in use"):
            lose(winner)
        assert folder.is_dir()


@pytest.mark.parametrize("kind", ["full_context", "memory", "merge"])
def test_a_stage_refuses_settings_of_another_kind(kind):
    training = load_config("tiny-cpu").stages[0].training
    own = {"merge": MergeConfig(), "merged_stages": ("a", "b")}
    own = own if kind == "merge" else {"training": training}
    StageConfig(name="s", kind=kind, start="base", **own)
    with pytest.raises(ValueError, match="has `sft`, which nothing would read"):
        StageConfig(name="s", kind=kind, start="base", sft=SftConfig(), **own)


def test_a_merge_refuses_a_longer_window():
    yarn = YarnConfig(original_window_tokens=1_000)
    with pytest.raises(ValueError, match="is a merge and has `yarn`, which nothing would read"):
        StageConfig(
            name="s", kind="merge", start="base", yarn=yarn,
            merge=MergeConfig(), merged_stages=("a", "b"),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "device", "is_beside"),
    [
        ("auto", "cpu", True),
        ("auto", "cuda", False),
        ("true", "cuda", True),
        ("false", "cpu", False),
    ],
)
def test_evaluation_beside_training_is_for_cpu_unless_asked_for(
    monkeypatch, setting, device, is_beside
):
    class Messages(SilentListener):
        def __init__(self):
            self.shown = []

        def on_message(self, message):
            self.shown.append(message)

    monkeypatch.setattr(machine.torch.cuda, "is_available", lambda: device == "cuda")
    config = load_config("tiny-cpu", overrides=[f"evaluation.in_background={setting}"])
    listener = Messages()
    assert pipeline._evaluates_beside(config, listener) is is_beside
    told = [message for message in listener.shown if "evaluation.in_background=true" in message]
    assert bool(told) == (setting == "auto" and device == "cuda")


@pytest.mark.slow
def test_a_run_killed_right_after_a_final_model_clears_its_steps(tmp_path):
    config = load_config("tiny-cpu", overrides=tiny_run(toy()))
    config = config.replace(
        stages=config.stages[:2],
        evaluation=config.evaluation.replace(num_questions=0, num_documents=0),
    )

    class Stopper(SilentListener):
        def on_step(self, stage, num_steps, result):
            if stage == "stage-2":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_recipe(config, folder=tmp_path / "run", listener=Stopper())
    left = (tmp_path / "run/checkpoints/stage-1").resolve().parent / "step-000002"
    left.mkdir()
    (left / "model.safetensors").write_text("weights")
    run_recipe(config, folder=tmp_path / "run", listener=SilentListener())
    assert not left.exists()
    assert (left.parent / "final").is_dir()


def test_the_evaluating_process_prepares_torch_as_the_trainer_does(monkeypatch, tmp_path):
    class Jobs:
        def get(self):
            raise EOFError

    prepared = []
    monkeypatch.setattr(background, "prepare_torch", lambda *settings: prepared.append(settings))
    monkeypatch.setattr(background, "_end_with_parent", lambda: None)
    monkeypatch.setattr(background.signal, "signal", lambda *_: None)
    with pytest.raises(EOFError):
        background._work(Jobs(), None, load_config("tiny-cpu"), tmp_path)
    config = load_config("tiny-cpu")
    assert prepared == [(config.num_threads, config.engine)]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stages.1.training.max_response_tokens=9000", "stage 'stage-2': max_prompt_tokens is 160"),
        ("memory.chunk_tokens=9000", "stage 'memory': one section takes up to"),
        ("stages.3.training.max_response_tokens=9000", "stage 'memory': max_prompt_tokens is 48"),
    ],
)
def test_a_stage_beyond_the_window_is_refused_before_anything_is_made(tmp_path, override, message):
    config = load_config("tiny-cpu", overrides=[override])
    with pytest.raises(ConfigError, match=message):
        run_recipe(config, folder=tmp_path / "run", listener=SilentListener())
    assert not (tmp_path / "run" / "synthesis").exists()


def test_later_stages_inherit_a_window_that_yarn_lengthened():
    config = load_config("tiny-cpu", overrides=["stages.1.training.max_response_tokens=9000"])
    base = resolve_model(config.model)
    window = read_settings(base)["max_position_embeddings"]
    tokenizer = FolderTokenizer(base)
    with pytest.raises(ConfigError, match="stage 'stage-2': max_prompt_tokens is 160"):
        check_windows(config.replace(stages=config.stages[:2]), base, tokenizer)
    longer = config.stages[0].replace(yarn=YarnConfig(original_window_tokens=window))
    lengthened = config.replace(stages=(longer, config.stages[1]))
    assert check_windows(lengthened, base, tokenizer) is None


class Untouched(SilentListener):
    """Fails where anything is trained or evaluated."""

    def on_step(self, stage, num_steps, result):
        raise AssertionError(f"{stage} was trained")

    def on_cell(self, job, mean_reward):
        raise AssertionError(f"{job.checkpoint} was evaluated")


@pytest.mark.parametrize(
    ("override", "error", "message"),
    [
        pytest.param(
            "stages.2.training.sampling.batch_size=1000",
            DataError,
            r"^stage 'stage-3': \d+ examples for a batch of 1000 prompts",
            marks=pytest.mark.slow,
        ),
        (
            "stages.3.training.validation.every_steps=1",
            DataError,
            r"^stage 'memory': validation\.every_steps is 1, but there are no held-out",
        ),
        pytest.param(
            "stages.5.training.sampling.task_weights={numerical: 1.0}",
            ConfigError,
            r"^stage 'final': task_weights has no entry for dialogue_memory",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_a_later_stage_lacks_is_refused_before_the_first(tmp_path, override, error, message):
    parts = toy()
    config = load_config("tiny-cpu", overrides=[*tiny_run(parts), override])
    with pytest.raises(error, match=message):
        run_recipe(config, folder=tmp_path / "run", listener=Untouched())
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.slow
def test_rows_of_a_later_stage_are_read_before_the_first(tmp_path):
    rows = tmp_path / "chats.jsonl"
    rows.write_text('{"prompt": "1?", "response": "1 2 3 4"}\n')
    config = load_config("tiny-cpu", overrides=tiny_run(toy()))
    fine_tuning = StageConfig(
        name="sft", kind="sft", start="stage-1", sft=SftConfig(max_tokens=2), sft_rows=str(rows)
    )
    config = config.replace(stages=(config.stages[0], fine_tuning))
    with pytest.raises(DataError, match="none of 1 rows has at most 2 tokens"):
        run_recipe(config, folder=tmp_path / "run", listener=Untouched())
