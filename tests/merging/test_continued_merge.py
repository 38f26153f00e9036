import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from longloom.errors import ModelError
from longloom.merging import MergeConfig
from longloom.merging.blocks import BLOCK_ELEMENTS
from longloom.merging.merge import merge_models
from merging.folders import random_weights, write_model

CONFIG = MergeConfig(select_topk=0.5, max_shard_bytes=1_200_000)
PROGRAM = """
import os, signal, sys
from pathlib import Path
from longloom.merging import MergeConfig
from longloom.merging.merge import merge_models

folder, config, name, number = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
called, num_calls = getattr(os, name), 0


def killing(*arguments):
    global num_calls
    num_calls += 1
    if num_calls == abs(number) and number > 0:
        os.kill(os.getpid(), signal.SIGKILL)
    outcome = called(*arguments)
    if num_calls == abs(number):
        os.kill(os.getpid(), signal.SIGKILL)
    return outcome


setattr(os, name, killing)
merge_models(
    MergeConfig.model_validate_json(config),
    pivot=folder / "pivot",
    models=[folder / "first", folder / "second"],
    output=folder / "out",
)
"""


def write_models(folder: Path) -> None:
    for seed, name in enumerate(["pivot", "first", "second"]):
        generator = torch.Generator().manual_seed(100 + seed)
        layers = {
            f"layers.{layer}.weight": torch.randn(BLOCK_ELEMENTS // 4, 6, generator=generator)
            for layer in range(4)
        }
        write_model(folder / name, {**random_weights(seed), **layers})


def merge_in_child(
    folder: Path, config: MergeConfig, call: str = "pwrite", number: int = 0
) -> subprocess.CompletedProcess[bytes]:
    """Merge in a new process that kills itself before (or, if negative, after) a system call."""
    arguments = [str(folder), config.model_dump_json(), call, str(number)]
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        check=False,
    )


def merge_here(folder: Path, config: MergeConfig, name: str) -> dict[str, bytes]:
    models = [folder / "first", folder / "second"]
    merge_models(config, pivot=folder / "pivot", models=models, output=folder / name)
    return contents(folder / name)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("pwrite", 3),  # between headers
        ("pwrite", 6),  # in the middle of the first tensor
        ("pwrite", -13),
        ("write", 2),  # before the first unit is noted
        ("rename", 1),  # whole, but not yet named
        ("rename", -1),  # named, but not cleaned up
    ],
)
def test_killed_merge_continues_to_the_same_bytes(tmp_path: Path, call: str, number: int) -> None:
    write_models(tmp_path)
    expected = merge_here(tmp_path, CONFIG, "expected")
    assert merge_in_child(tmp_path, CONFIG, call, number).returncode == -9
    is_named = (call, number) == ("rename", -1)
    assert (tmp_path / "out").exists() == is_named
    if not is_named:
        merge_here(tmp_path, CONFIG, "out")
        assert not (tmp_path / "out.partial").exists()
    assert contents(tmp_path / "out") == expected


def noted(folder: Path) -> list[str]:
    lines = (folder / "out.partial" / "merge_journal.jsonl").read_bytes().split(b"\n")[1:-1]
    return [json.loads(line)["unit"] for line in lines]


@pytest.mark.slow
def test_finished_units_are_not_merged_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_models(tmp_path)
    merge_in_child(tmp_path, CONFIG, "write", 5)
    assert len(noted(tmp_path)) == 3  # after the line that names the merge
    called, written = os.pwrite, []

    def pwrite(descriptor: int, content: memoryview, position: int) -> int:
        written.append(len(content))
        return called(descriptor, content, position)

    monkeypatch.setattr(os, "pwrite", pwrite)
    merge_here(tmp_path, CONFIG, "out")
    continued = sum(written)
    written.clear()
    merge_here(tmp_path, CONFIG, "whole")
    three_layers = 3 * (BLOCK_ELEMENTS // 4) * 6 * 4  # they lie in front, in bytes
    assert sum(written) - continued == three_layers


@pytest.mark.slow
@pytest.mark.parametrize("change", ["settings", "input", "config"])
def test_what_another_merge_left_is_not_used(tmp_path: Path, change: str) -> None:
    write_models(tmp_path)
    merge_in_child(tmp_path, CONFIG, "rename", 1)
    config = CONFIG
    if change == "settings":
        config = CONFIG.replace(select_topk=1.0)
    elif change == "input":
        weights = tmp_path / "first" / "model.safetensors"
        content = bytearray(weights.read_bytes())
        content[-2] ^= 1
        weights.write_bytes(content)
    else:
        path = tmp_path / "second" / "config.json"
        path.write_text(path.read_text() + "\n")
    expected = merge_here(tmp_path, config, "expected")
    assert merge_here(tmp_path, config, "out") == expected


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["weights", "journal", "files"])
def test_what_a_crash_of_the_machine_lost_is_merged_again(tmp_path: Path, damage: str) -> None:
    write_models(tmp_path)
    expected = merge_here(tmp_path, CONFIG, "expected")
    merge_in_child(tmp_path, CONFIG, "rename", 1)
    partial = tmp_path / "out.partial"
    files = sorted((partial / "model").glob("*.safetensors"))
    if damage == "weights":
        content = bytearray(files[0].read_bytes())
        content[-4096:] = bytes(4096)
        files[0].write_bytes(content)
    elif damage == "journal":
        journal = partial / "merge_journal.jsonl"
        journal.write_bytes(journal.read_bytes()[:-20])
    else:
        files[0].unlink()
        files[1].write_bytes(b"")
    assert merge_here(tmp_path, CONFIG, "out") == expected


def test_interrupted_merge_is_kept_and_continued(tmp_path: Path) -> None:
    write_models(tmp_path)
    expected = merge_here(tmp_path, CONFIG, "expected")

    def interrupt(num_done: int, num_total: int) -> None:
        raise KeyboardInterrupt

    models = [tmp_path / "first", tmp_path / "second"]
    with pytest.raises(KeyboardInterrupt):
        merge_models(
            CONFIG,
            pivot=tmp_path / "pivot",
            models=models,
            output=tmp_path / "out",
            progress=interrupt,
        )
    assert noted(tmp_path)
    assert merge_here(tmp_path, CONFIG, "out") == expected


def test_bytes_do_not_depend_on_threads(tmp_path: Path) -> None:
    write_models(tmp_path)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    one = merge_here(tmp_path, CONFIG, "one")
    torch.set_num_threads(before)
    for num_threads in (2, 5):
        config = CONFIG.replace(num_threads=num_threads)
        assert merge_here(tmp_path, config, f"threads-{num_threads}") == one


@pytest.mark.slow
def test_more_threads_continue_what_one_began(tmp_path: Path) -> None:
    write_models(tmp_path)
    expected = merge_here(tmp_path, CONFIG, "expected")
    merge_in_child(tmp_path, CONFIG, "write", 4)
    kept = noted(tmp_path)
    assert len(kept) == 2
    assert merge_in_child(tmp_path, CONFIG.replace(num_threads=3), "write", 3).returncode == -9
    assert noted(tmp_path)[:2] == kept
    assert merge_here(tmp_path, CONFIG, "out") == expected


def test_two_merges_do_not_write_the_same_output(tmp_path: Path) -> None:
    write_models(tmp_path)
    models = [tmp_path / "first", tmp_path / "second"]
    seen: list[str] = []

    def merge_again(num_done: int, num_total: int) -> None:
        with pytest.raises(ModelError, match="is being written by another merge") as caught:
            merge_models(CONFIG, pivot=tmp_path / "pivot", models=models, output=tmp_path / "out")
        seen.append(str(caught.value))

    merge_models(
        CONFIG,
        pivot=tmp_path / "pivot",
        models=models,
        output=tmp_path / "out",
        progress=merge_again,
    )
    assert seen
    assert (tmp_path / "out" / "config.json").exists()


def test_folder_that_no_merge_left_is_not_removed(tmp_path: Path) -> None:
    write_models(tmp_path)
    other = tmp_path / "out.partial"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(ModelError, match="is in the way and is not what a merge left"):
        merge_here(tmp_path, CONFIG, "out")
    assert os.listdir(other) == ["thesis.txt"]
