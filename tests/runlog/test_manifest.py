import subprocess
from pathlib import Path

import pytest

from longloom import __version__
from longloom.errors import DataError
from longloom.runlog import describe_run, read_manifest, write_manifest
from longloom.runlog.manifest import git_commit


def test_manifest_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    config = {"training": {"group_size": 8, "learning_rate": 2e-6}, "stages": ["a", "b"]}
    manifest = describe_run(recipe="tiny-cpu", seed=7, num_threads=2, config=config)
    write_manifest(path, manifest)
    assert read_manifest(path) == manifest
    assert manifest.library_versions["longloom"] == __version__
    assert {"python", "torch", "safetensors"} <= set(manifest.library_versions)


def test_commit_is_that_of_the_checkout_that_tracks_the_file(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
        ran = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
        return ran.stdout.strip()

    tracked, untracked = tmp_path / "tracked.py", tmp_path / "untracked.py"
    tracked.write_text("")
    git("init")
    git("add", "tracked.py")
    git("commit", "-m", "first")
    untracked.write_text("")
    assert git_commit(tracked) == git("rev-parse", "HEAD")
    assert git_commit(untracked) == ""
    tracked.write_text("changed")
    assert git_commit(tracked).endswith("-dirty")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a: [", "cannot read run file"),
        ("a: 1", "is not a run file"),
        ("schema: longloom.run\nversion: 9", "has version 9"),
        ("schema: longloom.run\nversion: 1\nseed: 1", "lacks recipe"),
    ],
)
def test_unusable_file_is_one_line(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(content)
    with pytest.raises(DataError, match=reason) as caught:
        read_manifest(path)
    assert "\n" not in str(caught.value)
