"""The paper's ablations on the tiny model, over several seeds, against the paper's own directions.

    python benchmarks/ablation.py run [--arms grpo,aepo] [--seeds 5] [--workers 2]
    python benchmarks/ablation.py run --arms unsettled --seeds 10
    python benchmarks/ablation.py report [--write]

Every arm and seed is a run of about 100 CPU-seconds with a result file of its own in --folder;
`run` does those that are missing, so a killed call continues by the same command. `report` works
from whatever is there; with --write its table, figures and JSON go to results/. `--quick` is a
toy run of all parts. What the arms are: ablations/arms.py; the sizes: ablations/settings.py.
"""

import argparse
import json
import multiprocessing
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported, here and in workers

from ablations.arms import ARMS
from ablations.figures import drawn_figures
from ablations.one_run import run_arm
from ablations.pool import make_pool, read_pool
from ablations.report import Findings, as_json, collect, statements, written
from ablations.run_files import RunResult, read_runs, run_path, write_run
from ablations.settings import FULL, QUICK, AblationSettings

from longloom.recipes.model_source import resolve_model
from longloom.runlog import atomic_write_text
from longloom.text.tokenizer import FolderTokenizer

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"
_CALL = "python benchmarks/ablation.py"
COMMAND = f"{_CALL} run && {_CALL} run --arms unsettled --seeds 10 && {_CALL} report --write"


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("run", "report"))
    parser.add_argument("--folder", type=Path, default=None, help="default: runs/ablation[-quick]")
    parser.add_argument("--arms", default="all", help="names, `all`, `l1`, `l15` or `unsettled`")
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 .. N-1")
    parser.add_argument("--workers", type=int, choices=(1, 2), default=1)
    parser.add_argument("--quick", action="store_true", help="a toy run of all parts")
    parser.add_argument("--model", default=None, help="another starting model")
    parser.add_argument("--documents", default=None, help="other documents")
    parser.add_argument("--write", action="store_true", help="write into benchmarks/results")
    options = parser.parse_args(arguments)
    default = "ablation-quick" if options.quick else "ablation"
    options.folder = options.folder or ROOT / "runs" / default
    return options


def chosen_settings(options: argparse.Namespace) -> AblationSettings:
    """Return the sizes that the options ask for."""
    settings = QUICK if options.quick else FULL
    changes = {"model": options.model, "documents": options.documents}
    return settings.replace(**{name: value for name, value in changes.items() if value})


def chosen_arms(name: str, folder: Path, settings: AblationSettings) -> list[str]:
    """Return the arms that `--arms` names, in their order.

    Raises:
        SystemExit: one is unknown.
    """
    if name == "unsettled":
        return findings_of(folder, settings).unsettled()
    if name in ("all", "l1", "l15"):
        return [arm for arm in ARMS if name in ("all", ARMS[arm].family)]
    wanted = name.split(",")
    unknown = sorted(set(wanted) - set(ARMS))
    if unknown:
        sys.exit(f"unknown arms {', '.join(unknown)}; expected some of {', '.join(ARMS)}")
    return [arm for arm in ARMS if arm in wanted]


def run_missing(options: argparse.Namespace, settings: AblationSettings) -> None:
    """Do every run that has no result yet, seed after seed, so that all arms grow alike."""
    pool_folder = options.folder / "pool"
    make_pool(settings, pool_folder, FolderTokenizer(resolve_model(settings.model)))
    arms = chosen_arms(options.arms, options.folder, settings)
    missing = [
        (arm, seed)
        for seed in range(options.seeds)
        for arm in arms
        if not run_path(options.folder, arm, seed).exists()
    ]
    show(f"{len(missing)} runs to do, {len(arms)} arms, seeds 0 to {options.seeds - 1}")
    for number, result in enumerate(_results(missing, options, settings), start=1):
        show(
            f"{number:>3}/{len(missing)} {result.arm:<20} seed {result.seed:<2} "
            f"score {result.score:.3f}  KL {result.kl_to_base_nats:.3f}  "
            f"{result.cpu_seconds:.0f} CPU-s"
        )


def _results(
    missing: Sequence[tuple[str, int]], options: argparse.Namespace, settings: AblationSettings
) -> Iterator[RunResult]:
    if options.workers == 1:
        for arm, seed in missing:
            yield run_one(arm, seed, settings, options.folder)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, mp_context=context) as workers:
        runs = [
            workers.submit(run_one, arm, seed, settings, options.folder) for arm, seed in missing
        ]
        for finished in as_completed(runs):
            yield finished.result()


def run_one(arm: str, seed: int, settings: AblationSettings, folder: Path) -> RunResult:
    """Do one run and write its result."""
    work = folder / "work" / f"{arm}-{seed}"
    result = run_arm(arm, seed, settings, read_pool(folder / "pool"), work)
    write_run(folder, result, settings)
    return result


def findings_of(folder: Path, settings: AblationSettings) -> Findings:
    """Return everything that was measured so far."""
    pool = read_pool(folder / "pool")
    return collect(
        read_runs(folder, settings),
        settings,
        {example.example_id: example.task_type.value for example in pool.held_out},
        machine=f"{platform.machine()}, Python {platform.python_version()}, one thread a run",
    )


def report(options: argparse.Namespace, settings: AblationSettings) -> None:
    """Write tables, figures and JSON from what is there; print what holds."""
    findings = findings_of(options.folder, settings)
    target = RESULTS if options.write else options.folder / "report"
    figures = drawn_figures(findings.runs_by_arm)
    shown = "".join(f"![{name}]({name})\n\n" for name in figures)
    text = written(findings) + ("\n## Curves\n\n" + shown if shown else "")
    atomic_write_text(target / "ablation.md", text.rstrip() + "\n")
    content = json.dumps(as_json(findings, COMMAND), indent=1)
    atomic_write_text(target / "ablation.json", content + "\n")
    for name, figure in figures.items():
        atomic_write_text(target / name, figure)
    for line in statements(findings):
        show(line)
    unsettled = findings.unsettled()
    if unsettled:
        show(f"not separated from the baseline yet: {', '.join(unsettled)} (--arms unsettled)")
    show(f"wrote {target / 'ablation.md'}")


def show(line: str) -> None:
    """Print one line at once."""
    print(line, flush=True)


def main(arguments: Sequence[str]) -> None:
    """Run or report."""
    options = parse_arguments(arguments)
    settings = chosen_settings(options)
    if options.verb == "run":
        run_missing(options, settings)
    else:
        report(options, settings)


if __name__ == "__main__":
    main(sys.argv[1:])
