"""What is refused before anything is written, and what a failing disk leaves."""

import errno
import json
import os
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from longloom.errors import ModelError
from longloom.merging import MergeConfig
from longloom.merging.merge import merge_models
from longloom.merging.safetensors_reader import TensorFolder
from merging.folders import random_weights, write_model


def merge(folder: Path, *models: Path, output: Path, pivot: Path | None = None) -> None:
    merge_models(MergeConfig(), pivot=pivot or folder / "pivot", models=list(models), output=output)


def write_two(tmp_path: Path) -> tuple[Path, Path]:
    return (
        write_model(tmp_path / "pivot", random_weights(0)),
        write_model(tmp_path / "model", random_weights(1)),
    )


def with_header(folder: Path, header: bytes, num_data_bytes: int = 0) -> None:
    content = struct.pack("<Q", len(header)) + header + bytes(num_data_bytes)
    (folder / "model.safetensors").write_bytes(content)


def entry(code: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict:
    return {"dtype": code, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    ("header", "num_data_bytes", "reason"),
    [
        (b"[" * 200_000, 0, "header is not JSON"),
        (b"\xff\xfe", 0, "header is not JSON"),
        (b"[]", 0, "not a whole safetensors file"),
        (b'"text"', 0, "not a whole safetensors file"),
        (json.dumps({"a": 3}).encode(), 0, "not a whole safetensors file"),
        (json.dumps({"a": {}}).encode(), 0, "not a whole safetensors file"),
        (json.dumps({"a": entry(code=["F32"])}).encode(), 8, "not a whole safetensors file"),
        (json.dumps({"a": entry(code="F8_E4M3")}).encode(), 8, "dequantise the model first"),
        (json.dumps({"a": entry(shape=(-1, -2))}).encode(), 8, r"has shape \(-1, -2\)"),
        (json.dumps({"a": entry(shape=(2.0,))}).encode(), 8, r"has shape \(2\.0,\)"),
        (json.dumps({"a": entry(shape=(True, 2))}).encode(), 8, r"has shape \(True, 2\)"),
        (json.dumps({"a": entry(shape=(2**62, 2**62))}).encode(), 8, "has 8 bytes for shape"),
        (json.dumps({"a": entry(offsets=(8, 0))}).encode(), 8, "has -8 bytes for shape"),
        (json.dumps({"a": entry(offsets=(0, 8, 9))}).encode(), 8, "not a whole safetensors file"),
        (json.dumps({"a": entry(offsets=(4, 12))}).encode(), 12, "does not begin where"),
        (json.dumps({"a": entry(), "b": entry()}).encode(), 16, "does not begin where"),
        (json.dumps({"a": entry()}).encode(), 9, "9 bytes|its header says"),
        (json.dumps({"a": entry()}).encode(), 7, "its header says"),
        (b'{"a": {"dtype": "F32", "shape": [' + b"9" * 5_000 + b"]}}", 8, "not JSON|not a whole"),
    ],
)
def test_hostile_headers_are_refused_in_one_line(
    tmp_path: Path, header: bytes, num_data_bytes: int, reason: str
) -> None:
    _, model = write_two(tmp_path)
    with_header(model, header, num_data_bytes)
    with pytest.raises(ModelError, match=reason) as caught:
        merge(tmp_path, model, output=tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("file_name", ["../pivot/model.safetensors", "/etc/passwd", 7, "", ".."])
def test_index_that_leads_out_of_its_folder_is_refused(tmp_path: Path, file_name: object) -> None:
    _, model = write_two(tmp_path)
    index = {"weight_map": {"model.norm.weight": file_name}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match=r"names the file|is damaged"):
        merge(tmp_path, model, output=tmp_path / "out")


def test_index_and_files_that_disagree_are_refused(tmp_path: Path) -> None:
    _, model = write_two(tmp_path)
    weight_map = dict.fromkeys([*random_weights(0), "model.lost"], "model.safetensors")
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(ModelError, match=r"says that tensor 'model\.lost' is in model\.safe"):
        merge(tmp_path, model, output=tmp_path / "out")


def test_all_disagreements_are_named_up_to_ten(tmp_path: Path) -> None:
    _, model = write_two(tmp_path)
    weights = random_weights(1)
    del weights["model.norm.weight"], weights["model.scalar"]
    weights["model.extra"] = torch.ones(2)
    weights["model.empty"] = torch.ones(1)
    save_file(weights, model / "model.safetensors")
    with pytest.raises(ModelError) as caught:
        merge(tmp_path, model, output=tmp_path / "out")
    for name in ("norm.weight", "scalar", "extra", "empty"):
        assert f"'model.{name}'" in str(caught.value)
    many = {f"layers.{layer}.weight": torch.ones(1) for layer in range(25)}
    save_file({**random_weights(1), **many}, model / "model.safetensors")
    with pytest.raises(ModelError, match="and 15 more disagreements"):
        merge(tmp_path, model, output=tmp_path / "out")


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("pytorch_model.bin", "whose pickle can run code and is not read"),
        ("adapter_config.json", "holds an adapter, not a model; merge it into its base first"),
        ("config.json", "expected model.safetensors"),
    ],
)
def test_folders_of_other_kinds_are_refused_with_advice(
    tmp_path: Path, written: str, reason: str
) -> None:
    _, model = write_two(tmp_path)
    (model / "model.safetensors").unlink()
    if written != "config.json":
        (model / written).write_text("{}")
    with pytest.raises(ModelError, match=reason):
        merge(tmp_path, model, output=tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Qwen/Qwen3-0.6B", "a name on a hub is not fetched; download it"),
        ("base+adapter", "an adapter behind . is not merged"),
        ("nowhere", "give the path of a Hugging Face folder"),
    ],
)
def test_names_that_are_no_folders_get_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    write_two(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=reason):
        merge(tmp_path, Path(name), output=tmp_path / "out")


def test_output_is_apart_from_the_models(tmp_path: Path) -> None:
    pivot, model = write_two(tmp_path)
    (tmp_path / "link").symlink_to(model)
    for output in (model, model / "merged", tmp_path / "link" / "merged", pivot / "a" / "b"):
        with pytest.raises(ModelError, match="choose a folder outside the models"):
            merge(tmp_path, model, output=output)
    model.rename(tmp_path / "out.partial")
    with pytest.raises(ModelError, match=r"has the name that .*out has until it is whole"):
        merge(tmp_path, tmp_path / "out.partial", output=tmp_path / "out")
    assert TensorFolder(tmp_path / "out.partial").tensors


def test_a_full_disk_keeps_what_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, model = write_two(tmp_path)
    written, num_calls = os.pwrite, 0

    def pwrite(descriptor: int, content: memoryview, position: int) -> int:
        nonlocal num_calls
        num_calls += 1
        if num_calls > 4:  # a header, and the three blocks of the embeddings
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return written(descriptor, content, position)

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", pwrite)
        with pytest.raises(ModelError, match="No space left on device; free space"):
            merge(tmp_path, model, output=tmp_path / "out")
    assert (tmp_path / "out.partial").is_dir()
    merge(tmp_path, model, output=tmp_path / "out")
    merge(tmp_path, model, output=tmp_path / "again")
    contents = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("out", "again")]
    assert contents[0] == contents[1]
    assert not (tmp_path / "out.partial").exists()


def test_a_disk_without_room_is_found_before_merging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, model = write_two(tmp_path)

    def fallocate(descriptor: int, start: int, num_bytes: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", fallocate, raising=False)
    with pytest.raises(ModelError, match="No space left on device"):
        merge(tmp_path, model, output=tmp_path / "out")
    assert not list(tmp_path.glob("out*"))


def test_output_in_a_file_or_a_closed_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, model = write_two(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match=r"cannot write .*file"):
        merge(tmp_path, model, output=tmp_path / "file" / "out")

    def mkdir(path: Path, *arguments: object, **named: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(ModelError, match="Read-only file system; make the folder writable"):
        merge(tmp_path, model, output=tmp_path / "out")


def test_quantised_models_are_refused(tmp_path: Path) -> None:
    _, model = write_two(tmp_path)
    quantised = write_model(
        tmp_path / "quantised", random_weights(1), quantization_config={"quant_method": "gptq"}
    )
    with pytest.raises(ModelError, match=r"is quantised .*gptq"):
        merge(tmp_path, model, quantised, output=tmp_path / "out")
