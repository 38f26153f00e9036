"""One GRPO step on one GPU at long prompts: shared prompts against rows, and TRL where it runs.

    python benchmarks/gpu_step.py [--prompts 8000,32000,64000] [--write]
    python benchmarks/gpu_step.py --toy          # the same on a CPU at toy size, in seconds

Qwen3-0.6B's shape with random weights, bf16 with fp32 optimizer state, gradient checkpointing,
answers of exactly 1,000 tokens in a group of 8. Row tokens per second count prompt and answer of
every row, as an engine that shares nothing must compute them; distinct tokens count the prompt
once. Memory is the largest that torch's allocator held. A side that fails (out of memory) is
reported as failed, with the end of its message. Result: results/gpu_step.json.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grpo_steps.children import PEER_PYTHON, made_plan, median_figures, run_ours, run_trl
from grpo_steps.made_model import QWEN3_600M, ModelSizes, write_model
from grpo_steps.made_prompts import StepShape

TOY_SIZES = ModelSizes(
    vocab_size=2_048,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=16,
    max_position_embeddings=1_024,
)
TOY_SHAPES = (StepShape(prompt_tokens=96, response_tokens=8, group_size=2),)
RESULT = Path(__file__).parent / "results" / "gpu_step.json"


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--prompts", default="8000,32000,64000", help="prompt tokens, ...")
    parser.add_argument("--answer", type=int, default=1_000, help="tokens of every answer")
    parser.add_argument("--group", type=int, default=8, help="answers to the prompt")
    parser.add_argument("--steps", type=int, default=2, help="steps that count, after one more")
    parser.add_argument("--toy", action="store_true", help="toy size on the CPU, in fp32")
    parser.add_argument("--trl-python", type=Path, default=PEER_PYTHON)
    parser.add_argument("--trl-micro", type=int, default=1, help="rows of a micro-batch of TRL")
    parser.add_argument("--without-trl", action="store_true")
    parser.add_argument("--timeout", type=float, default=1_800, help="seconds of one run")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    return parser.parse_args(arguments)


def shapes_of(options: argparse.Namespace) -> tuple[StepShape, ...]:
    """Return the shapes that the options ask for."""
    if options.toy:
        return TOY_SHAPES
    return tuple(
        StepShape(
            prompt_tokens=int(prompt), response_tokens=options.answer, group_size=options.group
        )
        for prompt in options.prompts.split(",")
    )


def measure_shape(shape: StepShape, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of all sides at one shape; a side that failed says why."""
    shared = made_plan(
        folder,
        shape,
        num_steps=options.steps,
        threads=1 if options.toy else (os.cpu_count() or 1),
        device="cpu" if options.toy else "cuda",
        dtype="float32" if options.toy else "bfloat16",
        gradient_checkpointing=True,
        peer_micro_batch=options.trl_micro,
    )
    sides = {
        "ours": run_ours(shared, timeout_seconds=options.timeout),
        "ours_unshared": run_ours(
            replace(shared, shares_prompts=False), timeout_seconds=options.timeout
        ),
    }
    if not options.without_trl:
        sides["trl"] = run_trl(shared, python=options.trl_python, timeout_seconds=options.timeout)
    return {
        name: with_rates(median_figures([child.figures]), shape)
        if child.figures
        else {"failure": child.failure}
        for name, child in sides.items()
    }


def with_rates(figures: dict[str, Any], shape: StepShape) -> dict[str, Any]:
    """Return figures with tokens per second."""
    answers = shape.group_size * shape.response_tokens
    row_tokens = shape.group_size * shape.prompt_tokens + answers
    seconds = figures["wall_seconds"]
    return {
        **figures,
        "row_tokens_per_second": round(row_tokens / seconds, 1),
        "distinct_tokens_per_second": round((shape.prompt_tokens + answers) / seconds, 1),
    }


def show_shape(name: str, sides: dict[str, Any]) -> None:
    """Print the figures of one shape."""
    for side, figures in sides.items():
        if "failure" in figures:
            print(f"{name:<12} {side:<14} failed: {figures['failure']}", flush=True)
            continue
        print(
            f"{name:<12} {side:<14} {figures['wall_seconds']:8.2f} s a step "
            f"({figures['rollout_wall_seconds']:.2f} rollouts), "
            f"{figures['row_tokens_per_second']:.0f} row tokens/s, peak {figures['peak_mb']:.0f} "
            f"MB, {figures['above_start_mb']:.0f} MB above start",
            flush=True,
        )


def device_name(options: argparse.Namespace) -> str:
    """Return what the steps run on.

    Raises:
        SystemExit: there is no GPU, and no toy was asked for.
    """
    if options.toy:
        return f"CPU, {platform.machine()}"
    import torch

    if not torch.cuda.is_available():
        sys.exit("no CUDA device; expected one GPU; --toy runs the same at toy size on the CPU")
    return str(torch.cuda.get_device_name())


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of all shapes, with command, machine and date."""
    device = device_name(options)
    shapes = {}
    with tempfile.TemporaryDirectory(prefix="gpu-model-") as name:
        folder = Path(name)
        write_model(
            folder,
            TOY_SIZES if options.toy else QWEN3_600M,
            dtype="float32" if options.toy else "bfloat16",
        )
        for shape in shapes_of(options):
            shapes[shape.name] = measure_shape(shape, folder, options)
            show_shape(shape.name, shapes[shape.name])
    return {
        "benchmark": "gpu_step",
        "command": "python benchmarks/gpu_step.py --write",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {"device": device, "python": platform.python_version()},
        "steps": options.steps,
        "shapes": shapes,
    }


def main(arguments: list[str]) -> dict[str, Any]:
    """Measure, print, and write the result if asked."""
    options = parse_arguments(arguments)
    if options.toy and options.write:
        sys.exit("--toy measures nothing worth keeping; leave out --write")
    result = measure(options)
    if options.write:
        RESULT.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    return result


if __name__ == "__main__":
    main(sys.argv[1:])
