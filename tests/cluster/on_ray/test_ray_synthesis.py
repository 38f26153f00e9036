"""Synthesis on Ray ends in the files that one process makes, whatever happens to workers."""

import hashlib
from functools import partial
from pathlib import Path

import pytest

from cluster.on_ray.ray_tasks import Disturbing, Stopping, kill_workers_once, poison_two_files
from longloom.engines.ray.executor import RayExecutor
from longloom.executor import Executor, InlineExecutor, ProcessExecutor
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.pipeline import synthesize_corpus
from synthesis.small_corpus import write_small_corpus

pytestmark = [
    pytest.mark.distributed,
    pytest.mark.enable_socket,
    pytest.mark.usefixtures("cluster"),
]


def _config(root: Path, **changes: object) -> SynthesisConfig:
    settings = {
        "documents": (str(root),),
        "num_examples": 120,
        "min_context_tokens": 1_500,
        "max_context_tokens": 4_000,
        "held_out_fraction": 0.2,
        **changes,
    }
    return SynthesisConfig.model_validate(settings)


def _files(config: SynthesisConfig, folder: Path, executor: Executor) -> dict[str, str]:
    """Return the digest of every file that synthesis writes, by its name."""
    synthesize_corpus(config, folder=folder, executor=executor)
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def in_one_process(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return _files(_config(corpus), tmp_path_factory.mktemp("inline"), InlineExecutor())


def test_files_are_those_of_one_process(
    corpus: Path, in_one_process: dict[str, str], tmp_path: Path
) -> None:
    assert len(in_one_process) > 10
    assert _files(_config(corpus), tmp_path, RayExecutor()) == in_one_process


def test_killed_workers_change_no_file(
    corpus: Path, in_one_process: dict[str, str], tmp_path: Path
) -> None:
    kills = tmp_path / "kills"
    kills.mkdir()
    executor = Disturbing(RayExecutor(), partial(kill_workers_once, kills))
    assert _files(_config(corpus), tmp_path / "out", executor) == in_one_process
    numbers = [int(marker.name) for marker in kills.iterdir()]
    assert any(number % 2 for number in numbers)  # Ray workers
    assert any(number % 2 == 0 for number in numbers)  # the processes beside them


def test_files_that_crash_or_hang_are_left_out_as_on_one_machine(
    corpus: Path, tmp_path: Path
) -> None:
    config = _config(corpus, file_seconds=3.0)
    local = Disturbing(ProcessExecutor(1), poison_two_files)
    on_ray = Disturbing(RayExecutor(), poison_two_files)
    files = _files(config, tmp_path / "ray", on_ray)
    assert files == _files(config, tmp_path / "local", local)
    dropped = (tmp_path / "ray" / "dropped_documents.json").read_text("utf-8")
    assert "its process died (signal 11)" in dropped
    assert "took longer than 3 s" in dropped


@pytest.mark.parametrize("begins_on_ray", [False, True])
def test_a_run_begun_elsewhere_goes_on(
    begins_on_ray: bool, corpus: Path, in_one_process: dict[str, str], tmp_path: Path
) -> None:
    first, second = (
        (RayExecutor(), InlineExecutor()) if begins_on_ray else (InlineExecutor(), RayExecutor())
    )
    with pytest.raises(KeyboardInterrupt):
        _files(_config(corpus), tmp_path, Stopping(first, 3))
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.done")}
    assert kept
    assert _files(_config(corpus), tmp_path, second) == in_one_process
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
