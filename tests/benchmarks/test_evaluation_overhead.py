"""The benchmark of the evaluation's overhead: arguments, medians, and a run at toy size."""

import json

import evaluation_overhead
import pytest
from evaluation_runs.workload import CASES, questions, write_context


def test_cases_are_chosen_by_the_beginning_of_their_names():
    chosen = evaluation_overhead.parse_arguments(["--cases", "4M", "--samples", "2"]).cases
    assert [case.name for case in chosen] == [
        "4M characters",
        "4M characters, cut to 128K tokens",
    ]
    assert {case.num_samples for case in chosen} == {2}
    assert evaluation_overhead.parse_arguments([]).cases == list(CASES)


@pytest.mark.parametrize("given", [["--cases", "none"], ["--samples", "2", "--write"]])
def test_parts_are_not_kept_and_unknown_cases_refused(given):
    with pytest.raises(SystemExit):
        evaluation_overhead.parse_arguments(given)


def test_prompts_differ_and_have_their_length(tmp_path):
    write_context(tmp_path / "context.txt", 1_000)
    found = questions(tmp_path / "context.txt", 3)
    asked = [found.ask(one) for one in found.questions]
    assert [len(one.context) for one in asked] == [1_000] * 3
    assert len({one.message for one in asked}) == 3


def took(wall, cpu=1.0, log=1_000):
    return {
        "num_samples": 100, "num_calls": 200, "wall_seconds": wall, "cpu_seconds": cpu,
        "log_bytes": log, "peak_mb": 50.0, "strict": 1.0,
    }  # fmt: skip


def test_targets_are_of_medians():
    rounds = {
        CASES[0].name: {
            "ours": [took(0.5), took(0.4), took(100.0)],
            "inspect": [took(2.0)],
            "adapter": [took(2.5, log=3_000_000)],
        }
    }
    result = evaluation_overhead.summarised(rounds)
    ours = result["cases"][CASES[0].name]["ours"]
    assert (ours["samples_per_second"], ours["cpu_ms_per_sample"]) == (200.0, 10.0)
    assert (ours["cpu_ms_per_call"], ours["log_bytes_per_sample"]) == (5.0, 10.0)
    assert result["targets_met"] == {
        "ours: at least 100 short samples a second": True,
        "adapter: no slower than inspect_ai at 1K characters": False,
        "ours: log of a sample under 20 KB at 1K characters": True,
        "adapter: log of a sample under 20 KB at 1K characters": False,
    }


def test_our_runner_is_measured_without_inspect(tmp_path):
    given = ["--cases", "1K", "--samples", "3", "--rounds", "1"]
    result = evaluation_overhead.main([*given, "--inspect-python", str(tmp_path / "none")])
    assert "left out" in result["inspect_ai"]
    (ours,) = result["cases"]["1K characters"].values()
    assert (ours["num_samples"], ours["num_calls"], ours["strict"]) == (3, 3, 1.0)
    assert ours["log_bytes_per_sample"] < 1_000


def test_kept_figures_are_within_the_targets():
    kept = json.loads(evaluation_overhead.RESULT.read_text("utf-8"))
    assert set(kept["cases"]) == {case.name for case in CASES}
    assert all(kept["targets_met"].values())
    for sides in kept["cases"].values():
        assert all(figures["strict"] == 1.0 for figures in sides.values())
