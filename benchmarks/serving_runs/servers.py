"""Start a server in a process of its own, wait until it answers, and read what it takes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

BENCHMARKS = Path(__file__).resolve().parents[1]
_PROBE_SECONDS = 0.25
_START_SECONDS = 240
_STOP_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that takes requests."""

    address: str
    """Its base address, without `/v1`."""
    model: str
    """The model's name in requests."""
    process_id: int
    """Its process."""

    def cpu_seconds(self) -> float:
        """Return the CPU time it has taken, all threads and ended children together."""
        fields = Path(f"/proc/{self.process_id}/stat").read_text("ascii").rsplit(")", 1)[1].split()
        return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")

    def peak_mb(self) -> float:
        """Return its largest resident set so far in megabytes (10^6 bytes)."""
        for line in Path(f"/proc/{self.process_id}/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise OSError("no VmHWM; memory can be measured on Linux only")


def commands(folder: Path, peer_python: Path) -> dict[str, list[str]]:
    """Return the command of each server; `{port}` stands for its port."""
    ours = [sys.executable, "-m", "longloom.cli.main", "serve", "--model", str(folder)]
    theirs = [
        *[str(peer_python), "-m", "transformers.cli.transformers", "serve", str(folder)],
        *["--device", "cpu", "--port", "{port}"],
    ]
    batching = ["--continuous-batching", "--attn-implementation", "sdpa"]
    return {
        "ours": [*ours, "--port", "{port}"],
        "transformers": theirs,
        "transformers_continuous": [*theirs, *batching],
    }


@contextmanager
def running(command: Sequence[str], model: str, scratch: Path) -> Iterator[Server]:
    """Run a server until the end of the block.

    Raises:
        RuntimeError: it ended or did not answer in time; with the last lines it wrote.
    """
    port = _free_port()
    log = scratch / "server.log"
    with log.open("wb") as written:
        server = subprocess.Popen(
            [part.replace("{port}", str(port)) for part in command],
            env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
            stdout=written,
            stderr=subprocess.STDOUT,
            cwd=scratch,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until_healthy(server, address, log)
        yield Server(address=address, model=model, process_id=server.pid)
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_healthy(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            if httpx.get(f"{address}/health", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:  # not up yet, unless it has ended
            with suppress(subprocess.TimeoutExpired):
                server.wait(_PROBE_SECONDS)
    raise RuntimeError(f"the server did not start: {log.read_text('utf-8', 'replace')[-800:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
