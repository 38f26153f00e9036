"""Our server against `transformers serve` and against a bare batched loop, in one call.

    python benchmarks/serving.py [--rounds 3] [--scenarios 1,8,32,long] [--write]

A random Qwen3 of 12.5M parameters in fp32 answers streamed chats of exact length, one thread for
each server: one client, eight and 32 with short prompts, and four with prompts of 4.8K tokens.
Every client asks again as soon as it is answered. Sides take turns, so that what else the machine
does falls on all; medians over rounds are reported. Tokens per CPU second are reported beside
tokens per second, for a busy machine. `transformers serve` needs fastapi, uvicorn and openai beside
transformers: --peer-python.

Targets: 1.8 times as fast as `transformers serve` at one client, 1.6 times as fast as its
continuous batching at eight, 85% of the bare loop at 32. Result: results/serving.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grpo_steps.made_model import write_model
from machine_facts import machine_facts
from serving_runs.clients import run_clients
from serving_runs.scenarios import MODEL, SCENARIOS, WARMING, Scenario
from serving_runs.servers import BENCHMARKS, commands, running

TARGETS = (
    ("1", "transformers", 1.8),
    ("8", "transformers_continuous", 1.6),
    ("32", "bare_loop", 0.85),
)
"""Scenario, whom we are measured against, and how many times as fast we shall be."""
SIDES = ("ours", "transformers", "transformers_continuous", "bare_loop")
RESULT = Path(__file__).parent / "results" / "serving.json"

Figures = dict[str, dict[str, Any]]
"""What one side took in one round, by scenario."""


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="runs of every side, in turn")
    parser.add_argument("--scenarios", default=",".join(each.name for each in SCENARIOS))
    parser.add_argument("--sides", default=",".join(SIDES))
    parser.add_argument("--peer-python", type=Path, default=Path(sys.executable))
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    return parser.parse_args(arguments)


def measure_server(
    command: Sequence[str], folder: Path, scenarios: Sequence[Scenario], round_number: int
) -> Figures:
    """Return what a server takes for each scenario."""
    found: Figures = {}
    with (
        tempfile.TemporaryDirectory(prefix="serving-") as scratch,
        running(command, _model_name(command, folder), Path(scratch)) as server,
    ):
        run_clients(server.address, server.model, WARMING, round_number)
        start_mb = server.peak_mb()
        for scenario in scenarios:
            before = server.cpu_seconds()
            figures = run_clients(server.address, server.model, scenario, round_number)
            found[scenario.name] = {
                **asdict(figures),
                "cpu_seconds": server.cpu_seconds() - before,
                "start_mb": start_mb,
                "peak_mb": server.peak_mb(),
            }
    return found


def _model_name(command: Sequence[str], folder: Path) -> str:
    """Return the model's name in requests: a path for the peer, the folder's name for ours."""
    return str(folder) if "transformers.cli.transformers" in command else folder.name


def measure_bare_loop(folder: Path, scenarios: Sequence[Scenario], round_number: int) -> Figures:
    """Return what the bare loop takes for each scenario."""
    with tempfile.TemporaryDirectory(prefix="serving-") as scratch:
        result = Path(scratch) / "result.json"
        described = json.dumps([asdict(scenario) for scenario in scenarios])
        subprocess.run(
            [
                *[sys.executable, "-m", "serving_runs.bare_loop", str(folder), described],
                *[str(round_number), str(result)],
            ],
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": os.pathsep.join(
                    [str(BENCHMARKS), *filter(None, [os.environ.get("PYTHONPATH")])]
                ),
            },
            check=True,
        )
        found = json.loads(result.read_text("utf-8"))
    memory = {"start_mb": found["start_mb"], "peak_mb": found["peak_mb"]}
    return {name: {**figures, **memory} for name, figures in found["scenarios"].items()}


def measure_rounds(
    folder: Path, scenarios: Sequence[Scenario], sides: Sequence[str], options: argparse.Namespace
) -> dict[str, list[Figures]]:
    """Return what every side took in every round; a side that fails is told and left out."""
    rounds: dict[str, list[Figures]] = {side: [] for side in sides}
    command_of = commands(folder, options.peer_python)
    for round_number in range(options.rounds):
        for side in sides:
            show(f"round {round_number + 1} of {options.rounds}: {side}")
            try:
                rounds[side].append(
                    measure_bare_loop(folder, scenarios, round_number)
                    if side == "bare_loop"
                    else measure_server(command_of[side], folder, scenarios, round_number)
                )
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                show(f"  failed: {error}")
                continue
            for name, figures in rounds[side][-1].items():
                speed = figures["num_tokens"] / figures["wall_seconds"]
                show(f"  {name:<5} {speed:8.1f} tokens/s, {figures['cpu_seconds']:.1f} CPU-s")
    return rounds


def summarised(rounds: Mapping[str, Sequence[Figures]], names: Sequence[str]) -> dict[str, Any]:
    """Return medians of every side at every scenario, ratios and what the targets say."""
    scenarios: dict[str, Any] = {}
    for name in names:
        sides = {
            side: _medians([found[name] for found in all_found])
            for side, all_found in rounds.items()
            if all_found
        }
        scenarios[name] = {**sides, "times_as_fast_as": _ratios(sides)}
    return {"scenarios": scenarios, "targets_met": _targets_met(scenarios)}


def _medians(found: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    speeds = {
        "tokens_per_second": [each["num_tokens"] / each["wall_seconds"] for each in found],
        "tokens_per_cpu_second": [each["num_tokens"] / each["cpu_seconds"] for each in found],
    }
    for name in ("cpu_seconds", "wall_seconds", "first_token_seconds", "start_mb", "peak_mb"):
        if all(name in each for each in found):
            speeds[name] = [each[name] for each in found]
    return {name: round(statistics.median(values), 3) for name, values in speeds.items()}


def _ratios(sides: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Return how many times as fast ours is as each other side, by wall and by CPU time."""
    if "ours" not in sides:
        return {}
    return {
        side: {
            measure: round(sides["ours"][measure] / figures[measure], 2)
            for measure in ("tokens_per_second", "tokens_per_cpu_second")
        }
        for side, figures in sides.items()
        if side != "ours"
    }


def _targets_met(scenarios: Mapping[str, Any]) -> dict[str, bool]:
    met = {}
    for name, side, wanted in TARGETS:
        ratios = scenarios.get(name, {}).get("times_as_fast_as", {}).get(side)
        if ratios is not None:
            label = f"{wanted:g} times as fast as {side} at {name}"
            met[label] = ratios["tokens_per_second"] >= wanted
    return met


def show(line: str) -> None:
    """Print one line at once."""
    print(line, flush=True)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of all sides, with command, machine and date."""
    names = options.scenarios.split(",")
    scenarios = [each for each in SCENARIOS if each.name in names]
    with tempfile.TemporaryDirectory(prefix="serving-model-") as scratch:
        folder = Path(scratch) / "qwen3-12m"
        write_model(folder, MODEL)
        rounds = measure_rounds(folder, scenarios, options.sides.split(","), options)
    return {
        "benchmark": "serving",
        "command": f"python benchmarks/serving.py --rounds {options.rounds} "
        f"--scenarios {options.scenarios} --write",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine_facts(),
        "threads": 1,
        "rounds": options.rounds,
        "requests": {each.name: asdict(each) for each in scenarios},
        **summarised(rounds, [each.name for each in scenarios]),
    }


def main(arguments: Sequence[str]) -> None:
    """Measure, print, and write the result if asked."""
    options = parse_arguments(arguments)
    result = measure(options)
    show(json.dumps({name: result[name] for name in ("scenarios", "targets_met")}, indent=1))
    if options.write:
        RESULT.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
