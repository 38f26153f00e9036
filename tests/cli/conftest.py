"""The command line as tests call it: in this process, in an empty folder."""

import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from longloom.cli import main as command_line
from tiny_folder import Toy, toy


@dataclass(frozen=True)
class Outcome:
    """What a call of the command line left."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def parts() -> Toy:
    """Return documents, a model and questions that all tests share."""
    return toy()


@pytest.fixture
def longloom(monkeypatch, capsys, tmp_path) -> Callable[..., Outcome]:
    """Call `longloom ARGUMENTS` from an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["longloom", *map(str, arguments)])
        code = command_line.main()
        shown = capsys.readouterr()
        return Outcome(code=code, out=shown.out, err=shown.err)

    return call
