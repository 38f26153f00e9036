"""One GRPO step on one CPU thread: ours and TRL 1.16 side by side, and shared prompts against rows.

    python benchmarks/grpo_step.py [--shapes 1024/32/8,4096/32/8,1024/256/8] [--write]

A step is one prompt, a group of answers of exact length, rewards, advantages and one update, with a
0.92M Qwen3 of random weights in fp32. Every side runs in a process of its own and they take turns,
so that what else the machine does falls on both; medians over all steps are reported. Memory is the
largest resident set above where it stood before the first step. TRL needs an environment of its
own: that of `make bench-step`, or --trl-python.

Targets: a quarter of TRL's CPU time at 1024/32/8 and a sixth at 4096/32/8, a quarter of its memory,
gradients within 1e-5 of plain rows, and at 1024/256/8 twice as fast forward and backward, and the
whole step 1.5 times as fast, as unshared rows. Result: results/grpo_step.json.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grpo_steps.children import (
    PEER_PYTHON,
    ChildFigures,
    made_plan,
    median_figures,
    run_gradients,
    run_ours,
    run_trl,
)
from grpo_steps.made_model import TINY, write_model
from grpo_steps.made_prompts import StepShape
from machine_facts import machine_facts

SHAPES = ("1024/32/8", "4096/32/8", "1024/256/8")
CPU_TARGETS = {"1024/32/8": 4.0, "4096/32/8": 6.0}
"""How many times less CPU time than TRL."""
MEMORY_TARGET = 4.0
"""How many times less memory above start than TRL."""
GRADIENT_TARGET = 1e-5
UNSHARED_TARGETS = {"1024/256/8": {"forward_backward": 2.0, "step": 1.5}}
"""How many times faster than unshared rows."""
RESULT = Path(__file__).parent / "results" / "grpo_step.json"


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shapes", default=",".join(SHAPES), help="prompt/answer/group, ...")
    parser.add_argument("--steps", type=int, default=3, help="steps that count in every run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of every side, in turn")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--trl-python", type=Path, default=PEER_PYTHON)
    parser.add_argument("--trl-micro", type=int, default=None, help="rows of a micro-batch of TRL")
    parser.add_argument("--without-trl", action="store_true")
    parser.add_argument("--timeout", type=float, default=1_200, help="seconds of one run")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    return parser.parse_args(arguments)


def measure_shape(shape: StepShape, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of all sides at one shape."""
    shared = made_plan(
        folder,
        shape,
        num_steps=options.steps,
        threads=options.threads,
        peer_micro_batch=options.trl_micro,
    )
    found: dict[str, list[ChildFigures]] = {"ours": [], "ours_unshared": [], "trl": []}
    for turn in range(options.rounds):
        show(f"{shape.name}: round {turn + 1} of {options.rounds}")
        found["ours"].append(run_ours(shared, timeout_seconds=options.timeout))
        if not options.without_trl:
            found["trl"].append(
                run_trl(shared, python=options.trl_python, timeout_seconds=options.timeout)
            )
        unshared = replace(shared, shares_prompts=False)
        found["ours_unshared"].append(run_ours(unshared, timeout_seconds=options.timeout))
    gradients = run_gradients(shared, timeout_seconds=options.timeout)
    return summarised(shape, found, gradients)


def summarised(
    shape: StepShape, found: dict[str, list[ChildFigures]], gradients: ChildFigures
) -> dict[str, Any]:
    """Return medians, ratios and what the targets say."""
    sides: dict[str, Any] = {}
    for name, children in found.items():
        failures = [child.failure for child in children if child.figures is None]
        if failures:
            sides[name] = {"failure": failures[0]}
        elif children:
            sides[name] = median_figures([child.figures for child in children if child.figures])
    check_alike(shape, found)
    result = {**sides, "gradients": gradients.figures or {"failure": gradients.failure}}
    ratios = ratios_of(result)
    return {**result, "ratios": ratios, "targets_met": targets_met(shape, ratios, result)}


def check_alike(shape: StepShape, found: dict[str, list[ChildFigures]]) -> None:
    """Check that all sides did the same work.

    Raises:
        SystemExit: prompts or lengths differ.
    """
    digests = {
        name: {tuple(child.figures["prompt_digests"]) for child in found[name] if child.figures}
        for name in ("ours", "trl")
    }
    if len(digests["ours"] | digests["trl"]) > 1:
        sys.exit(f"{shape.name}: the sides read different prompts: {digests}")
    for name, children in found.items():
        lengths = {
            step["answer_tokens"]
            for child in children
            if child.figures
            for step in child.figures["steps"]
        }
        if lengths - {float(shape.response_tokens)}:
            sys.exit(f"{shape.name}: answers of {name} have {lengths} tokens")


def ratios_of(result: dict[str, Any]) -> dict[str, float]:
    """Return how many times more the others take."""
    ours = result.get("ours", {})
    ratios: dict[str, float] = {}
    for name in ("trl", "ours_unshared"):
        other = result.get(name, {})
        if "cpu_seconds" in ours and "cpu_seconds" in other:
            for part in ("cpu_seconds", "rollout_cpu_seconds", "update_cpu_seconds"):
                ratios[f"{name}_{part}"] = round(other[part] / ours[part], 2)
            ratios[f"{name}_wall_seconds"] = round(other["wall_seconds"] / ours["wall_seconds"], 2)
            ratios[f"{name}_memory"] = round(other["above_start_mb"] / ours["above_start_mb"], 2)
    gradients = result["gradients"]
    if "shared_cpu_seconds" in gradients:
        for name in ("own_rows", "transformers_rows"):
            ratios[f"{name}_forward_backward"] = round(
                gradients[f"{name}_cpu_seconds"] / gradients["shared_cpu_seconds"], 2
            )
    return ratios


def targets_met(
    shape: StepShape, ratios: dict[str, float], result: dict[str, Any]
) -> dict[str, bool]:
    """Return every target of this shape that could be measured."""
    met: dict[str, bool] = {}
    if shape.name in CPU_TARGETS and "trl_cpu_seconds" in ratios:
        wanted = CPU_TARGETS[shape.name]
        met[f"{wanted:g} times less CPU time than TRL"] = ratios["trl_cpu_seconds"] >= wanted
    if "trl_memory" in ratios:
        met["a quarter of TRL's memory above start"] = ratios["trl_memory"] >= MEMORY_TARGET
    difference = result["gradients"].get("relative_difference_to_transformers_rows")
    if difference is not None:
        met["gradient within 1e-5 of plain rows"] = difference <= GRADIENT_TARGET
    wanted_by_part = UNSHARED_TARGETS.get(shape.name, {})
    ratio_by_part = {
        "forward_backward": ratios.get("own_rows_forward_backward"),
        "step": ratios.get("ours_unshared_cpu_seconds"),
    }
    for part, wanted in wanted_by_part.items():
        found = ratio_by_part[part]
        if found is not None:
            met[f"{part} {wanted:g} times faster than unshared rows"] = found >= wanted
    return met


def show_shape(name: str, result: dict[str, Any]) -> None:
    """Print the figures of one shape."""
    for side in ("ours", "ours_unshared", "trl"):
        figures = result.get(side)
        if figures is None:
            continue
        if "failure" in figures:
            show(f"{name:<11} {side:<14} failed: {figures['failure']}")
            continue
        show(
            f"{name:<11} {side:<14} {figures['cpu_seconds']:8.3f} CPU-s a step "
            f"({figures['rollout_cpu_seconds']:.3f} rollouts, "
            f"{figures['update_cpu_seconds']:.3f} update), {figures['wall_seconds']:.3f} s, "
            f"{figures['above_start_mb']:.0f} MB above start"
        )
    show(f"{name:<11} gradients      {json.dumps(result['gradients'])}")
    show(f"{name:<11} times more     {json.dumps(result['ratios'])}")
    for target, is_met in result["targets_met"].items():
        show(f"{name:<11} {'met   ' if is_met else 'MISSED'}         {target}")


def show(line: str) -> None:
    """Print one line at once."""
    print(line, flush=True)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of all shapes, with command, machine and date."""
    with tempfile.TemporaryDirectory(prefix="grpo-model-") as name:
        folder = Path(name)
        write_model(folder, TINY)
        shapes = {}
        for shape_name in options.shapes.split(","):
            shapes[shape_name] = measure_shape(StepShape.parse(shape_name), folder, options)
            show_shape(shape_name, shapes[shape_name])
    return {
        "benchmark": "grpo_step",
        "command": f"python benchmarks/grpo_step.py --shapes {options.shapes} "
        f"--rounds {options.rounds} --steps {options.steps} --write",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine_facts(),
        "threads": options.threads,
        "rounds": options.rounds,
        "steps_per_round": options.steps,
        "shapes": shapes,
    }


def main(arguments: list[str]) -> None:
    """Measure, print, and write the result if asked."""
    options = parse_arguments(arguments)
    if not options.without_trl and not options.trl_python.exists():
        sys.exit(
            f"no Python of TRL at {options.trl_python}: run `make bench-step`, name one with "
            "--trl-python, or leave TRL out with --without-trl"
        )
    result = measure(options)
    if options.write:
        RESULT.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
