"""The doctor finds what is missing and says what to do."""

import re

import pytest
import typer

from longloom.cli import machine_checks
from longloom.cli.doctor import doctor
from longloom.cli.machine_checks import Check, package_check


def test_installed_package_is_fine_with_its_version() -> None:
    check = package_check("pytest", ">=8")
    assert check.is_fine
    assert re.fullmatch(r"\d+\.\d+\.\d+", check.finding)


def test_package_imported_under_another_name_is_found() -> None:
    assert package_check("pyyaml", ">=6").is_fine


def test_missing_package_is_named_with_its_command() -> None:
    check = package_check("longloom-nowhere", ">=1.2")
    assert not check.is_fine
    assert check.finding == "not installed"
    assert "pip install 'longloom-nowhere>=1.2'" in check.advice


def test_too_old_package_is_named_with_what_is_needed() -> None:
    check = package_check("pytest", ">=999")
    assert not check.is_fine
    assert check.finding.endswith(", needs >=999")


def test_doctor_exits_with_one_and_advice_if_something_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [
        Check(name="python", is_fine=True, finding="3.11"),
        Check(name="free disk", is_fine=False, finding="0.1 GB", advice="free some"),
    ]
    monkeypatch.setattr(machine_checks, "check_machine", lambda: found)
    with pytest.raises(typer.Exit) as exited:
        doctor()
    assert exited.value.exit_code == 1
    assert capsys.readouterr().out == (
        "check            found\n"
        "python     ok    3.11\n"
        "free disk  FAIL  0.1 GB\n"
        "\nWhat to do:\n  free disk: free some\n"
    )


def test_folder_that_cannot_be_written_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    monkeypatch.setattr(machine_checks.Path, "cwd", lambda: gone)
    gone.rmdir()
    assert not machine_checks._write_access().is_fine
