"""A run killed with SIGKILL in any step ends in the same files."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from killed_command import kill_when
from synthesis.small_corpus import write_small_corpus

COMMAND = [sys.executable, "-m", "longloom.cli.main", "synthesize"]
SETTINGS = [
    "min_context_tokens=1500",
    "max_context_tokens=3000",
    "held_out_fraction=0.1",
    "num_examples=400",
]
FINAL_FILES = ("examples.parquet", "contexts.parquet", "summary.json", "data_card.md")


def _command(root: Path, output: Path) -> list[str]:
    changes = [part for setting in SETTINGS for part in ("--set", setting)]
    return [*COMMAND, str(root), "-o", str(output), "--workers", "1", *changes]


def _digests(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FINAL_FILES}


@pytest.mark.slow
def test_a_killed_run_continues_to_the_same_files(tmp_path: Path) -> None:
    root = write_small_corpus(tmp_path / "corpus")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(_command(root, whole), check=True, capture_output=True)
    steps = (
        lambda: any(killed.glob("steps/read/*.parquet")),
        lambda: any(killed.glob("documents/*.parquet")),
        lambda: any(killed.glob("steps/weave/*.done")),
        lambda: len(list(killed.glob("steps/weave/*.done"))) > 3,
    )
    num_killed = sum(kill_when(_command(root, killed), is_reached) for is_reached in steps)
    assert num_killed >= 2
    subprocess.run(_command(root, killed), check=True, capture_output=True)
    assert _digests(killed) == _digests(whole)
