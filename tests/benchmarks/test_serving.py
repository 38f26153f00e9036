"""The server benchmark measures what it says: equal work, plain ratios."""

from dataclasses import replace

import pytest
from grpo_steps.made_model import ModelSizes, write_model
from serving_runs.bare_loop import BareLoop, measured
from serving_runs.clients import run_clients
from serving_runs.scenarios import MODEL, SCENARIOS, Scenario, prompt_text
from serving_runs.servers import commands, running

import serving

SMALL = ModelSizes(
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=16,
    max_position_embeddings=512,
)
SCENARIO = Scenario(name="two", num_clients=2, num_requests=2, prompt_words=10, answer_tokens=7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("serving") / "small"
    write_model(made, SMALL)
    return made


def test_the_model_has_the_size_that_is_named():
    head = MODEL.head_dim
    heads = MODEL.num_attention_heads, MODEL.num_key_value_heads
    attention = MODEL.hidden_size * head * (2 * heads[0] + 2 * heads[1])
    layer = attention + 3 * MODEL.hidden_size * MODEL.intermediate_size
    parameters = MODEL.num_hidden_layers * layer + MODEL.vocab_size * MODEL.hidden_size
    assert parameters == pytest.approx(12.5e6, rel=0.01)


def test_every_request_has_a_prompt_of_its_own():
    texts = {
        prompt_text(scenario, client, turn, round_number=number)
        for scenario in (SCENARIO, replace(SCENARIO, name="other"))
        for client in range(2)
        for turn in range(2)
        for number in range(2)
    }
    assert len(texts) == 16
    assert {len(text.split()) for text in texts} == {10}


def test_the_bare_loop_answers_in_the_asked_length(folder):
    figures = measured(BareLoop(folder), SCENARIO, 0)
    assert figures["num_tokens"] == SCENARIO.num_answer_tokens == 28
    assert figures["cpu_seconds"] > 0


@pytest.mark.slow
@pytest.mark.enable_socket
def test_our_server_answers_in_the_asked_length(folder, tmp_path):
    pytest.importorskip("fastapi", reason="the extra `serve` is not installed")
    command = commands(folder, tmp_path)["ours"]
    with running(command, folder.name, tmp_path) as server:
        before = server.cpu_seconds()
        figures = run_clients(server.address, server.model, SCENARIO, 0)
        assert figures.num_tokens == SCENARIO.num_answer_tokens
        assert figures.first_token_seconds > 0
        assert server.cpu_seconds() > before
        assert server.peak_mb() > 50


def found(speed, cpu_seconds):
    return {
        "num_tokens": 100, "wall_seconds": 100 / speed, "cpu_seconds": cpu_seconds, "peak_mb": 1.0
    }  # fmt: skip


def test_ratios_are_of_medians_and_targets_of_wall_time():
    rounds = {
        "ours": [{"1": found(speed, 1.0)} for speed in (200, 180, 1_000)],
        "transformers": [{"1": found(speed, 4.0)} for speed in (100, 50, 150)],
        "bare_loop": [],
    }
    result = serving.summarised(rounds, ["1"])
    assert result["scenarios"]["1"]["ours"]["tokens_per_second"] == 200
    assert result["scenarios"]["1"]["times_as_fast_as"] == {
        "transformers": {"tokens_per_second": 2.0, "tokens_per_cpu_second": 4.0}
    }
    assert result["targets_met"] == {"1.8 times as fast as transformers at 1": True}


def test_what_was_not_measured_meets_no_target():
    result = serving.summarised({"ours": [{"8": found(10, 1.0)}]}, ["8"])
    assert result["targets_met"] == {}


def test_every_target_is_of_a_scenario_and_a_side():
    names = {scenario.name for scenario in SCENARIOS}
    assert all(name in names and side in serving.SIDES for name, side, _ in serving.TARGETS)
