"""The benchmarks by name: `inspect eval longloom/NAME`, beside `longloom evaluate NAME`."""

from pathlib import Path
from typing import Any

import pytest

from longloom.errors import ConfigError
from longloom.evaluation.benchmarks.catalogue import BENCHMARKS
from longloom.recipes.verbs.evaluate import evaluate
from longloom.recipes.verbs.read_model import ReadModel
from official_files import WRITERS
from scripted_endpoint import ScriptedEndpoint, prompt_of

pytestmark = [
    pytest.mark.inspect,
    pytest.mark.enable_socket,
    pytest.mark.allow_hosts(["127.0.0.1"]),
]

ANSWER = "The correct answer is (B)."


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SCRIPTED_API_KEY", "none")
    with ScriptedEndpoint(lambda body: ANSWER) as opened:
        yield opened


def write(folder: Path, name: str) -> None:
    (folder / name).mkdir()
    WRITERS[name](folder / name)


def by_inspect(endpoint: ScriptedEndpoint, tasks: Any, folder: Path, **arguments: Any) -> list[Any]:
    from inspect_ai import eval as run

    return list(
        run(
            tasks,
            model="openai-api/scripted/scripted",
            model_base_url=endpoint.url,
            task_args=arguments,
            log_dir=str(folder),
            display="none",
            log_level="error",
        )
    )


def test_a_benchmark_is_asked_by_name_as_our_own_verb_asks_it(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    write(tmp_path, "longbench-v2")
    (log,) = by_inspect(
        endpoint, "longloom/longbench-v2", tmp_path / "logs", data=str(tmp_path), num_samples=2
    )
    asked = sorted(request_of(body) for body in endpoint.bodies)
    endpoint.bodies.clear()
    outcome = evaluate(
        "longbench-v2",
        model=ReadModel(endpoint=endpoint.url, model_name="scripted", window_tokens=200_000),
        files=tmp_path,
        output=tmp_path / "ours",
        overrides=["asking.num_samples=2"],
    )
    assert sorted(request_of(body) for body in endpoint.bodies) == asked
    (ours,) = outcome.results.benchmarks
    assert {
        (sample.id, sample.epoch): (score.value, score.metadata["parity"])
        for sample in log.samples
        for score in [sample.scores["benchmark_score"]]
    } == {
        (one.question_id, number + 1): (answer.strict, answer.parity)
        for one in ours.questions
        for number, answer in enumerate(one.answers)
    }


def request_of(body: dict[str, Any]) -> tuple[Any, ...]:
    return prompt_of(body), body["seed"], body["temperature"], body["top_p"], body["max_tokens"]


def test_every_benchmark_without_preparation_is_a_task(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    from longloom.recipes.evaluating.inspect_entry import make_task

    tasks = []
    for name in WRITERS:
        if BENCHMARKS[name].prepare is None:
            write(tmp_path, name)
            tasks.append(make_task(name, files=str(tmp_path), num_samples=1))
    logs = by_inspect(endpoint, tasks, tmp_path / "logs")
    assert len(logs) == len(tasks) > 10
    for log in logs:
        assert log.status == "success", (log.eval.task, log.error)
        assert log.results.completed_samples == len(log.samples) > 0
        assert all(sample.input.startswith(log.eval.task_display_name) for sample in log.samples)


def test_the_memory_agent_is_chosen_by_name(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    write(tmp_path, "longbench-v2")
    (log,) = by_inspect(
        endpoint, "longloom/longbench-v2", tmp_path / "logs", data=str(tmp_path), agent="memory"
    )
    assert log.status == "success"
    assert any("<section>" in prompt_of(body) for body in endpoint.bodies)


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("longbench-v2", {"agent": "oracle"}, "expected one of single_pass"),
        ("longbench-v2", {"files": "x", "max_prompt_token": 3}, "max_prompt_tokens"),
        ("bfcl-memory", {"files": "x"}, "longloom evaluate bfcl-memory"),
    ],
)
def test_wrong_settings_are_refused(name: str, settings: dict[str, Any], said: str) -> None:
    from longloom.recipes.evaluating.inspect_entry import make_task

    with pytest.raises(ConfigError, match=said):
        make_task(name, **settings)
