"""Imports go down only; the contract stands in pyproject.toml."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from repository import ROOT, SOURCE

_CHECK = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"


def check_layers(folder: Path, source: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter in `folder`, whose pyproject.toml holds the contract."""
    environment = os.environ | {"PYTHONPATH": str(source)}
    return subprocess.run(
        [sys.executable, "-c", _CHECK],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _layer_names() -> list[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    return [name.strip() for layer in layers for name in layer.split("|")]


@pytest.fixture
def empty_rooms(tmp_path: Path) -> Path:
    """A package `longloom` with the same rooms, all empty, under the same contract."""
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    package = tmp_path / "longloom"
    for folder in (package, *(package / name for name in _layer_names())):
        folder.mkdir()
        (folder / "__init__.py").touch()
    return tmp_path


def test_imports_go_down_only() -> None:
    checked = check_layers(ROOT, ROOT / "src")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_contract_names_every_room() -> None:
    rooms = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - set(_layer_names()) == {"__init__", "__pycache__"} & rooms


def test_contract_accepts_an_import_that_goes_down(empty_rooms: Path) -> None:
    (empty_rooms / "longloom" / "cli" / "run.py").write_text("import longloom.records\n")
    checked = check_layers(empty_rooms, empty_rooms)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("importer", "imported"),
    [("records", "cli"), ("training", "memory"), ("rewards", "training")],
)
def test_contract_refuses_an_import_up_or_sideways(
    empty_rooms: Path, importer: str, imported: str
) -> None:
    (empty_rooms / "longloom" / importer / "bad.py").write_text(f"import longloom.{imported}\n")
    checked = check_layers(empty_rooms, empty_rooms)
    assert checked.returncode == 1
    assert f"longloom.{importer}.bad" in checked.stdout


def test_contract_refuses_a_room_it_does_not_name(empty_rooms: Path) -> None:
    (empty_rooms / "longloom" / "attic").mkdir()
    (empty_rooms / "longloom" / "attic" / "__init__.py").touch()
    assert check_layers(empty_rooms, empty_rooms).returncode != 0
