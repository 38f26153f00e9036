"""Runs killed with SIGKILL at random moments end in the bits of a run that nobody killed."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from longloom.runlog.metrics import read_metrics
from small_training import METRICS_FILE, NUM_STEPS

NUM_KILLS = 20
TESTS = Path(__file__).parents[1]
SECONDS = ("training/step_seconds",)


def start(model_folder, folder):
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(TESTS / "small_training.py"), str(model_folder), str(folder)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stderr=subprocess.PIPE,
        text=True,
    )


def num_logged(folder):
    path = folder / METRICS_FILE
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_for_lines(child, folder, count):
    """Poll the metrics until there are more lines by `count`, or the child has ended."""
    before = num_logged(folder)
    known = before
    while child.poll() is None and known < before + count:
        known = num_logged(folder)
        before = min(before, known)  # a resumed run first drops what it will do again
    return time.perf_counter()


def killed(model_folder, folder, rng, seconds_per_step):
    """Run a child and kill it at a random moment; return whether it was killed in time.

    The moment is a fraction of a step behind the k-th further line of metrics; lines are written
    just before checkpoints, so the fraction falls into saving, sampling or learning alike.
    """
    count, fraction = rng.choice((1, 1, 2, 3)), rng.random()
    with start(model_folder, folder) as child:
        reached = wait_for_lines(child, folder, count)
        while child.poll() is None and time.perf_counter() < reached + fraction * seconds_per_step:
            pass
        child.send_signal(signal.SIGKILL)
        error = child.stderr.read()
    assert child.returncode in (0, -signal.SIGKILL), error
    return child.returncode == -signal.SIGKILL


def outcome(folder):
    """Return the final and the best weights, and all metrics but those of time."""
    weights = [
        (folder / "stage" / name / "model.safetensors").read_bytes() for name in ("final", "best")
    ]
    rows = {
        row.step: {name: value for name, value in row.metrics.items() if name not in SECONDS}
        for row in read_metrics(folder / METRICS_FILE)
    }
    return weights, rows


@pytest.mark.slow
def test_runs_killed_twenty_times_end_in_the_same_bits(tiny_folder, tmp_path):
    with start(tiny_folder, tmp_path / "straight") as child:
        first = wait_for_lines(child, tmp_path / "straight", 2)  # the head and the first step
        last = wait_for_lines(child, tmp_path / "straight", NUM_STEPS - 1)
        assert child.wait() == 0, child.stderr.read()
    expected = outcome(tmp_path / "straight")
    assert sorted(expected[1]) == list(range(1, NUM_STEPS + 1))
    seconds_per_step = (last - first) / (NUM_STEPS - 1)
    rng = random.Random(20)
    num_kills = num_runs = 0
    while num_kills < NUM_KILLS:
        folder = tmp_path / f"run-{num_runs}"
        while not (folder / "stage" / "final").exists():
            num_kills += killed(tiny_folder, folder, rng, seconds_per_step)
        with start(tiny_folder, folder) as child:  # what was killed behind the final name
            assert child.wait() == 0, child.stderr.read()
        assert outcome(folder) == expected
        num_runs += 1
