"""Start the sides of a benchmark, each in a process of its own, and read what they measured."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from grpo_steps.made_prompts import StepShape, make_prompts, write_prompts

BENCHMARKS = Path(__file__).resolve().parents[1]
PEER_PYTHON = BENCHMARKS.parent / ".venv.parity" / "bin" / "python"
"""Made by `make bench-step` and `make test-parity`."""
_SHOWN_CHARACTERS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """What a child shall do; written as JSON, read by both sides."""

    model: str
    """Model folder."""
    prompts: str
    """JSON of prompts: `num_steps + 1` of them, or as many times the group where unshared."""
    prompt_tokens: int
    """Tokens of every prompt."""
    response_tokens: int
    """Tokens of every answer."""
    group_size: int
    """Answers to a prompt."""
    num_steps: int
    """Steps that count; one more comes before them."""
    threads: int = 1
    """Threads of the child."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where it runs."""
    dtype: Literal["bfloat16", "float32"] = "float32"
    """In what the network computes."""
    gradient_checkpointing: bool = False
    """Whether layers are computed again in the backward pass."""
    shares_prompts: bool = True
    """Ours only: whether the answers have one prompt."""
    peer_micro_batch: int | None = None
    """The peer only: rows of a micro-batch; None takes the whole group at once."""


def made_plan(folder: Path, shape: StepShape, *, num_steps: int, **machine: Any) -> StepPlan:
    """Write the prompts of a shape beside the model in `folder`; return the plan of both sides.

    `machine` are the plan's other settings.
    """
    prompts = folder / f"prompts-{shape.prompt_tokens}.json"
    count = (num_steps + 1) * shape.group_size
    write_prompts(prompts, make_prompts(folder, shape.prompt_tokens, count))
    return StepPlan(
        model=str(folder),
        prompts=str(prompts),
        prompt_tokens=shape.prompt_tokens,
        response_tokens=shape.response_tokens,
        group_size=shape.group_size,
        num_steps=num_steps,
        **machine,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildFigures:
    """What a child measured, or why it did not."""

    figures: Mapping[str, Any] | None
    """Its JSON; None if it failed."""
    failure: str = ""
    """The last lines it wrote, if it failed."""


def read_plan(path: Path) -> StepPlan:
    """Return the plan that `run_child` wrote."""
    return StepPlan(**json.loads(path.read_text("utf-8")))


def run_ours(plan: StepPlan, *, timeout_seconds: float) -> ChildFigures:
    """Take the plan's steps with the local engine."""
    return _run_child(plan, [sys.executable, "-m", "grpo_steps.our_steps"], timeout_seconds)


def run_gradients(plan: StepPlan, *, timeout_seconds: float) -> ChildFigures:
    """Compare gradients and time forward and backward passes."""
    return _run_child(plan, [sys.executable, "-m", "grpo_steps.gradient_gap"], timeout_seconds)


def run_trl(plan: StepPlan, *, python: Path, timeout_seconds: float) -> ChildFigures:
    """Take the plan's steps with TRL in its own environment."""
    script = BENCHMARKS / "grpo_steps" / "trl_steps.py"
    return _run_child(plan, [str(python), str(script)], timeout_seconds)


def _run_child(plan: StepPlan, command: Sequence[str], timeout_seconds: float) -> ChildFigures:
    with tempfile.TemporaryDirectory(prefix="grpo-step-") as scratch:
        plan_path, result_path = Path(scratch) / "plan.json", Path(scratch) / "result.json"
        fields = {**asdict(plan), "scratch": scratch} if _is_peer(command) else asdict(plan)
        plan_path.write_text(json.dumps(fields), "utf-8")
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(plan.threads),
            "PYTHONPATH": os.pathsep.join([str(BENCHMARKS), str(BENCHMARKS.parent / "src")]),
            "TOKENIZERS_PARALLELISM": "false",
        }
        try:
            finished = subprocess.run(
                [*command, str(plan_path), str(result_path)],
                env=environment, capture_output=True, text=True, timeout=timeout_seconds,
                cwd=scratch,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return ChildFigures(figures=None, failure=f"no result within {timeout_seconds:.0f} s")
        except OSError as error:
            return ChildFigures(figures=None, failure=f"{command[0]}: {error.strerror}")
        if finished.returncode or not result_path.is_file():
            return ChildFigures(figures=None, failure=finished.stderr[-_SHOWN_CHARACTERS:].strip())
        return ChildFigures(figures=json.loads(result_path.read_text("utf-8")))


def _is_peer(command: Sequence[str]) -> bool:
    return command[-1].endswith("trl_steps.py")


def median_figures(children: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return medians over all steps of several runs of one side, and over runs for memory."""
    steps = [step for child in children for step in child["steps"]]
    medians = {name: round(statistics.median(step[name] for step in steps), 6) for name in steps[0]}
    medians["update_cpu_seconds"] = round(
        statistics.median(step["cpu_seconds"] - step["rollout_cpu_seconds"] for step in steps), 6
    )
    memory = {
        name: statistics.median(child[name] for child in children)
        for name in ("start_mb", "peak_mb", "above_start_mb")
    }
    return {
        "engine": children[0]["engine"],
        "num_runs": len(children),
        "num_steps": len(steps),
        "least_cpu_seconds": round(min(step["cpu_seconds"] for step in steps), 6),
        **medians,
        **memory,
    }
