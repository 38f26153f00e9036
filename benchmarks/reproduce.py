"""The tiny recipe with several seeds, beside the paper's Table 10.

    python benchmarks/reproduce.py run [--seeds 5] [--workers 2]
    python benchmarks/reproduce.py report [--write]

Every seed is a run of the recipe `tiny-cpu-table` (12 to 14 CPU-minutes, one thread) in a folder
of its own under --folder; a killed call goes on by the same command. `report` prints the table and
what holds of the paper's pattern from the seeds that are finished; --write puts it into results/.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from machine_facts import machine_facts
from reproduction.measured import Measured, Seeds, measured_of
from reproduction.table import as_json, drawn, shown, written

from longloom.recipes.tiny_cpu_table import tiny_cpu_table
from longloom.report.run_contents import read_run
from longloom.runlog import atomic_write_text

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"
COMMAND = "make reproduce"


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("run", "report"))
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "reproduce")
    parser.add_argument("--seeds", type=int, default=5, help="seeds 1 .. N")
    parser.add_argument("--workers", type=int, default=2, help="runs at the same time")
    parser.add_argument("--set", action="append", default=[], help="changed settings, `a.b=c`")
    parser.add_argument("--write", action="store_true", help="write into benchmarks/results")
    return parser.parse_args(arguments)


def run_seeds(options: argparse.Namespace) -> None:
    """Run every seed, so many at a time; finished ones take a second.

    Raises:
        SystemExit: a run failed; its log is named.
    """
    with ThreadPoolExecutor(options.workers) as workers:
        seeds = range(1, options.seeds + 1)
        runs = [workers.submit(run_seed, seed, options) for seed in seeds]
        codes = [run.result() for run in runs]
    if failed := [seed for seed, code in zip(seeds, codes, strict=True) if code]:
        sys.exit(f"seeds {failed} failed; see {log_of(options.folder, failed[0])}")


def run_seed(seed: int, options: argparse.Namespace) -> int:
    """Run one seed in a process of its own and note its CPU time; return its exit status."""
    folder = options.folder / f"seed-{seed}"
    options.folder.mkdir(parents=True, exist_ok=True)
    settings = ["evaluation.in_background=false", *options.set]
    command = [
        *(sys.executable, "-m", "longloom", "run", "tiny-cpu-table"),
        *("--seed", str(seed), "--output", str(folder)),
        *(word for setting in settings for word in ("--set", setting)),
    ]
    with log_of(options.folder, seed).open("ab") as log:
        run = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        _, status, usage = os.wait4(run.pid, 0)
    run.returncode = os.waitstatus_to_exitcode(status)
    cpu_seconds = usage.ru_utime + usage.ru_stime
    with cost_of(options.folder, seed).open("a") as costs:
        costs.write(json.dumps({"cpu_seconds": round(cpu_seconds, 1)}) + "\n")
    print(f"seed {seed}: exit {run.returncode}, {cpu_seconds:.0f} CPU-s", flush=True)
    return run.returncode


def log_of(folder: Path, seed: int) -> Path:
    """Return where the output of a seed's runs goes."""
    return folder / f"seed-{seed}.log"


def cost_of(folder: Path, seed: int) -> Path:
    """Return where the CPU time of every call is noted: a run that was stopped has several."""
    return folder / f"seed-{seed}.cost.jsonl"


def finished_seeds(folder: Path) -> Seeds:
    """Return what the finished runs of a folder measured.

    Raises:
        SystemExit: none is finished.
    """
    names = ["base", *(stage.name for stage in tiny_cpu_table().stages)]
    by_seed: dict[int, list[Measured]] = {}
    for path in sorted(folder.glob("seed-*/")):
        run = read_run(path)
        found = [measured_of(run, name) for name in names]
        if all(found):
            by_seed[int(path.name.removeprefix("seed-"))] = [one for one in found if one]
    if not by_seed:
        sys.exit(f"no run of {folder} is finished; `python benchmarks/reproduce.py run` makes them")
    seeds = sorted(by_seed)
    return Seeds(
        by_checkpoint={
            name: [by_seed[seed][place] for seed in seeds] for place, name in enumerate(names)
        },
        seeds=tuple(seeds),
        cpu_seconds=tuple(_cpu_seconds(folder, seed) for seed in seeds),
    )


def _cpu_seconds(folder: Path, seed: int) -> float:
    lines = cost_of(folder, seed).read_text().splitlines()
    return sum(json.loads(line)["cpu_seconds"] for line in lines)


def report(options: argparse.Namespace) -> None:
    """Print the table and what holds; write Markdown, JSON and the picture."""
    seeds = finished_seeds(options.folder)
    about = {
        "benchmark": "reproduce",
        "command": COMMAND,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine_facts(threads="one a run"),
    }
    target = RESULTS if options.write else options.folder
    atomic_write_text(target / "reproduce.json", json.dumps(as_json(seeds, about), indent=1) + "\n")
    atomic_write_text(target / "reproduce.md", written(seeds, about))
    atomic_write_text(target / "reproduce.svg", drawn(seeds))
    print(shown(seeds))
    print(f"wrote {target / 'reproduce.md'}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run or report."""
    options = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    if options.verb == "run":
        run_seeds(options)
    else:
        report(options)


if __name__ == "__main__":
    main()
