"""Training and evaluation with a judge on this machine that answers, fails and comes back."""

import json
from dataclasses import replace

import pytest

from longloom.errors import ConfigError, RewardError
from longloom.recipes import api
from longloom.records import RewardRule
from longloom.runlog import read_manifest, read_metrics
from longloom.synthesis.storage import read_examples, write_examples
from scripted_endpoint import Fault, ScriptedEndpoint, always_fails, prompt_of
from tiny_folder import TINY_TRAINING, Toy, toy

pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def parts() -> Toy:
    return toy()


@pytest.fixture
def questions(parts, tmp_path):
    """Questions whose rule no answer of a random model meets, but which are all judged."""
    examples, contexts = read_examples(parts.questions)
    judged = [
        replace(example, reward_rule=RewardRule.COVER_EXACT_MATCH, answer="zzz no such word")
        for example in examples
    ]
    write_examples(tmp_path / "questions", judged, contexts)
    return tmp_path / "questions"


def judge(url: str, **settings) -> str:
    endpoint = {
        "url": url,
        "model": "scripted",
        "max_retries": 1,
        "first_backoff_seconds": 0.01,
        "last_backoff_seconds": 0.01,
    }
    # A random model never closes its thinking: without that, nothing would be judged.
    return json.dumps({"endpoint": endpoint, "max_outage_seconds": 0.2, **settings})


def overrides(url: str, **settings) -> tuple[str, ...]:
    return (*TINY_TRAINING, f"judge={judge(url, **settings)}", *READ_ALL)


READ_ALL = ("reward.requires_thinking=false",)


def says_yes_to_some(body) -> str:
    return "[[YES]]" if sum(prompt_of(body).encode()) % 2 else "[[NO]]"


@pytest.fixture
def answers(monkeypatch):
    """Take the whole response as the stated answer: a random model states none."""
    from longloom.rewards import hybrid

    monkeypatch.setattr(
        hybrid, "extract_answer", lambda text, requires_thinking: text.strip()[:50] or "nothing"
    )


@pytest.mark.usefixtures("answers")
def test_judge_gives_rewards_and_is_counted_and_never_asked_twice(
    parts, questions, tmp_path
) -> None:
    with ScriptedEndpoint(says_yes_to_some) as server:
        settings = {"model": parts.model, "overrides": overrides(server.url)}
        trained = api.train(questions, output=tmp_path / "t", **settings)
        rows = read_metrics(tmp_path / "t/metrics.jsonl")
        assert sum(row.metrics["reward/judge_calls"] for row in rows) == len(server.bodies)
        for row in rows:
            calls = row.metrics["reward/judge_calls"] + row.metrics["reward/judge_cached"]
            assert calls == 10  # 5 questions, 2 rollouts
            assert row.metrics["reward/mean"] == row.metrics["reward/judge_yes_fraction"]
        num_asked = len(server.bodies)
        assert num_asked >= 10
        # Begun afresh, the judge is asked anew, unless its verdicts are kept elsewhere.
        again = api.train(questions, output=tmp_path / "t", fresh=True, **settings)
        assert len(server.bodies) == 2 * num_asked
    assert again.last_metrics["reward/mean"] == trained.last_metrics["reward/mean"]


@pytest.mark.usefixtures("answers")
def test_verdicts_in_a_folder_of_their_own_outlast_a_training(parts, questions, tmp_path) -> None:
    with ScriptedEndpoint(says_yes_to_some) as server:
        changes = overrides(server.url, cache_folder=str(tmp_path / "verdicts"))
        settings = {"output": tmp_path / "t", "model": parts.model, "overrides": changes}
        api.train(questions, **settings)
        num_asked = len(server.bodies)
        again = api.train(questions, fresh=True, **settings)
        assert len(server.bodies) == num_asked
    assert again.last_metrics["reward/judge_calls"] == 0


@pytest.mark.usefixtures("answers")
def test_step_of_unclear_verdicts_is_warned_about_once(parts, questions, tmp_path, caplog) -> None:
    with ScriptedEndpoint(lambda body: "I cannot say.") as server:
        settings = {"model": parts.model, "overrides": overrides(server.url)}
        trained = api.train(questions, output=tmp_path / "t", **settings)
    warned = [record for record in caplog.records if "verdicts were unclear" in record.message]
    assert len(warned) == trained.num_steps == 2
    assert warned[0].message.startswith("10 of 10 verdicts were unclear, neither [[YES]] nor")


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize("fault", [Fault.RATE_LIMITED, Fault.SERVER_ERROR, Fault.GARBAGE_JSON])
def test_outage_fails_the_step_and_the_resumed_run_ends_in_the_same_bits(
    parts, questions, tmp_path, fault
) -> None:
    with ScriptedEndpoint(says_yes_to_some) as server:
        whole = api.train(
            questions, output=tmp_path / "whole", model=parts.model, overrides=overrides(server.url)
        )
        num_asked = len(server.bodies)

    def breaks_down(body, num_earlier):
        return fault if len(broken.bodies) > num_asked // 2 else None

    with ScriptedEndpoint(says_yes_to_some, faults=breaks_down) as broken:
        settings = {"model": parts.model, "overrides": overrides(broken.url)}
        with pytest.raises(RewardError, match="run the same command again"):
            api.train(questions, output=tmp_path / "two", **settings)
    logged = read_metrics(tmp_path / "two/metrics.jsonl")
    assert len(logged) < 2
    with ScriptedEndpoint(says_yes_to_some) as moved:  # at another address: that may change
        resumed = api.train(
            questions, output=tmp_path / "two", model=parts.model, overrides=overrides(moved.url)
        )
        assert read_manifest(tmp_path / "two/run.yaml").config["judge"]["endpoint"]["url"] == (
            moved.url
        )
    files = [outcome.model / "model.safetensors" for outcome in (whole, resumed)]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.usefixtures("answers")
def test_outage_at_the_first_step_keeps_the_folder_and_the_verdicts(
    parts, questions, tmp_path
) -> None:
    with (
        ScriptedEndpoint(says_yes_to_some, faults=always_fails(Fault.UNAVAILABLE)) as server,
        pytest.raises(RewardError),
    ):
        api.train(
            questions, output=tmp_path / "t", model=parts.model, overrides=overrides(server.url)
        )
    assert (tmp_path / "t/judge/replies.sqlite").is_file()
    assert read_metrics(tmp_path / "t/metrics.jsonl") == ()


@pytest.mark.usefixtures("answers")
def test_another_judge_is_another_training(parts, questions, tmp_path) -> None:
    with ScriptedEndpoint(says_yes_to_some) as server:
        settings = {"output": tmp_path / "t", "model": parts.model}
        api.train(questions, overrides=overrides(server.url), **settings)
        with pytest.raises(ConfigError, match="other settings"):
            api.train(questions, overrides=(*TINY_TRAINING, *READ_ALL), **settings)


@pytest.mark.usefixtures("answers")
def test_evaluation_asks_the_same_judge(parts, questions, tmp_path) -> None:
    with ScriptedEndpoint(lambda body: "[[YES]]") as server:
        outcome = api.evaluate(
            questions,
            model=parts.model,
            output=tmp_path / "scores",
            overrides=[f"judge={judge(server.url)}", *READ_ALL, "asking.thinking=never"],
        )
    assert server.bodies
    (found,) = outcome.results.benchmarks
    assert [question.mean("strict") for question in found.questions] == [1.0] * len(found.questions)
