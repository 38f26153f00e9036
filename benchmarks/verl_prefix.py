"""One forward and backward pass of verl's FSDP2 engine with and without shared prompts, on CPU.

    python benchmarks/verl_prefix.py [--shapes 1024/32/8,4096/32/8,1024/256/8] [--write]

One prompt, a group of answers of exact length, verl's own loss and a 0.92M Qwen3 of random weights
in fp32. Three sides take turns, each in a process of its own in the environment of
`make test-cluster`:

    shared     `PrefixSharingEngine`
    verl       verl's engine, the whole group as one micro-batch
    verl_rows  the same, a row at a time: slower or not, it needs the least memory

Medians over all passes are reported. Memory is the largest resident set above where it stood before
the first pass. The gradients of the sides are compared. Result: results/verl_prefix.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grpo_steps.children import StepPlan
from grpo_steps.made_model import TINY, write_model
from grpo_steps.made_prompts import StepShape
from machine_facts import machine_facts

SHAPES = ("1024/32/8", "4096/32/8", "1024/256/8")
BENCHMARKS = Path(__file__).resolve().parent
RESULT = BENCHMARKS / "results" / "verl_prefix.json"
CLUSTER_PYTHON = BENCHMARKS.parent / ".venv.cluster" / "bin" / "python"
"""Made by `make test-cluster`."""
GRADIENT_TARGET = 1e-5
_SHOWN_CHARACTERS = 800


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shapes", default=",".join(SHAPES), help="prompt/answer/group, ...")
    parser.add_argument("--passes", type=int, default=2, help="passes that count in every run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of every side, in turn")
    parser.add_argument("--python", type=Path, default=CLUSTER_PYTHON)
    parser.add_argument("--timeout", type=float, default=1_200, help="seconds of one run")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    return parser.parse_args(arguments)


def sides_of(shape: StepShape, model: Path, num_passes: int) -> dict[str, StepPlan]:
    """Return what each side shall do."""
    shared = StepPlan(
        model=str(model),
        prompts="",
        prompt_tokens=shape.prompt_tokens,
        response_tokens=shape.response_tokens,
        group_size=shape.group_size,
        num_steps=num_passes,
    )
    verl = replace(shared, shares_prompts=False)
    return {"shared": shared, "verl": verl, "verl_rows": replace(verl, peer_micro_batch=1)}


def run_side(plan: StepPlan, gradients: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return what one side measured in a process of its own.

    Raises:
        SystemExit: it failed; says what it wrote.
    """
    with tempfile.TemporaryDirectory(prefix="verl-prefix-") as scratch:
        plan_path, result_path = Path(scratch) / "plan.json", Path(scratch) / "result.json"
        plan_path.write_text(json.dumps(asdict(plan)), "utf-8")
        command = [str(options.python), "-W", "ignore", "-m", "grpo_steps.verl_passes"]
        environment = {
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": str(plan.threads),
            "PYTHONPATH": os.pathsep.join([str(BENCHMARKS), str(BENCHMARKS.parent / "src")]),
        }
        finished = subprocess.run(
            [*command, str(plan_path), str(result_path), str(gradients)],
            env=environment, capture_output=True, text=True, timeout=options.timeout, cwd=scratch,
        )  # fmt: skip
        if finished.returncode:
            sys.exit(f"a side failed:\n{finished.stderr[-_SHOWN_CHARACTERS:]}")
        figures: dict[str, Any] = json.loads(result_path.read_text("utf-8"))
    return figures


def median_side(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return medians over all passes of several runs, and over runs for memory."""
    passes = [each for run in runs for each in run["passes"]]
    return {
        "engine": runs[0]["engine"],
        "num_passes": len(passes),
        **{name: round(statistics.median(each[name] for each in passes), 4) for name in passes[0]},
        **{
            name: statistics.median(run[name] for run in runs)
            for name in ("start_mb", "peak_mb", "above_start_mb")
        },
    }


def relative_gap(found: Path, expected: Path) -> float:
    """Return the difference of two gradients as one vector, over the size of the second."""
    from safetensors.torch import load_file

    ours, theirs = load_file(found), load_file(expected)
    if ours.keys() != theirs.keys():
        sys.exit(f"other weights have gradients: {sorted(ours.keys() ^ theirs.keys())[:5]}")
    squares = [
        (float((ours[name] - theirs[name]).square().sum()), float(theirs[name].square().sum()))
        for name in theirs
    ]
    difference, size = map(sum, zip(*squares, strict=True))
    return float((difference / size) ** 0.5)


def measure_shape(shape: StepShape, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of all sides at one shape."""
    sides = sides_of(shape, folder / "model", options.passes)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for turn in range(options.rounds):
        show(f"{shape.name}: round {turn + 1} of {options.rounds}")
        for name, plan in sides.items():
            runs[name].append(run_side(plan, folder / f"{name}.safetensors", options))
    result: dict[str, Any] = {name: median_side(found) for name, found in runs.items()}
    result["gradient_gap"] = relative_gap(
        folder / "shared.safetensors", folder / "verl.safetensors"
    )
    ours = result["shared"]
    result["ratios"] = {
        f"{name}_{part}": round(result[name][part] / ours[part], 2)
        for name in ("verl", "verl_rows")
        for part in ("cpu_seconds", "wall_seconds", "above_start_mb")
    }
    result["targets_met"] = {"gradient within 1e-5": result["gradient_gap"] <= GRADIENT_TARGET}
    return result


def show_shape(name: str, result: Mapping[str, Any]) -> None:
    """Print the figures of one shape."""
    for side in ("shared", "verl", "verl_rows"):
        figures = result[side]
        show(
            f"{name:<11} {side:<10} {figures['cpu_seconds']:8.3f} CPU-s, "
            f"{figures['above_start_mb']:.0f} MB above start"
        )
    show(f"{name:<11} times more {json.dumps(result['ratios'])}")
    show(f"{name:<11} gradient gap {result['gradient_gap']:.1e}")


def show(line: str) -> None:
    """Print one line at once."""
    print(line, flush=True)


def main(arguments: list[str]) -> None:
    """Measure, print, and write the result if asked."""
    options = parse_arguments(arguments)
    if not options.python.exists():
        sys.exit(f"no Python of verl at {options.python}: run `make test-cluster` or set --python")
    shapes = {}
    with tempfile.TemporaryDirectory(prefix="verl-model-") as name:
        folder = Path(name)
        write_model(folder / "model", TINY)
        for shape_name in options.shapes.split(","):
            shapes[shape_name] = measure_shape(StepShape.parse(shape_name), folder, options)
            show_shape(shape_name, shapes[shape_name])
    result = {
        "benchmark": "verl_prefix",
        "command": f"python benchmarks/verl_prefix.py --shapes {options.shapes} "
        f"--rounds {options.rounds} --passes {options.passes} --write",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine_facts(),
        "threads": 1,
        "rounds": options.rounds,
        "passes_per_round": options.passes,
        "shapes": shapes,
    }
    if options.write:
        RESULT.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
