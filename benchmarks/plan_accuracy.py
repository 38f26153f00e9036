"""What `longloom plan` foresees of a step on this machine, and what the step takes.

    python benchmarks/plan_accuracy.py [--write] [--case NAME] [--device cuda]

Each case runs in children: one writes a model of random weights; in another the planner measures
the machine at that model's shapes and plans a recipe of one stage of the case's sizes; in a third
the local engine takes three such steps (rollouts of full length, one update), the first to warm up.
Compared are the peak of the memory above the start and the mean time of the other steps: CPU
seconds of one thread on the CPU, seconds on CUDA. The planner measures other sizes than those it is
asked about.

Targets: memory within 25%, time within 40%. Result: results/plan_accuracy.json.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from memory_plan import Case, resident_bytes, sampled, update_of, write_model

RESULT = Path(__file__).parent / "results" / "plan_accuracy.json"
MEMORY_TOLERANCE, TIME_TOLERANCE = 0.25, 0.40
NUM_STEPS = 2
CHECKPOINTED = (("gradient_checkpointing", "on"),)
CASES = (
    Case("short", "1M", 128, 32, num_prompts=16),
    Case("long prompt", "1M", 4_096, 32),
    Case("long answers", "1M", 512, 512),
    Case("large group", "1M", 512, 64, group_size=32, num_prompts=2),
    Case("many prompts", "1M", 256, 32, group_size=4, num_prompts=32),
    Case("short", "12.5M", 256, 32, num_prompts=4),
    Case("long prompt", "12.5M", 4_096, 32),
    Case("long answers", "12.5M", 512, 256, num_prompts=2),
    Case("packed groups", "12.5M", 1_024, 64, num_prompts=4),
    Case("checkpointing", "12.5M", 2_048, 64, settings=CHECKPOINTED),
    Case("short", "60M", 512, 32),
    Case("long prompt", "60M", 2_048, 32),
    Case("long answers", "60M", 256, 128),
)
CUDA_CASES = (
    Case("short", "600M", 2_048, 256, num_prompts=4),
    Case("long prompt", "600M", 32_768, 256),
    Case("long answers", "600M", 2_048, 2_048, num_prompts=4),
    Case("long prompt", "1.7B", 16_384, 256, num_prompts=2),
)


@dataclass(frozen=True)
class Figures:
    """One case."""

    predicted_bytes: float
    """Peak that was foreseen."""
    measured_bytes: float
    """Peak above the start."""
    predicted_seconds: float
    """Time of a step that was foreseen."""
    measured_seconds: float
    """Mean time of a step."""
    predicted_rollout_seconds: float
    """Rollouts alone."""
    measured_rollout_seconds: float
    """Rollouts alone."""
    planning_seconds: float
    """Wall time of the plan, its measurements included."""


def recipe_of(case: Case, folder: Path, device: str):  # noqa: ANN201
    """Return a recipe of one stage of one step with the sizes of a case."""
    from longloom.engines.local_config import LocalEngineConfig
    from longloom.recipes.run_config import EvaluationConfig, RunConfig, StageConfig
    from longloom.synthesis.miniature.config import MiniatureConfig
    from longloom.training.loss_config import LossConfig
    from longloom.training.sampling import PromptSamplingConfig
    from longloom.training.stage import TrainingConfig

    training = TrainingConfig(
        num_steps=1,
        group_size=case.group_size,
        max_prompt_tokens=case.prompt_tokens,
        max_response_tokens=case.response_tokens,
        sampling=PromptSamplingConfig(batch_size=case.num_prompts),
        loss=LossConfig(kl_coefficient=case.kl_coefficient),
    )
    return RunConfig(
        recipe="accuracy",
        model=str(folder),
        synthesis=MiniatureConfig(length_bands=(case.prompt_tokens,)),
        engine=LocalEngineConfig(device=device, **dict(case.settings)),
        stages=(StageConfig(name="stage", kind="full_context", start="base", training=training),),
        evaluation=EvaluationConfig(num_questions=0, num_documents=0),
    )


def planned(case: Case, folder: Path, device: str):  # noqa: ANN201
    """Return the plan of the case's only stage, every prompt and answer at its limit."""
    import torch

    from longloom.recipes.planning.assumptions import PlanAssumptions
    from longloom.recipes.planning.machines import gpus, this_cpu
    from longloom.recipes.planning.recipe_plan import plan_recipe

    assumed = PlanAssumptions(answer_fraction=1.0, prompt_fraction=1.0, rest_fraction=0.0)
    machine = this_cpu()
    if device == "cuda":
        name = torch.cuda.get_device_name().lower()
        known = next(known for known in ("h200", "h100", "l40s", "4090") if known in name)
        machine = gpus(known, 1, None, assumed)
    return plan_recipe(recipe_of(case, folder, device), machine, assumed=assumed).stages[0]


def plan_case(case: Case, folder: Path, device: str) -> dict[str, float]:
    """Return what is foreseen of one case."""
    import torch

    torch.set_num_threads(1)
    began = time.perf_counter()
    plan = planned(case, folder, device)
    assert plan.memory is not None
    return {
        "predicted_bytes": plan.memory.peak_bytes,
        "predicted_seconds": plan.rollout_seconds + plan.training_seconds,
        "predicted_rollout_seconds": plan.rollout_seconds,
        "planning_seconds": time.perf_counter() - began,
    }


def run_case(case: Case, folder: Path, device: str) -> dict[str, float]:
    """Return what one case takes in this process."""
    import torch

    torch.set_num_threads(1)
    from longloom.engines.local import LocalEngine
    from longloom.training.loss_config import LossConfig

    config = recipe_of(case, folder, device).engine
    warm = torch.ones(64, 64, dtype=torch.bfloat16, device=device)
    (warm @ warm, warm.float() @ warm.float())
    forget_peak(device)
    start = current_bytes(device)
    engine = LocalEngine(folder, config=config)
    loss = LossConfig(kl_coefficient=case.kl_coefficient)
    seconds: list[tuple[float, float]] = []
    for _ in range(NUM_STEPS + 1):
        begin = now(device)
        sequences = sampled(engine, case)
        drawn = now(device)
        engine.update(update_of(sequences), loss=loss)
        seconds.append((now(device) - begin, drawn - begin))
    return {
        "measured_bytes": peak_bytes(device) - start,
        "measured_seconds": fmean(step for step, _ in seconds[1:]),
        "measured_rollout_seconds": fmean(drawn for _, drawn in seconds[1:]),
    }


def now(device: str) -> float:
    """Return CPU seconds of this process, or seconds when the accelerator is done."""
    if device == "cpu":
        return time.process_time()
    import torch

    torch.cuda.synchronize()
    return time.perf_counter()


def forget_peak(device: str) -> None:
    """Begin to look for the peak; on CPU what planning took is given back first."""
    import torch

    from longloom.engines.machine import give_back_unused_memory

    give_back_unused_memory(torch.device(device))
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return
    Path("/proc/self/clear_refs").write_text("5", "utf-8")


def current_bytes(device: str) -> int:
    """Return what is taken now."""
    import torch

    return torch.cuda.memory_reserved() if device == "cuda" else resident_bytes("VmRSS")


def peak_bytes(device: str) -> int:
    """Return the most that was taken since `forget_peak`."""
    import torch

    return torch.cuda.max_memory_reserved() if device == "cuda" else resident_bytes("VmHWM")


def in_child(case: Case, index: int, device: str) -> dict[str, Any]:
    """Plan and run one case, each in a process of its own; return and print both."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        base = [sys.executable, __file__, "--folder", str(model), "--device", device]
        subprocess.run([*base, "--model", case.model], check=True)
        parts: dict[str, float] = {}
        for part in ("plan", "run"):
            command = [*base, "--index", str(index), "--part", part]
            run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            parts |= json.loads(run.stdout.splitlines()[-1])
    found = Figures(**parts)
    memory_ratio = found.predicted_bytes / found.measured_bytes
    time_ratio = found.predicted_seconds / found.measured_seconds
    rollout_ratio = found.predicted_rollout_seconds / found.measured_rollout_seconds
    print(
        f"{case.model:>6} {case.name:<14} memory {found.predicted_bytes / 1e6:7.0f} MB of "
        f"{found.measured_bytes / 1e6:7.0f} ({memory_ratio:.2f})   step "
        f"{found.predicted_seconds:7.2f} s of {found.measured_seconds:7.2f} ({time_ratio:.2f})   "
        f"rollouts ({rollout_ratio:.2f})   planned in {found.planning_seconds:.1f} s",
        flush=True,
    )
    return {
        **asdict(case),
        "settings": dict(case.settings),
        "predicted_mb": round(found.predicted_bytes / 1e6),
        "measured_mb": round(found.measured_bytes / 1e6),
        "memory_ratio": round(memory_ratio, 3),
        "predicted_seconds": round(found.predicted_seconds, 3),
        "measured_seconds": round(found.measured_seconds, 3),
        "time_ratio": round(time_ratio, 3),
        "rollout_time_ratio": round(rollout_ratio, 3),
        "planning_seconds": round(found.planning_seconds, 1),
    }


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run the cases that are asked for and return their figures."""
    loads = [os.getloadavg()[0]]
    rows = [
        in_child(case, index, options.device)
        for index, case in enumerate(cases_of(options.device))
        if options.case in case.name or options.case == case.model
    ]
    loads.append(os.getloadavg()[0])
    errors = {
        name: max(abs(row[f"{name}_ratio"] - 1) for row in rows) for name in ("memory", "time")
    }
    print(
        f"largest error of memory {errors['memory']:.0%} (at most {MEMORY_TOLERANCE:.0%} is "
        f"expected), of time {errors['time']:.0%} (at most {TIME_TOLERANCE:.0%})"
    )
    return {
        "benchmark": "plan_accuracy",
        "cases": rows,
        "largest_memory_error": round(errors["memory"], 3),
        "largest_time_error": round(errors["time"], 3),
        "command": "python benchmarks/plan_accuracy.py --write",
        "machine": f"{platform.machine()}, Python {platform.python_version()}, one thread of "
        f"{os.cpu_count()} cores that other work shares",
        "load_before_and_after": [round(load, 2) for load in loads],
        "date": datetime.now(UTC).date().isoformat(),
    }


def cases_of(device: str) -> tuple[Case, ...]:
    """Return the cases of a device."""
    return CUDA_CASES if device == "cuda" else CASES


def main() -> None:
    """Run all cases, or one of them within a child."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    parser.add_argument("--case", default="", help="only cases of this name or model")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--index", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--part", choices=("plan", "run"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--model", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.model:
        write_model(options.folder, options.model)
    elif options.index is not None:
        case = cases_of(options.device)[options.index]
        work = plan_case if options.part == "plan" else run_case
        print(json.dumps(work(case, options.folder, options.device)))
    else:
        result = measure(options)
        if options.write:
            RESULT.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
