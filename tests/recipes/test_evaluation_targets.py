"""What the names of a command stand for, with which settings, and what is said of missing files."""

from pathlib import Path

import pytest

from longloom.errors import ConfigError, DataError
from longloom.evaluation.benchmarks.catalogue import BENCHMARKS
from longloom.evaluation.download import download_files
from longloom.evaluation.suites import SUITES
from longloom.recipes import api
from longloom.recipes.catalogue import load_config
from longloom.recipes.evaluating.put import asking_of, limits_within
from longloom.recipes.evaluating.request import resolve_request
from longloom.recipes.evaluating.targets import Targets, resolve_targets
from longloom.recipes.verbs.read_model import ReadModel
from official_files import WRITERS
from tiny_folder import toy

SERVER = ReadModel(endpoint="http://127.0.0.1:1/v1", model_name="m")


def resolved(*names: str, files: Path | None = None) -> Targets:
    return resolve_targets(
        names,
        config=load_config("tiny-cpu", overrides=(), seed=None),
        split="held_out",
        files=files,
        generated=Path("nowhere"),
        download=False,
        seed=0,
    )


def test_a_suite_brings_its_benchmarks_and_settings(tmp_path: Path) -> None:
    found = resolved("qwenlong-l15", files=tmp_path)
    assert [one.benchmark.name for one in found.targets] == list(SUITES["qwenlong-l15"].benchmarks)
    assert found.label == "qwenlong-l15"
    _, plan, _ = resolve_request("qwenlong-l15", {"model": SERVER, "files": tmp_path})
    asking = plan.asking
    assert (asking.max_prompt_tokens, asking.max_new_tokens) == (128_000, 50_000)
    assert (asking.temperature, asking.top_p) == (0.7, 0.95)


def test_a_benchmark_by_itself_has_its_own_protocol_until_something_is_stated(
    tmp_path: Path,
) -> None:
    def put(name: str, *overrides: str) -> tuple[int, int, float]:
        settings = {"model": SERVER, "files": tmp_path, "overrides": overrides}
        _, plan, _ = resolve_request(name, settings)
        found = asking_of(
            plan.targets.targets[0],
            plan.asking,
            agent="single_pass",
            reader=None,
            window_tokens=1_000_000,
            is_threaded=True,
        )
        params = found.params
        return found.max_prompt_tokens, params.max_new_tokens, params.temperature

    assert put("longbench-v2") == (120_000, 128, 0.1)
    assert put("longbench-v2", "asking.thinking_tokens=1000") == (120_000, 1_128, 0.1)
    assert put("longbench-v2", "asking.max_new_tokens=9") == (120_000, 9, 0.1)
    assert put("longbench-v2", "asking.temperature=1") == (120_000, 128, 1.0)
    assert put("mrcr") == (128_000, 50_000, 0.7)


def test_targets_with_settings_of_their_own_are_asked_apart(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'qwenlong-l15' and 'tatqa' are asked with settings"):
        resolved("qwenlong-l15", "tatqa", files=tmp_path)


def test_what_is_stated_wins_over_the_suite(tmp_path: Path) -> None:
    settings = {
        "model": SERVER,
        "files": tmp_path,
        "overrides": ["asking.max_new_tokens=9"],
        "num_samples": 3,
        "seed": 5,
    }
    _, plan, _ = resolve_request("qwenlong-l1", settings)
    asking = plan.asking
    assert (asking.max_prompt_tokens, asking.max_new_tokens) == (120_000, 9)
    assert (asking.num_samples, asking.seed) == (3, 5)


def test_files_of_several_benchmarks_lie_in_folders_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    found = resolved("frames", "tatqa", files=tmp_path)
    assert [one.folder for one in found.targets] == [tmp_path / "frames", tmp_path]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["longbench-v3"], "did you mean 'longbench-v2'"),
        (["frames", "frames"], "a benchmark is named twice"),
    ],
)
def test_names_that_are_none_are_refused(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolved(*names, files=tmp_path)


def test_a_folder_without_examples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no examples"):
        resolved(str(tmp_path))


def test_official_files_are_asked_for_by_name_address_and_licence() -> None:
    with pytest.raises(DataError, match=r"data\.json.*huggingface\.co/datasets/THUDM.*Apache-2"):
        resolved("longbench-v2")


def test_examples_take_the_lengths_of_the_recipe() -> None:
    parts = toy()
    _, plan, _ = resolve_request(str(parts.questions), {"model": str(parts.model)})
    assert (plan.asking.max_prompt_tokens, plan.asking.max_new_tokens) == (256, 48)
    assert plan.asking.thinking == "always"


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (200_000, (128_000, 50_000)),  # as stated
        (131_072, (98_304, 32_768)),  # a quarter for the answer
        (32_768, (24_576, 8_192)),
        (2, (1, 1)),
    ],
)
def test_limits_fit_the_window(window: int, expected: tuple[int, int]) -> None:
    assert limits_within(window, 128_000, 50_000) == expected


def test_a_plan_counts_and_calls_nobody(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    WRITERS["longbench-v2"](tmp_path / "files")
    (found,) = api.plan_evaluation(
        "longbench-v2",
        model=SERVER,
        files=tmp_path / "files",
        num_samples=3,
        overrides=["asking.answer_price=10", "asking.max_new_tokens=50000"],
    )
    assert (found.num_questions, found.num_answers) == (2, 6)
    assert found.most_written_tokens == 6 * 50_000
    assert found.cost == pytest.approx(6 * 50_000 * 10 / 1e6)
    assert 100 < found.num_prompt_tokens < 2_000


def test_a_plan_knows_the_limits_that_benchmarks_state(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked = {"model": SERVER, "max_questions": 11}
    (own,) = api.plan_evaluation("ruler-4k", **asked)
    (common,) = api.plan_evaluation("ruler-4k", overrides=["asking.max_new_tokens=50000"], **asked)
    assert 11 * 30 <= own.most_written_tokens <= 11 * 128
    assert common.most_written_tokens == 11 * 50_000
    (closed,) = api.plan_evaluation("ruler-4k", agent="closed_book", **asked)
    assert closed.num_prompt_tokens < 11 * 200 < own.num_prompt_tokens


def test_without_a_network_the_hub_is_said_to_be_out_of_reach(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="could not be downloaded"):
        download_files(BENCHMARKS["longbench-v2"], tmp_path / "files")
    assert not list(tmp_path.glob("**/*.json"))


def test_what_is_not_on_the_hub_says_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gorilla"):
        download_files(BENCHMARKS["bfcl-memory"], tmp_path)


@pytest.mark.slow
def test_the_tiny_suite_is_generated_asked_and_scored(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = api.evaluate("held-out-tiny", output=tmp_path / "run", max_questions=40)
    names = [one.title for one in outcome.results.benchmarks]
    assert names == [
        "Held out, tiny: questions",
        *(f"Held out, tiny: windows-{windows}" for windows in (2, 4, 8)),
    ]
    questions = outcome.results.benchmarks[0].questions
    assert len({one.facets["task"] for one in questions}) == 5
    assert sum(one.mean("strict") for one in questions) > 5
    again = api.evaluate("held-out-tiny", output=tmp_path / "again", max_questions=40)
    assert again.results.benchmarks == outcome.results.benchmarks


def test_a_server_may_hold_a_model_that_does_not_think() -> None:
    _, plan, _ = resolve_request(str(toy().questions), {"model": SERVER})
    assert plan.asking.thinking == "auto"
