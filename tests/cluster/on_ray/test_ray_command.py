"""`longloom synthesize --ray`, interrupted and gone on with in worker processes."""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from synthesis.small_corpus import write_small_corpus

pytestmark = [pytest.mark.distributed, pytest.mark.enable_socket]

SETTINGS = (
    "min_context_tokens=1500",
    "max_context_tokens=3000",
    "held_out_fraction=0.1",
    "num_examples=400",
)
# A shell that starts tests in the background lets them ignore SIGINT, and children inherit it.
CODE = (
    "import signal, sys; from longloom.cli.main import main; "
    "signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(main())"
)


def _start(root: Path, output: Path, temporary: Path, *options: str) -> subprocess.Popen[str]:
    changes = [part for setting in SETTINGS for part in ("--set", setting)]
    words = ["synthesize", str(root), "-o", str(output), "--workers", "2", *changes, *options]
    environment = {**os.environ, "RAY_TMPDIR": str(temporary)}
    environment.pop("RAY_ADDRESS", None)
    return subprocess.Popen(
        [sys.executable, "-c", CODE, *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finish(started: subprocess.Popen[str]) -> str:
    out, err = started.communicate(timeout=240)
    assert started.returncode == 0, err
    return out


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_an_interrupted_command_goes_on_without_ray(tmp_path: Path, ray_folder: Path) -> None:
    root = write_small_corpus(tmp_path / "corpus")
    on_ray, local = tmp_path / "ray", tmp_path / "local"
    temporary = ray_folder / "c"
    temporary.mkdir()
    with _start(root, on_ray, temporary, "--ray") as started:
        while not any(on_ray.glob("steps/weave/*.done")):
            with pytest.raises(subprocess.TimeoutExpired):
                started.wait(0.05)
        started.send_signal(signal.SIGINT)
        _, err = started.communicate(timeout=30)
        assert started.returncode == 130, err
        assert "the same command continues where it stopped" in err
    assert not [*on_ray.rglob("*.partial"), *on_ray.rglob("examples.parquet.*")]
    assert not (on_ray / "examples.parquet").exists()
    with _start(root, on_ray, temporary) as started:
        _finish(started)
    with _start(root, local, temporary, "--ray") as started:
        assert "Ray: 1 node of the cluster at this machine" in _finish(started)
    assert _digests(on_ray) == _digests(local)


def test_a_cluster_that_is_not_there_is_said(tmp_path: Path, ray_folder: Path) -> None:
    root = write_small_corpus(tmp_path / "corpus")
    address = ("--ray-address", "127.0.0.1:9")
    with _start(root, tmp_path / "out", ray_folder, *address) as started:
        out, err = started.communicate(timeout=120)
    assert started.returncode == 2, out
    assert "the Ray cluster at '127.0.0.1:9' cannot be joined" in err
    assert len(err.strip().splitlines()) == 1
