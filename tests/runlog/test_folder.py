import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from longloom.errors import CheckpointError, ConfigError, DataError
from longloom.runlog import (
    RunFolder,
    atomic_folder,
    atomic_path,
    atomic_write_bytes,
    atomic_write_text,
    config_hash,
    run_folder_name,
)
from longloom.runlog.atomic import describe_write_failure


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_file_and_fail(path: Path) -> None:
    with atomic_path(path) as partial_path:
        partial_path.write_text("half")
        raise KeyError


def write_folder_and_fail(path: Path) -> None:
    with atomic_folder(path) as partial_folder:
        (partial_folder / "config.json").write_text("{}")
        assert not path.exists()
        raise KeyError


def write_to_full_disk(path: Path) -> None:
    with atomic_path(path, error_class=CheckpointError):
        Path("/dev/full").write_bytes(b"content")


def test_atomic_write_replaces_the_content(tmp_path: Path) -> None:
    path = tmp_path / "made" / "note.txt"
    atomic_write_text(path, "one")
    atomic_write_bytes(path, b"two")
    assert path.read_text() == "two"
    assert names_in(path.parent) == ["note.txt"]


def test_failed_write_leaves_the_old_content_and_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("old")
    with pytest.raises(KeyError):
        write_file_and_fail(path)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["note.txt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux's always full device")
def test_full_disk_gives_one_line_with_path_and_advice(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    with pytest.raises(CheckpointError, match="No space left on device; free space") as caught:
        write_to_full_disk(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert names_in(tmp_path) == []


def test_advice_on_a_failed_write_fits_its_cause(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DataError, match="too long; take a shorter name, then run"):
        atomic_write_text(tmp_path / ("a" * 300), "one")
    with pytest.raises(DataError, match="take another path, for "):
        atomic_write_text(tmp_path / "file" / "note.txt", "one")
    forbidden = describe_write_failure(tmp_path, PermissionError(errno.EACCES, "Permission denied"))
    assert "make the folder writable" in forbidden
    assert "free space" not in forbidden


def test_atomic_folder_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    final = tmp_path / "model"
    (tmp_path / "model.partial").mkdir()
    (tmp_path / "model.partial" / "stale").write_text("of a killed writer")
    with pytest.raises(KeyError):
        write_folder_and_fail(final)
    assert names_in(tmp_path) == []
    with atomic_folder(final) as folder:
        (folder / "config.json").write_text("{}")
    assert names_in(final) == ["config.json"]
    with pytest.raises(DataError, match="exists already"), atomic_folder(final):
        pass


def test_second_lock_is_refused_until_the_first_is_released(tmp_path: Path) -> None:
    run_folder = RunFolder(tmp_path / "run")
    with run_folder.lock():
        with (
            pytest.raises(ConfigError, match=f"in use by process {os.getpid()}") as caught,
            RunFolder(run_folder.path).lock(),
        ):
            pass
        assert str(run_folder.path) in str(caught.value)
    with run_folder.lock():
        assert run_folder.path.is_dir()


def test_killed_process_frees_its_lock(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from longloom.runlog import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).lock(): os.kill(os.getpid(), 9)"
    )
    ran = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert ran.returncode == -9
    with RunFolder(tmp_path).lock():
        pass


def test_hash_of_settings_does_not_depend_on_their_order() -> None:
    first = config_hash({"seed": 1, "steps": [1, 2]})
    assert first == config_hash({"steps": [1, 2], "seed": 1})
    assert first != config_hash({"seed": 2, "steps": [1, 2]})


def test_folder_names_follow_recipe_and_seed() -> None:
    assert run_folder_name("tiny-cpu") == "tiny-cpu"
    assert run_folder_name("tiny-cpu", 3) == "tiny-cpu-seed-3"
    with pytest.raises(ConfigError, match=r"'\.\./other' cannot be a folder name"):
        run_folder_name("../other")


def test_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        RunFolder(tmp_path / "file" / "run").create()
