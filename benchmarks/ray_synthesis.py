"""Synthesis in worker processes and on Ray: time, memory, and whether the files are the same.

    python benchmarks/ray_synthesis.py [FOLDER...]

Runs `longloom synthesize` over every folder of ../shared/data/corpus-* (or those given) three
times with two workers: in worker processes, on a Ray cluster of this machine, and on one of whose
Ray workers one is killed (SIGKILL) while it reads and one while it weaves. CPU seconds and memory
are those of all processes that a run started, Ray's own among them; memory is the proportional set
size. Needs Linux and the environment of `make test-cluster`. Result: results/ray_synthesis.json.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from machine_facts import machine_facts

NUM_WORKERS = 2
HERE = Path(__file__).parent
DATA = HERE.parents[1] / "shared/data"
COMMAND = [sys.executable, "-m", "longloom.cli.main", "synthesize"]
MARK = "LONGLOOM_BENCHMARK_RUN"
"""Variable by which the processes of a run are known, whoever their parent is by then."""
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
SAMPLE_SECONDS = 0.25
RAY_TASK = b"ray::Map"


@dataclass
class Watch:
    """What is seen of the processes of one run."""

    mark: str
    folder: Path
    kills: list[Callable[[Path], bool]] = field(default_factory=list)
    """Each says when a Ray worker is to be killed."""
    killed: list[int] = field(default_factory=list)
    seconds_by_process: dict[int, float] = field(default_factory=dict)
    peak_bytes: int = 0

    def look(self) -> None:
        """Take the times and the memory of every process of the run, and kill if it is time."""
        num_bytes = 0
        for process_id in self.process_ids():
            with suppress(OSError):
                folder = Path(f"/proc/{process_id}")
                times = (folder / "stat").read_text().rpartition(")")[2].split()[11:13]
                self.seconds_by_process[process_id] = sum(map(int, times)) / TICKS_PER_SECOND
                lines = (folder / "smaps_rollup").read_text().splitlines()
                num_bytes += sum(int(x.split()[1]) * 1024 for x in lines if x.startswith("Pss:"))
        self.peak_bytes = max(self.peak_bytes, num_bytes)
        if self.kills and self.kills[0](self.folder):
            for process_id in self.process_ids():
                with suppress(OSError):
                    if Path(f"/proc/{process_id}/cmdline").read_bytes().startswith(RAY_TASK):
                        os.kill(process_id, signal.SIGKILL)
                        self.killed.append(process_id)
                        self.kills.pop(0)
                        return

    def process_ids(self) -> Iterator[int]:
        """Yield the processes of the run that live."""
        wanted = f"{MARK}={self.mark}".encode()
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with suppress(OSError):
                    if wanted in (folder / "environ").read_bytes().split(b"\0"):
                        yield int(folder.name)


def measured(
    documents: list[str], folder: Path, options: list[str], kills: list[Callable[[Path], bool]]
) -> dict[str, Any]:
    """Run the command once and return its figures."""
    watch = Watch(mark=uuid.uuid4().hex, folder=folder, kills=kills)
    words = [*COMMAND, *documents, "-o", str(folder), "--workers", str(NUM_WORKERS), *options]
    begin = time.perf_counter()
    child = subprocess.Popen(words, env={**os.environ, MARK: watch.mark})
    ended = threading.Event()
    while child.poll() is None:
        watch.look()
        ended.wait(SAMPLE_SECONDS)
    if child.returncode:
        sys.exit(f"{' '.join(words)}: exit status {child.returncode}")
    return {
        "wall_seconds": round(time.perf_counter() - begin, 1),
        "cpu_seconds": round(sum(watch.seconds_by_process.values()), 1),
        "peak_memory_bytes": watch.peak_bytes,
        "num_workers_killed": len(watch.killed),
    }


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of every file that a run wrote, its lock left out."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def is_reading(folder: Path) -> bool:
    """Whether shards of documents are being made."""
    return any(folder.glob("steps/read/*.parquet"))


def is_weaving(folder: Path) -> bool:
    """Whether shards of questions are being made."""
    return len(list(folder.glob("steps/weave/*.done"))) > 2


def main() -> None:
    """Measure, print and write the result."""
    documents = sys.argv[1:] or [str(path) for path in sorted(DATA.glob("corpus-*"))]
    if not documents:
        sys.exit(f"no documents in {DATA}")
    import ray

    arms: dict[str, tuple[list[str], list[Callable[[Path], bool]]]] = {
        "processes": ([], []),
        "ray": (["--ray"], []),
        "ray_killed": (["--ray"], [is_reading, is_weaving]),
    }
    with tempfile.TemporaryDirectory(prefix="ray-synthesis-") as root:
        figures = {
            name: measured(documents, Path(root, name), options, kills)
            for name, (options, kills) in arms.items()
        }
        written = {name: digests(Path(root, name)) for name in arms}
    result = {
        "benchmark": "ray_synthesis",
        "command": "python benchmarks/ray_synthesis.py",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine_facts(ray=ray.__version__),
        "documents": [Path(path).name for path in documents],
        "num_workers": NUM_WORKERS,
        **figures,
        "num_files": len(written["processes"]),
        "files_are_equal": {
            name: written[name] == written["processes"] for name in ("ray", "ray_killed")
        },
    }
    print(json.dumps(result, indent=2))
    if not sys.argv[1:]:
        target = HERE / "results" / "ray_synthesis.json"
        target.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
