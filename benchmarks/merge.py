"""Merging beside mergekit: the same file, the same three sharded models, one CPU thread.

A pivot of the shape of Qwen3-0.6B with random bf16 weights and two models that moved away from it
(3 x 1.19 GB in shards of 400 MB) are merged by SCE into bf16, by `mergekit-yaml FILE OUT` and by
`longloom merge FILE -o OUT`. mergekit computes in bf16 there, Longloom in fp32. Whole processes are
measured: wall seconds, CPU seconds and the most memory held. At top-k 1 the two take turns. Target:
half of mergekit's time and under 1 GB.
Needs the environment of `make test-mergekit`; call it by `make bench-merge`. About 6 GB of disk, a
quarter of an hour. Result: results/merge.json.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SHARD_BYTES = 400_000_000
CHANGE_SCALE = 0.002
REPEATS_BY_TOPK = {1.0: 3, 0.1: 1}
TARGET_FRACTION_OF_TIME = 0.5
TARGET_BYTES = 1_000_000_000
SCE = """\
merge_method: sce
base_model: {folder}/pivot
models:
  - model: {folder}/first
  - model: {folder}/second
parameters:
  select_topk: {select_topk}
dtype: bfloat16
"""


def write_models(folder: Path) -> None:
    """Write the pivot and two models whose every weight moved at random."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=151_936,
        hidden_size=1_024,
        intermediate_size=3_072,
        num_hidden_layers=28,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128,
        tie_word_embeddings=True,
        dtype="bfloat16",
    )
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder / "pivot", max_shard_size=SHARD_BYTES)
    pivot = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for seed, name in enumerate(("first", "second"), start=1):
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter_name, parameter in model.named_parameters():
                moved = torch.randn(parameter.shape, generator=generator) * CHANGE_SCALE
                parameter.copy_(pivot[parameter_name] + moved)
        model.save_pretrained(folder / name, max_shard_size=SHARD_BYTES)


def measure(command: list[str], output: Path) -> dict[str, float]:
    """Run one merge on one thread and remove what it wrote."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    begin = time.monotonic()
    child = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert child.stderr is not None
    errors = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall_seconds = time.monotonic() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{errors}")
    shutil.rmtree(output)
    return {
        "wall_seconds": round(wall_seconds, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_megabytes": round(usage.ru_maxrss * 1024 / 1e6),
    }


def commands(folder: Path, select_topk: float) -> dict[str, tuple[list[str], Path]]:
    """Return the command and the output of each program."""
    file = folder / f"sce-{select_topk}.yml"
    file.write_text(SCE.format(folder=folder, select_topk=select_topk))
    programs = Path(sys.executable).parent
    theirs, ours = folder / "theirs", folder / "ours"
    longloom = [sys.executable, "-m", "longloom.cli.main", "merge", str(file), "-o", str(ours)]
    calls = {
        "mergekit": ([str(programs / "mergekit-yaml"), str(file), str(theirs), "--quiet"], theirs),
        "longloom": (longloom, ours),
    }
    if (os.cpu_count() or 1) > 1:
        calls["longloom, 2 threads"] = ([*longloom, "--set", "merge.num_threads=2"], ours)
    return calls


def compare(folder: Path, select_topk: float, repeats: int) -> dict[str, Any]:
    """Return the medians of all programs, which take turns."""
    calls = commands(folder, select_topk)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, (command, output) in calls.items():
            runs[name].append(measure(command, output))
            print(f"top-k {select_topk}: {name:<20} {runs[name][-1]}", flush=True)
    medians = {
        name: {key: statistics.median(run[key] for run in each) for key in each[0]}
        for name, each in runs.items()
    }
    theirs = medians["mergekit"]
    for figures in medians.values():
        for key in ("wall_seconds", "cpu_seconds"):
            figures[f"{key}_of_mergekit"] = round(figures[key] / theirs[key], 2)
    return {"num_runs": repeats, "medians": medians, "runs": runs}


def machine() -> dict[str, Any]:
    """Describe where this runs."""
    return {
        "num_cpus": os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "torch": metadata.version("torch"),
        "transformers": metadata.version("transformers"),
        "mergekit": metadata.version("mergekit"),
    }


def main(folder: Path, select_topks: list[float]) -> None:
    """Make the models, measure, and write the result."""
    # In a process of its own: a child's peak begins at its parent's.
    subprocess.run([sys.executable, __file__, "--write-models", str(folder)], check=True)
    num_bytes = sum(path.stat().st_size for path in (folder / "pivot").glob("*.safetensors"))
    results = {
        str(select_topk): compare(folder, select_topk, REPEATS_BY_TOPK[select_topk])
        for select_topk in select_topks
    }
    if select_topks != list(REPEATS_BY_TOPK):
        return
    result = {
        "benchmark": "merge",
        "command": "make bench-merge",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "num_threads": 1,
        "num_models": 3,
        "bytes_of_a_model": num_bytes,
        "target_fraction_of_time": TARGET_FRACTION_OF_TIME,
        "target_bytes": TARGET_BYTES,
        "results": results,
    }
    (HERE / "results/merge.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where the models go; a temporary one if not")
    parser.add_argument("--topk", type=float, nargs="+", default=list(REPEATS_BY_TOPK))
    parser.add_argument("--write-models", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.write_models:
        write_models(given.write_models)
        sys.exit()
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="longloom-merge-") as temporary:
        main(Path(temporary), given.topk)
