"""What an evaluation costs beside the model: our runner, inspect_ai, and our adapter of it.

All ask the same prompts of one server that replies at once (a process of its own), 32 at a time,
and score the replies by a search for the answer: 1K characters, 100K and 4M, 4M cut to 128K tokens,
and the memory agent over 1M. Every side runs in a process of its own, in turns, so that what else
the machine does falls on all; medians over rounds are reported, CPU time of the asking process
beside wall time. `inspect` is inspect_ai with its own `generate()`, as its users write tasks: the
prompts are the inputs; it neither cuts them nor reads in sections. `adapter` is the same questions
as a task of ours. Contexts lie on disk and are read when their turn comes, by `ours` and `adapter`.
Writing the log belongs to what is measured.

The two sides of inspect_ai run in the environment of `make test-inspect`; without it they are left
out, and the result says so.
Targets: our runner at least 100 short samples a second; the adapter no slower than inspect_ai; less
than 20 KB of log for a sample of 4M characters.
Usage: python benchmarks/evaluation_overhead.py [--rounds 3] [--cases 1K,4M] [--write]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evaluation_runs.workload import CASES, CONCURRENCY, REPLY, Case, write_context
from machine_facts import machine_facts

BENCHMARKS = Path(__file__).resolve().parent
RESULT = BENCHMARKS / "results" / "evaluation_overhead.json"
INSPECT_PYTHON = BENCHMARKS.parent / ".venv.inspect/bin/python"
SIDES = ("ours", "inspect", "adapter")
TARGETS = {"short_samples_per_second": 100.0, "adapter_to_inspect": 1.0, "log_bytes": 20_000}
_NO_INSPECT = "left out: {} does not import inspect_ai (make test-inspect makes it)"

Figures = dict[str, Any]
"""What one side took for one case in one round; fields of `workload.Figures`."""


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="runs of every side, in turn")
    parser.add_argument("--cases", default="", help="beginnings of the names of cases; default all")
    parser.add_argument("--samples", type=int, help="samples of each case, for a try")
    parser.add_argument("--inspect-python", type=Path, default=INSPECT_PYTHON)
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args(arguments)
    wanted = tuple(options.cases.split(","))
    options.cases = [case for case in CASES if case.name.startswith(wanted)]
    if not options.cases:
        parser.error(f"--cases {','.join(wanted)} names none of {[case.name for case in CASES]}")
    if options.write and (options.samples or len(options.cases) < len(CASES)):
        parser.error("--write keeps whole results alone; leave --cases and --samples out")
    if options.samples:
        options.cases = [replace(one, num_samples=options.samples) for one in options.cases]
    return options


@contextmanager
def stub_endpoint() -> Iterator[str]:
    """Run the server until the end of the block; give its address."""
    server = subprocess.Popen(
        [sys.executable, "-m", "evaluation_runs.stub_endpoint", REPLY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=_environment(),
        text=True,
    )
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.communicate()  # the end of its input ends it


def has_inspect(python: Path) -> bool:
    """Whether an interpreter has inspect_ai."""
    if not python.is_file():
        return False
    asked = [str(python), "-c", "import importlib.util as u; exit(not u.find_spec('inspect_ai'))"]
    return subprocess.run(asked, check=False).returncode == 0


def measure_side(side: str, case: Case, address: str, scratch: Path, python: Path) -> Figures:
    """Return what one side takes for one case, in a process of its own."""
    context, described = str(scratch / "context.txt"), json.dumps(asdict(case))
    program = {
        "ours": [sys.executable, "-m", "evaluation_runs.our_runner"],
        "inspect": [str(python), "-W", "ignore", "-m", "evaluation_runs.inspect_runner", "plain"],
        "adapter": [str(python), "-W", "ignore", "-m", "evaluation_runs.inspect_runner", "adapter"],
    }
    with tempfile.TemporaryDirectory(prefix="log-", dir=scratch) as folder:
        finished = subprocess.run(
            [*program[side], address, described, context, folder],
            env=_environment(),
            check=False,
            capture_output=True,
            text=True,
            cwd=scratch,
        )
    if finished.returncode:
        raise RuntimeError(f"{side}, {case.name}: {finished.stderr[-2_000:]}")
    found: Figures = json.loads(finished.stdout.splitlines()[-1])
    return found


def _environment() -> dict[str, str]:
    paths = [str(BENCHMARKS), str(BENCHMARKS.parent / "src")]
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}


def measure_rounds(
    cases: Sequence[Case], sides: Sequence[str], num_rounds: int, python: Path
) -> dict[str, dict[str, list[Figures]]]:
    """Return what every side took for every case in every round."""
    rounds: dict[str, dict[str, list[Figures]]] = {
        case.name: {side: [] for side in sides if case.is_plain or side != "inspect"}
        for case in cases
    }
    with tempfile.TemporaryDirectory(prefix="evaluation-") as folder, stub_endpoint() as address:
        for case in cases:
            write_context(Path(folder) / "context.txt", case.num_characters)
            for number in range(num_rounds):
                for side, found in rounds[case.name].items():
                    found.append(measure_side(side, case, address, Path(folder), python))
                    speed = found[-1]["num_samples"] / found[-1]["wall_seconds"]
                    show(f"round {number + 1}: {case.name:<34} {side:<8} {speed:8.1f} samples/s")
    return rounds


def summarised(rounds: Mapping[str, Mapping[str, Sequence[Figures]]]) -> dict[str, Any]:
    """Return medians of every side for every case, and what the targets say."""
    cases = {
        name: {side: _medians(found) for side, found in sides.items() if found}
        for name, sides in rounds.items()
    }
    return {"cases": cases, "targets_met": _targets_met(cases)}


def _medians(found: Sequence[Figures]) -> dict[str, float]:
    def median(values: Iterator[float], digits: int = 2) -> float:
        return round(statistics.median(values), digits)

    return {
        "samples_per_second": median(one["num_samples"] / one["wall_seconds"] for one in found),
        "cpu_ms_per_sample": median(
            one["cpu_seconds"] * 1_000 / one["num_samples"] for one in found
        ),
        "cpu_ms_per_call": median(one["cpu_seconds"] * 1_000 / one["num_calls"] for one in found),
        "log_bytes_per_sample": median((one["log_bytes"] / one["num_samples"] for one in found), 0),
        "peak_mb": median((one["peak_mb"] for one in found), 0),
        "num_samples": found[0]["num_samples"],
        "num_calls": found[0]["num_calls"],
        "strict": min(one["strict"] for one in found),
    }


def _targets_met(cases: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, bool]:
    met = {}
    short = cases.get(CASES[0].name, {})
    if "ours" in short:
        least = TARGETS["short_samples_per_second"]
        met[f"ours: at least {least:g} short samples a second"] = (
            short["ours"]["samples_per_second"] >= least
        )
    for name, sides in cases.items():
        if "inspect" in sides and "adapter" in sides:
            ratio = sides["adapter"]["samples_per_second"] / sides["inspect"]["samples_per_second"]
            met[f"adapter: no slower than inspect_ai at {name}"] = (
                ratio >= TARGETS["adapter_to_inspect"]
            )
        for side in ("ours", "adapter"):
            if side in sides:
                met[f"{side}: log of a sample under 20 KB at {name}"] = (
                    sides[side]["log_bytes_per_sample"] < TARGETS["log_bytes"]
                )
    return met


def show(line: str) -> None:
    """Print one line at once."""
    print(line, flush=True)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of all sides, with command, machine and date."""
    found = has_inspect(options.inspect_python)
    sides = SIDES if found else SIDES[:1]
    machine = machine_facts()
    rounds = measure_rounds(options.cases, sides, options.rounds, options.inspect_python)
    return {
        "benchmark": "evaluation_overhead",
        "command": f"python benchmarks/evaluation_overhead.py --rounds {options.rounds} --write",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine,
        "rounds": options.rounds,
        "concurrency": CONCURRENCY,
        "inspect_ai": (
            _version(options.inspect_python) if found else _NO_INSPECT.format(INSPECT_PYTHON.name)
        ),
        **summarised(rounds),
    }


def _version(python: Path) -> str:
    asked = [
        str(python),
        "-c",
        "from importlib.metadata import version as v; print(v('inspect_ai'))",
    ]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


def main(arguments: Sequence[str]) -> dict[str, Any]:
    """Measure, print, and write the result if asked."""
    options = parse_arguments(arguments)
    result = measure(options)
    show(json.dumps(result, indent=1))
    if options.write:
        RESULT.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    return result


if __name__ == "__main__":
    main(sys.argv[1:])
